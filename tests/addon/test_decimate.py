"""Fewer triangles."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.scene.decimate import decimate, triangle_count  # noqa: E402
from phorhum_blender.addon.scene.person import point_colours, positions, triangles  # noqa: E402
from phorhum_blender.addon.scene.remesh import nearest_places  # noqa: E402


def shown(person):
    return person.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()


def test_about_as_many_triangles_as_asked_for_and_nothing_is_lost(person):
    full = triangle_count(person.data)
    assert full == len(person.data.polygons)
    decimate(person, 3000)
    assert abs(triangle_count(shown(person)) - 3000) <= 60
    assert triangle_count(person.data) == full
    decimate(person, 1500)
    assert len(person.modifiers) == 1 and abs(triangle_count(shown(person)) - 1500) <= 30
    decimate(person, full)
    assert len(person.modifiers) == 0


def test_colours_stay_where_they_were(person):
    decimate(person, 5000)
    mesh = shown(person)
    corners, weights = nearest_places(positions(person.data), triangles(person.data), positions(mesh))
    expected = np.einsum("vk,vkc->vc", weights, point_colours(person.data, "Albedo")[corners])
    assert np.abs(point_colours(mesh, "Albedo") - expected).mean() < 0.01


def test_polygons_of_any_size_are_counted_as_triangles(blender):
    mesh = bpy.data.meshes.new("faces")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 0, 0)], [], [(0, 1, 2, 3), (1, 4, 2)])
    assert triangle_count(mesh) == 3
