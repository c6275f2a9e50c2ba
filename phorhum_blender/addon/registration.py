"""What Blender is told of the add-on, and the way back."""

from __future__ import annotations

from typing import Any

import bpy

from . import (
    command,
    draw_box,
    edit_operators,
    edit_panel,
    engine_process,
    masks,
    measured,
    operators,
    paint_mask,
    panel,
    preference_operators,
    presets,
    thumbnails,
    translations,
)
from .job import status
from .preferences import PHORHUM_AP_preferences
from .properties import PHORHUM_PG_settings

CLASSES = (
    PHORHUM_AP_preferences,
    PHORHUM_PG_settings,
    *operators.CLASSES,
    *draw_box.CLASSES,
    *paint_mask.CLASSES,
    *edit_operators.CLASSES,
    *preference_operators.CLASSES,
    *presets.CLASSES,
    *panel.CLASSES,
    *edit_panel.CLASSES,
)
_MENUS = ("TOPBAR_MT_file_import", "VIEW3D_MT_add")
_command: Any = None  # Blender's handle of the command


def register() -> None:
    global _command
    measured.forget()
    thumbnails.register()
    masks.register()
    translations.register()
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.phorhum = bpy.props.PointerProperty(type=PHORHUM_PG_settings)
    for menu in _MENUS:
        getattr(bpy.types, menu).append(panel.draw_menu_entry)
    _command = bpy.utils.register_cli_command(command.NAME, command.main)


def unregister() -> None:
    status.cancel()
    engine_process.stop()
    bpy.utils.unregister_cli_command(_command)
    for menu in _MENUS:
        getattr(bpy.types, menu).remove(panel.draw_menu_entry)
    del bpy.types.Scene.phorhum
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    translations.unregister()
    masks.unregister()
    thumbnails.unregister()
