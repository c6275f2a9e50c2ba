"""What the material shows, in Cycles."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.scene.look import current_look, show  # noqa: E402
from phorhum_blender.addon.scene.person import positions  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from tests.addon import synthetic  # noqa: E402
from tests.addon.rendering import render_linear, sample, visible_vertices  # noqa: E402


def test_a_new_person_shows_its_albedo(person):
    assert current_look(person) == "Albedo"


def test_shaded_shows_the_photos_colours_whatever_the_light(person, tmp_path):
    show(person, "Shaded")
    assert current_look(person) == "Shaded"
    assert person.data.color_attributes.active_color.name == "Shaded"
    bpy.context.scene.world = None
    bpy.context.scene.render.resolution_percentage = 50
    picture = render_linear(bpy.context.scene, tmp_path, samples=4)
    seen = visible_vertices(bpy.context.scene, person, facing=0.5)
    found = sample(picture, bpy.context.scene, positions(person.data)[seen])
    assert np.abs(found - synthetic.person().shaded[seen]).mean() < 0.02


def test_back_to_the_albedo(person):
    links = len(person.active_material.node_tree.links)
    show(person, "Shaded")
    show(person, "Albedo")
    assert current_look(person) == "Albedo"
    assert person.data.color_attributes.active_color.name == "Albedo"
    show(person, "Shaded")
    show(person, "Albedo")
    assert len(person.active_material.node_tree.links) == links + 1  # the unlit node stays, unused


def test_nodes_with_translated_names_are_found(person):
    for number, node in enumerate(person.active_material.node_tree.nodes):
        node.name = f"Knoten {number}"
    show(person, "Shaded")
    assert current_look(person) == "Shaded"
    show(person, "Albedo")
    assert current_look(person) == "Albedo"


def test_no_texture_can_be_shown_before_one_is_baked(person):
    with pytest.raises(UserError, match="Bake one first"):
        show(person, "Texture")
    assert current_look(person) == "Albedo"


def test_a_foreign_material_is_left_alone(person):
    person.data.materials[0] = bpy.data.materials.new("mine")
    assert current_look(person) in ("", "Albedo")
    person.data.materials.clear()
    assert current_look(person) == ""
    with pytest.raises(UserError, match="not the one that PHORHUM made"):
        show(person, "Shaded")
