"""What belongs to the machine, not to a scene."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from .download import YOLO_DETECTOR
from .package import PACKAGE


@dataclass(frozen=True)
class Machine:
    """The preferences' values; the defaults hold where the add-on is not enabled through Blender's preferences."""

    device: str = "cpu"
    threads: int = 0
    detector: str = ""


class PHORHUM_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    device: EnumProperty(
        name="Device",
        description="What computes the reconstruction",
        items=[("cpu", "CPU", "The processor; works everywhere")],
    )
    threads: IntProperty(
        name="Threads", description="Processor threads to use; 0 takes all there are", default=0, min=0, max=256
    )
    detector: StringProperty(
        name="Detector",
        description="Weights of another person detector (ultralytics segmentation model); empty uses the built-in one",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "device")
        layout.prop(self, "threads")
        layout.prop(self, "detector")
        box = layout.box()
        box.label(text=f"Official detector {YOLO_DETECTOR.name}: finds people better than the built-in one")
        box.label(text=f"Ultralytics, licence AGPL-3.0, {YOLO_DETECTOR.size / 1e6:.1f} MB from github.com")
        box.operator("phorhum.download_detector")


def machine(context: bpy.types.Context) -> Machine:
    addon = context.preferences.addons.get(PACKAGE)
    if addon is None:
        return Machine()
    values = addon.preferences
    detector = bpy.path.abspath(values.detector) if values.detector else ""
    return Machine(values.device, values.threads, detector)
