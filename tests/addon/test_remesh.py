"""A new surface with the colours of the old one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.scene import remesh as module  # noqa: E402
from phorhum_blender.addon.scene.build import stored_request  # noqa: E402
from phorhum_blender.addon.scene.look import current_look, texture_of  # noqa: E402
from phorhum_blender.addon.scene.person import find_person, point_colours, positions, stored_joints  # noqa: E402
from phorhum_blender.addon.scene.remesh import QUAD, VOXEL, nearest_places, remesh  # noqa: E402
from phorhum_blender.addon.scene.rig import add_rig, rig_of  # noqa: E402
from phorhum_blender.addon.scene.texture import bake_texture  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from tests.addon.snapshot import break_after, scene_state  # noqa: E402
from tests.addon.synthetic import banded  # noqa: E402


def is_closed(mesh):
    return set(Counter(key for face in mesh.polygons for key in face.edge_keys).values()) == {2}


@pytest.mark.parametrize("kind, amount", [(VOXEL, 0.02), (QUAD, 2000)])
def test_a_closed_surface_of_quads_with_the_colours(person, kind, amount):
    made = remesh(bpy.context, person, kind, amount)
    assert all(len(face.vertices) == 4 and face.use_smooth for face in made.data.polygons) and is_closed(made.data)
    if kind == QUAD:
        assert 0.7 * amount < len(made.data.polygons) < 1.3 * amount
    error = np.abs(point_colours(made.data, "Albedo")[:, :3] - banded(positions(made.data)))
    assert error.mean() < 0.03
    assert made.data.color_attributes.active_color.name == "Albedo" and current_look(made) == "Albedo"
    assert "Shaded" in made.data.color_attributes


def spoil(monkeypatch, times):
    """Makes the first ``times`` looks at the new surface find nothing but NaN, as quadriflow leaves it at times."""
    left = iter(range(times))

    def looked_at(mesh):
        return positions(mesh) if next(left, None) is None else np.full((9, 3), np.nan)

    monkeypatch.setattr(module, "positions", looked_at)


def test_quads_that_come_out_as_nothing_are_made_of_other_voxels(person, monkeypatch):
    spoil(monkeypatch, 1)
    made = remesh(bpy.context, person, QUAD, 2000)
    assert is_closed(made.data) and np.isfinite(positions(made.data)).all()
    assert 0.7 * 2000 < len(made.data.polygons) < 1.3 * 2000


def test_quads_that_never_come_out_are_an_error_and_change_nothing(person, monkeypatch):
    before = scene_state()
    spoil(monkeypatch, 99)
    with pytest.raises(UserError, match="could not remesh"):
        remesh(bpy.context, person, QUAD, 2000)
    assert scene_state() == before


def test_the_person_is_hidden_and_whole_and_the_new_one_is_a_person(person):
    faces = len(person.data.polygons)
    made = remesh(bpy.context, person, VOXEL, 0.03)
    assert not person.visible_get() and person.hide_render and len(person.data.polygons) == faces
    assert bpy.context.object == made and bpy.context.selected_objects == [made]
    assert find_person(made) == made and stored_request(made) == stored_request(person)
    assert np.array_equal(stored_joints(made), stored_joints(person))


def test_the_texture_stays_with_the_old_surface_and_the_rig_takes_the_new_one(person):
    bake_texture(bpy.context, person, 1024)
    rig = add_rig(bpy.context, person)
    made = remesh(bpy.context, person, VOXEL, 0.03)
    assert texture_of(person) and current_look(person) == "Texture"
    assert texture_of(made) is None and current_look(made) == "Albedo"
    assert made.parent == rig and rig_of(made) == rig
    assert all(vertex.groups for vertex in made.data.vertices)
    assert find_person(rig) == made


def test_colours_come_from_the_nearest_place_of_the_surface():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=np.float32)
    corners, weights = nearest_places(vertices, np.array([[0, 1, 2]]), np.array([[0.25, 0.5, 0.3], [-1, -1, 0]]))
    assert corners.tolist() == [[0, 1, 2]] * 2
    assert np.allclose(weights, [[0.25, 0.25, 0.5], [1, 0, 0]], atol=1e-6)


def test_voxels_too_large_for_the_person_are_an_error_and_change_nothing(person):
    before = scene_state()
    with pytest.raises(UserError, match="Choose smaller voxels"):
        remesh(bpy.context, person, VOXEL, 0.5)
    assert scene_state() == before and person.visible_get()


@pytest.mark.parametrize("step", ["_new_surface", "_check", "transfer_colours", "show"])
def test_a_bug_leaves_the_scene_alone(person, monkeypatch, step):
    before = scene_state()
    break_after(monkeypatch, module, step)
    with pytest.raises(ZeroDivisionError):
        remesh(bpy.context, person, VOXEL, 0.03)
    assert scene_state() == before and person.visible_get()
