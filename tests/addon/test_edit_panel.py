"""What the sub-panel offers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import edit_operators  # noqa: E402
from phorhum_blender.addon.edit_panel import PHORHUM_PT_result  # noqa: E402
from phorhum_blender.addon.scene.texture import bake_texture  # noqa: E402


class Layout:
    """Stands in for Blender's, which exists only while a window is drawn: notes the buttons."""

    def __init__(self):
        self.buttons = []

    def row(self, align=False):
        return self

    column = row

    def operator(self, name, text="", icon="NONE", depress=False):
        self.buttons.append(SimpleNamespace(name=name, depress=depress))
        return self.buttons[-1]

    def operator_menu_enum(self, name, property_name, icon):
        operator = getattr(bpy.ops, name.partition(".")[0]), name.partition(".")[2]
        assert property_name in getattr(*operator).get_rna_type().properties
        self.operator(name)


def draw():
    layout = Layout()
    PHORHUM_PT_result.draw(SimpleNamespace(layout=layout), bpy.context)
    return layout.buttons


def test_it_shows_only_with_a_person(person):
    assert PHORHUM_PT_result.poll(bpy.context)
    bpy.ops.mesh.primitive_cube_add()
    assert not PHORHUM_PT_result.poll(bpy.context)


def test_every_operator_has_a_button(person):
    offered = {button.name for button in draw()}
    assert offered == {cls.bl_idname for cls in edit_operators.CLASSES}


def test_buttons_stand_down_for_what_is_on(person):
    assert [button.look for button in draw() if button.name == "phorhum.show" and button.depress] == ["Albedo"]
    bpy.ops.phorhum.toggle_light_rig()
    bake_texture(bpy.context, person, 1024)
    buttons = draw()
    assert [button.look for button in buttons if button.name == "phorhum.show"] == ["Albedo", "Shaded", "Texture"]
    assert [button.look for button in buttons if button.name == "phorhum.show" and button.depress] == ["Texture"]
    assert [button.depress for button in buttons if button.name == "phorhum.toggle_light_rig"] == [False]
