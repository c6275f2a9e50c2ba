"""The tab "PHORHUM" in the side bar of the 3D view, the menu entries and the drop of an image."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import bpy

from . import measured, thumbnails
from .found import found, person_picture
from .job import LOOK, duration, status
from .operators import PHOTO_SUFFIXES
from .preferences import Machine, machine
from .presets import PHORHUM_PT_presets
from .properties import QUALITIES, back_options, look_options, options, person_options
from .scene.build import stored_request
from .translations import translate, words

PHOTO_SCALE = 6.0  # of the photo's thumbnail, in the height of a button
PERSON_SCALE = 4.0
LOOK_SCALE = 8.0  # of the early look at who is being made


class PHORHUM_PT_main(bpy.types.Panel):
    bl_idname = "PHORHUM_PT_main"
    bl_label = "PHORHUM"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "PHORHUM"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        PHORHUM_PT_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.phorhum
        column = layout.column()
        column.enabled = status.task is None
        _draw_photo(column, settings)
        _draw_quality(column, settings, machine(context))
        column.prop(settings, "height")
        person = _draw_section(column, settings, "person", words("Person"), person_options())
        if person:
            row = person.row(align=True)
            row.operator("phorhum.draw_box", icon="SELECT_SET")
            row.operator("phorhum.paint_mask", icon="BRUSH_DATA")
        others = [name for name in (*look_options(), *back_options()) if name != "height"]
        _draw_section(column, settings, "options", words("Options"), others)
        if not status.task:
            _draw_button(layout, settings)
        _draw_last(layout, context)


class PHORHUM_PT_running(bpy.types.Panel):
    """The job that runs. A panel of its own: within one, Blender goes on to draw a bar that the mouse is over in place
    of the next text, the result's line."""

    bl_idname = "PHORHUM_PT_running"
    bl_parent_id = PHORHUM_PT_main.bl_idname
    bl_label = "PHORHUM"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "PHORHUM"
    bl_options = {"HIDE_HEADER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return status.task is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if status.look:
            layout.template_icon(icon_value=thumbnails.icon(LOOK), scale=LOOK_SCALE)
        layout.progress(factor=status.fraction, text=status.progress_line())
        row = layout.row()
        row.scale_y = 1.4
        row.operator("phorhum.cancel", icon="CANCEL")


def _draw_photo(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    layout.prop(settings, "photo")
    path = settings.photo_path()
    if path:
        layout.template_icon(icon_value=thumbnails.file_icon(path), scale=PHOTO_SCALE)
    layout.operator("phorhum.find_people", icon="VIEWZOOM")
    if path and found.photo == path:
        _draw_people(layout, settings)


def _draw_people(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    chosen = None if settings.whole_frame or settings.mask or any(settings.box) else settings.person
    grid = layout.grid_flow(columns=0, row_major=True, even_columns=True, align=True)
    for number, (width, height) in enumerate(found.sizes):
        cell = grid.column(align=True)
        picture = thumbnails.icon(person_picture(found.photo, number))
        cell.template_icon(icon_value=picture, scale=PERSON_SCALE)
        text = f"{number}:  {width} x {height}"
        cell.operator("phorhum.choose_person", text=text, depress=number == chosen).person = number
    layout.separator()


def _draw_quality(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, here: Machine) -> None:
    rows = layout.column(align=True)
    rows.use_property_split = False  # the whole width is for the words in the buttons
    for name, resolution in QUALITIES.items():
        label = words(settings.bl_rna.properties["quality"].enum_items[name].name)
        rows.prop_enum(settings, "quality", name, text=f"{label}   {cost_words(resolution, here)}")


def cost_words(resolution: int, here: Machine) -> str:
    """What a reconstruction at ``resolution`` costs on this machine, as far as that was measured."""
    cost = measured.knowledge().expected(resolution, here.device, here.threads)
    if cost is None:
        return words("not measured here yet")
    if not cost.memory_mb:
        return words("about {}").format(duration(cost.seconds))
    return words("about {}, {} MB").format(duration(cost.seconds), 10 * round(cost.memory_mb / 10))


def _draw_section(
    layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, name: str, title: str, properties: Iterable[str]
) -> bpy.types.UILayout | None:
    """Returns where more can be put; None while the section is closed."""
    header, body = layout.panel(f"phorhum_{name}", default_closed=True)
    header.label(text=title, translate=False)
    if body:
        for option in properties:
            row = body.row()
            row.active = option != "camera_tilt" or settings.tilt_known
            row.prop(settings, option)
    return body


def _draw_button(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    row = layout.row()
    row.scale_y = 2.0
    button = row.operator("phorhum.reconstruct", icon="OUTLINER_OB_ARMATURE")
    button.filepath = settings.photo
    for name in options():
        setattr(button, name, getattr(settings, name))


def _draw_last(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if status.result:
        layout.label(text=status.result, icon="CHECKMARK", translate=False)
    for warning in status.warnings:
        _draw_sentence(layout, context, translate(warning), "INFO")
    if status.error:
        box = layout.box()
        box.alert = True
        _draw_sentence(box, context, status.error, "ERROR")
        box.operator("phorhum.copy_diagnosis", icon="COPYDOWN")
    if stored_request(context.object) and not status.task:
        row = layout.row(align=True)
        row.operator("phorhum.reconstruct_again", icon="FILE_REFRESH")
        row.operator("phorhum.restore_settings", icon="LOOP_BACK")


def _draw_sentence(layout: bpy.types.UILayout, context: bpy.types.Context, sentence: str, icon: str) -> None:
    """``sentence`` in as many lines as the side bar is narrow."""
    letters = max(20, int(context.region.width / (9 * context.preferences.system.ui_scale)))
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(sentence, letters)):
        column.label(text=line, icon="NONE" if number else icon, translate=False)


class PHORHUM_FH_photo(bpy.types.FileHandler):
    bl_idname = "PHORHUM_FH_photo"
    bl_label = "Reconstruct Person"
    bl_import_operator = "phorhum.reconstruct_photos"
    bl_file_extensions = ";".join(PHOTO_SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def draw_menu_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    """For File > Import and for Add."""
    menu.layout.operator("phorhum.open_photo", text="Person from Photo (PHORHUM)", icon="OUTLINER_OB_ARMATURE")


CLASSES = (PHORHUM_PT_main, PHORHUM_PT_running, PHORHUM_FH_photo)
