"""The tab "PHORHUM" in the side bar of the 3D view, the import menu entry and the drop of an image."""

from __future__ import annotations

import textwrap

import bpy

from .job import status
from .operators import PHOTO_SUFFIXES
from .properties import options
from .scene.build import stored_request


class PHORHUM_PT_main(bpy.types.Panel):
    bl_idname = "PHORHUM_PT_main"
    bl_label = "PHORHUM"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "PHORHUM"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        if status.task:
            _draw_running(layout)
        else:
            _draw_button(layout, context)
        settings = context.scene.phorhum
        column = layout.column()
        column.enabled = status.task is None
        for name in ("photo", "resolution", "height", "person"):
            column.prop(settings, name)
        header, body = column.panel("phorhum_options", default_closed=True)
        header.label(text="Options")
        if body:
            body.prop(settings, "whole_frame")
            body.prop(settings, "photo_detail")
        _draw_last(layout, context)


def _draw_button(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    row = layout.row()
    row.scale_y = 2.0
    button = row.operator("phorhum.reconstruct", icon="OUTLINER_OB_ARMATURE")
    settings = context.scene.phorhum
    button.filepath = settings.photo
    for name in options():
        setattr(button, name, getattr(settings, name))
    if stored_request(context.object):
        layout.operator("phorhum.reconstruct_again", icon="FILE_REFRESH").resolution = settings.resolution


def _draw_running(layout: bpy.types.UILayout) -> None:
    layout.progress(factor=status.fraction, text=f"{status.stage}  {status.fraction:.0%}")
    row = layout.row()
    row.scale_y = 1.4
    row.operator("phorhum.cancel", icon="CANCEL")


def _draw_last(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if status.result:
        layout.label(text=status.result, icon="CHECKMARK")
    if status.error:
        box = layout.box()
        box.alert = True
        letters = max(20, int(context.region.width / (9 * context.preferences.system.ui_scale)))
        for number, line in enumerate(textwrap.wrap(status.error, letters)):
            box.label(text=line, icon="NONE" if number else "ERROR")


class PHORHUM_FH_photo(bpy.types.FileHandler):
    bl_idname = "PHORHUM_FH_photo"
    bl_label = "Reconstruct Person"
    bl_import_operator = "phorhum.reconstruct"
    bl_file_extensions = ";".join(PHOTO_SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def draw_import_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator("phorhum.open_photo", text="Person from Photo (PHORHUM)")


CLASSES = (PHORHUM_PT_main, PHORHUM_FH_photo)
