"""What belongs to the machine, not to a scene."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..engine.bugs import mask_private
from . import engine_process, measured
from .download import YOLO_DETECTOR
from .package import PACKAGE, user_folder
from .translations import CONTEXT, words

# kept here, as Blender does not keep the words of a list that is made anew; the numbers are what it stores
_DEVICES = {
    "cpu": ("cpu", "CPU", "The processor; works everywhere", 0),
    "cuda": ("cuda", "CUDA", "An NVIDIA graphics card", 1),
    "mps": ("mps", "MPS", "The graphics of an Apple processor", 2),
}


@dataclass(frozen=True)
class Machine:
    """The preferences' values; the defaults hold where the add-on is not enabled through Blender's preferences."""

    device: str = "cpu"
    threads: int = 0
    detector: str = ""


def _device_items(self: bpy.types.AddonPreferences, context: bpy.types.Context | None) -> list[tuple]:
    known = measured.knowledge().devices
    return [item for name, item in _DEVICES.items() if name in known]


class PHORHUM_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    device: EnumProperty(
        name="Device",
        translation_context=CONTEXT,
        description="What computes the reconstruction; Find Devices lists what this machine has",
        items=_device_items,
    )
    threads: IntProperty(
        name="Threads",
        translation_context=CONTEXT,
        description="Processor threads to use; 0 takes all there are",
        default=0,
        min=0,
        max=256,
    )
    detector: StringProperty(
        name="Detector",
        translation_context=CONTEXT,
        description="Weights of another person detector (ultralytics segmentation model); empty uses the built-in one",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        row = layout.row(align=True)
        row.prop(self, "device")
        row.operator("phorhum.find_devices", text="", icon="FILE_REFRESH")
        layout.prop(self, "threads")
        layout.prop(self, "detector")
        _draw_download(layout.box())
        _draw_memory(layout.box())
        _draw_files(layout.box())
        layout.label(text="Code GPL-3.0-or-later, weights CC0-1.0; neither asks anything of what you make", icon="INFO")


def _draw_download(box: bpy.types.UILayout) -> None:
    box.label(text=words("Official detector {}: finds people better than the built-in one").format(YOLO_DETECTOR.name))
    size = f"{YOLO_DETECTOR.size / 1e6:.1f}"
    box.label(text=words("Ultralytics, licence AGPL-3.0, {} MB from github.com").format(size))
    box.operator("phorhum.download_detector", icon="IMPORT")


def _draw_memory(box: bpy.types.UILayout) -> None:
    running = engine_process.running()
    box.label(text="The engine runs and keeps its networks loaded" if running else "The engine is not running")
    box.operator("phorhum.free_memory", icon="TRASH")


def _draw_files(box: bpy.types.UILayout) -> None:
    folder = user_folder("")
    box.label(text=words("Own files: {}").format(mask_private(folder)))
    row = box.row()
    row.operator("wm.path_open", text="Open Folder", icon="FILE_FOLDER").filepath = folder
    row.operator("phorhum.clear_cache", icon="TRASH")
    row = box.row()
    row.operator("wm.path_open", text="Open Log", icon="TEXT").filepath = engine_process.log_path()
    row.operator("phorhum.copy_log", icon="COPYDOWN")
    row.operator("phorhum.copy_diagnosis", icon="COPYDOWN")


def machine(context: bpy.types.Context) -> Machine:
    addon = context.preferences.addons.get(PACKAGE)
    if addon is None:
        return Machine()
    values = addon.preferences
    detector = bpy.path.abspath(values.detector) if values.detector else ""
    return Machine(values.device or "cpu", values.threads, detector)  # a device that is gone reads as ""
