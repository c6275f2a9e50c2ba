"""The user's own presets of the panel's options, kept by Blender."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

from .properties import look_options

FOLDER = "phorhum"  # below Blender's folder of presets


class PHORHUM_OT_add_preset(AddPresetBase, bpy.types.Operator):
    """Keep the panel's options under a name, or remove that name"""

    bl_idname = "phorhum.add_preset"
    bl_label = "Add Preset"
    bl_options = {"INTERNAL"}
    preset_menu = "PHORHUM_PT_presets"
    preset_subdir = FOLDER
    preset_defines = ["settings = bpy.context.scene.phorhum"]
    preset_values = [f"settings.{name}" for name in look_options()]


class PHORHUM_PT_presets(PresetPanel, bpy.types.Panel):
    bl_idname = "PHORHUM_PT_presets"
    bl_label = "Presets"
    preset_subdir = FOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = "phorhum.add_preset"


CLASSES = (PHORHUM_OT_add_preset, PHORHUM_PT_presets)
