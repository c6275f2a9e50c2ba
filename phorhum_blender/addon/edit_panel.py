"""The sub-panel "Result": what can be done with the active person."""

from __future__ import annotations

import bpy

from .edit_operators import active_person, light_rig
from .scene.look import LOOKS, TEXTURE, current_look, texture_of


class PHORHUM_PT_result(bpy.types.Panel):
    bl_idname = "PHORHUM_PT_result"
    bl_parent_id = "PHORHUM_PT_main"
    bl_label = "Result"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "PHORHUM"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        person = active_person(context)
        assert person is not None  # what poll asks for
        layout = self.layout
        _draw_looks(layout, person)
        rig = light_rig(person)
        on = rig is not None and not rig.hide_render
        layout.operator("phorhum.toggle_light_rig", icon="LIGHT_SUN", depress=on)
        column = layout.column(align=True)
        column.operator_menu_enum("phorhum.bake_texture", "size", icon="TEXTURE")
        column.operator("phorhum.decimate", icon="MOD_DECIM")
        column.operator("phorhum.remesh", icon="MOD_REMESH")
        column.operator_menu_enum("phorhum.bake_normal_map", "size", icon="NORMALS_FACE")
        column.operator("phorhum.add_rig", icon="ARMATURE_DATA")
        layout.operator("phorhum.export_person", icon="EXPORT")


def _draw_looks(layout: bpy.types.UILayout, person: bpy.types.Object) -> None:
    shown = current_look(person)
    row = layout.row(align=True)
    for look in LOOKS:
        if look != TEXTURE or texture_of(person):
            row.operator("phorhum.show", text=look, depress=look == shown).look = look


CLASSES = (PHORHUM_PT_result,)
