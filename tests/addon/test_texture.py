"""The baked texture against the colours it comes from."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.scene import texture as module  # noqa: E402
from phorhum_blender.addon.scene.look import current_look, texture_of  # noqa: E402
from phorhum_blender.addon.scene.person import point_colours, triangles  # noqa: E402
from phorhum_blender.addon.scene.raster import covered_pixels  # noqa: E402
from phorhum_blender.addon.scene.texture import bake_texture, corner_places, paint  # noqa: E402
from phorhum_blender.engine.colour import linear_to_srgb  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from tests.addon.rendering import look_up, render_linear  # noqa: E402
from tests.addon.snapshot import break_after, scene_state  # noqa: E402


def test_the_texture_shows_at_the_vertices_what_they_have(person):
    image = bake_texture(bpy.context, person, 1024)
    found = look_up(image, corner_places(person.data).reshape(-1, 2))
    expected = linear_to_srgb(point_colours(person.data, "Albedo")[:, :3])[triangles(person.data).ravel()]
    error = np.abs(found - expected)
    assert error.mean() < 0.005 and np.percentile(error, 99.9) < 0.1, (error.mean(), error.max())
    assert np.ptp(expected) > 0.5  # a plain colour would prove nothing


def test_islands_share_no_pixel_and_lie_inside(person):
    bake_texture(bpy.context, person, 1024)
    places = corner_places(person.data)
    assert places.min() >= 0 and places.max() <= 1
    times = np.zeros((1024, 1024), dtype=int)
    for covered in covered_pixels(places * 1024):
        strictly = (covered.weights > 1e-3).all(axis=1)
        np.add.at(times, (covered.row[strictly], covered.column[strictly]), 1)
    assert (times > 0).mean() > 0.3 and (times > 1).sum() < 0.005 * (times > 0).sum()


def test_baking_leaves_geometry_normals_and_selection_alone(person):
    normals = np.array([normal.vector for normal in person.data.corner_normals])
    bake_texture(bpy.context, person, 1024)
    assert np.array_equal(np.array([normal.vector for normal in person.data.corner_normals]), normals)
    assert bpy.context.mode == "OBJECT" and bpy.context.selected_objects == [person]
    assert bpy.context.object == person


def test_the_image_survives_saving_and_is_shown(person, tmp_path):
    image = bake_texture(bpy.context, person, 1024)
    assert image.packed_file and tuple(image.size) == (1024, 1024) and image.colorspace_settings.name == "sRGB"
    assert current_look(person) == "Texture" and texture_of(person) == image
    before, name = image.pixels[:4000], image.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "person.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "person.blend"))
    assert bpy.data.images[name].pixels[:4000] == before


def test_it_renders_as_the_attribute_does(person, tmp_path):
    scene = bpy.context.scene
    scene.render.resolution_percentage = 25
    attribute = render_linear(scene, tmp_path, samples=4)
    bake_texture(bpy.context, person, 1024)
    texture = render_linear(scene, tmp_path, samples=4)
    assert attribute.max() > 0.1 and np.abs(attribute - texture).mean() < 0.005


def test_a_second_bake_keeps_the_uv_map_and_replaces_the_image(person):
    bake_texture(bpy.context, person, 1024)
    places = corner_places(person.data)
    bake_texture(bpy.context, person, 2048)
    assert np.array_equal(corner_places(person.data), places) and len(person.data.uv_layers) == 1
    assert [tuple(image.size) for image in bpy.data.images if image.packed_file] == [(2048, 2048)]


def test_pixels_outside_of_triangles_take_the_colours_around_them():
    corners = np.array([[[0, 0], [8, 0], [0, 8]]], dtype=float)
    picture = paint(corners, np.full((1, 3, 3), 0.25), 64)
    assert np.allclose(picture, 0.25)


@pytest.mark.parametrize("step", ["unwrap", "_paint", "set_texture"])
def test_a_bug_leaves_the_scene_alone(person, monkeypatch, step):
    before = scene_state()
    break_after(monkeypatch, module, step)
    with pytest.raises(ZeroDivisionError):
        bake_texture(bpy.context, person, 1024)
    assert scene_state() == before and len(person.data.uv_layers) == 0 and texture_of(person) is None


def test_a_mesh_without_albedo_is_an_error(person):
    person.data.color_attributes.remove(person.data.color_attributes["Albedo"])
    with pytest.raises(UserError, match='no colour attribute "Albedo"'):
        bake_texture(bpy.context, person, 1024)


def test_a_foreign_material_is_an_error_and_leaves_nothing(person):
    person.data.materials[0].node_tree.nodes.clear()
    before = scene_state()
    with pytest.raises(UserError, match="not the one that PHORHUM made"):
        bake_texture(bpy.context, person, 1024)
    assert scene_state() == before and len(person.data.uv_layers) == 0
