"""What Blender is told of the add-on, and the way back."""

from __future__ import annotations

import bpy

from . import edit_operators, edit_panel, engine_process, operators, panel
from .job import status
from .preferences import PHORHUM_AP_preferences
from .properties import PHORHUM_PG_settings

CLASSES = (
    PHORHUM_AP_preferences,
    PHORHUM_PG_settings,
    *operators.CLASSES,
    *edit_operators.CLASSES,
    *panel.CLASSES,
    *edit_panel.CLASSES,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.phorhum = bpy.props.PointerProperty(type=PHORHUM_PG_settings)
    bpy.types.TOPBAR_MT_file_import.append(panel.draw_import_entry)


def unregister() -> None:
    status.cancel()
    engine_process.stop()
    bpy.types.TOPBAR_MT_file_import.remove(panel.draw_import_entry)
    del bpy.types.Scene.phorhum
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
