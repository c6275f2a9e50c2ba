"""Triangles divided where there is more to see: closed, on the surface, and elsewhere as they were."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from phorhum_blender.engine.refinement import divided, refined, smooth_normals, unit, vertex_normals  # noqa: E402
from phorhum_blender.engine.surface import extract_surface  # noqa: E402

BOUNDS = np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
CELLS = 24


def ball(points):
    return (0.6 - np.linalg.norm(points, axis=1)).astype(np.float32) * -2.5  # as a network's, no true distance


def upper(points):
    return points[:, 1] > 0.25


@pytest.fixture(scope="module")
def coarse():
    return extract_surface(ball, BOUNDS, CELLS)


def is_closed(surface):
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    return mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0


def test_a_refined_mesh_is_closed_and_fine_where_chosen(coarse):
    fine = refined(coarse, ball, upper, 2, 2 / CELLS)
    assert is_closed(fine) and fine.vertices.dtype == np.float32 and fine.faces.dtype == np.int32
    corners = fine.vertices[fine.faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).max(1)
    before = coarse.vertices[coarse.faces]
    usual = np.median(np.linalg.norm(before - np.roll(before, 1, 1), axis=2).max(1))
    chosen, away = (corners[..., 1] > 0.3).all(1), (corners[..., 1] < 0.1).all(1)
    assert np.median(longest[chosen]) < 0.3 * usual
    assert np.median(longest[away]) > 0.9 * usual


def test_new_faces_lie_on_the_surface_and_the_rest_stays(coarse):
    fine = refined(coarse, ball, upper, 2, 2 / CELLS, chunk=50)
    count = len(coarse.vertices)
    assert len(fine.vertices) > 2 * count
    stays = coarse.vertices[:, 1] < 0.25 - 2 / CELLS
    np.testing.assert_array_equal(fine.vertices[:count][stays], coarse.vertices[stays])
    moved = np.concatenate([fine.vertices[:count][upper(coarse.vertices)], fine.vertices[count:]])
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 0.6, atol=2e-4)  # chords lie up to 1.5e-3 inside


def test_no_more_points_are_asked_at_once_than_allowed(coarse):
    counts = []

    def counted(points):
        counts.append(len(points))
        return ball(points)

    refined(coarse, counted, upper, 1, 2 / CELLS, chunk=64)
    assert max(counts) <= 64 and sum(counts) > 500


def test_where_nothing_is_chosen_all_stays(coarse):
    same = refined(coarse, ball, lambda points: np.zeros(len(points), bool), 2, 2 / CELLS)
    np.testing.assert_array_equal(same.vertices, coarse.vertices)
    np.testing.assert_array_equal(same.faces, coarse.faces)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 79), max_size=80))
def test_any_choice_of_faces_leaves_the_mesh_closed_and_its_shape_as_it_was(numbers):
    mesh = trimesh.creation.icosphere(subdivisions=1)
    chosen = np.zeros(len(mesh.faces), bool)
    chosen[list(numbers)] = True
    vertices, faces = divided(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int32), chosen)
    made = trimesh.Trimesh(vertices, faces, process=False)
    assert made.is_watertight and made.is_winding_consistent
    assert made.volume == pytest.approx(mesh.volume) and made.area == pytest.approx(mesh.area)
    assert len(faces) >= len(mesh.faces) + 3 * len(numbers)


def test_normals_of_a_mesh_point_outwards(coarse):
    normals = vertex_normals(coarse.vertices, coarse.faces)
    outwards = coarse.vertices / np.linalg.norm(coarse.vertices, axis=1, keepdims=True)
    assert ((normals * outwards).sum(1) > 0.99).all()


def test_smooth_normals_are_nearer_to_a_round_surface_than_its_meshs(coarse):
    outwards = coarse.vertices / np.linalg.norm(coarse.vertices, axis=1, keepdims=True)
    plain, smooth = (f(coarse.vertices, coarse.faces) for f in (vertex_normals, smooth_normals))
    off = [np.degrees(np.arccos(np.clip((n * outwards).sum(1), -1, 1))) for n in (plain, smooth)]
    assert smooth.dtype == np.float32 and off[1].mean() < 0.92 * off[0].mean() and off[1].max() < 5
    np.testing.assert_allclose(np.linalg.norm(smooth, axis=1), 1, atol=1e-6)


def test_a_vertex_without_faces_has_no_normal_but_a_smooth_one():
    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]])
    faces = np.int32([[0, 1, 2], [0, 2, 1]])  # both sides of one triangle cancel each other
    np.testing.assert_array_equal(vertex_normals(vertices, faces), np.zeros((4, 3)))
    np.testing.assert_array_equal(smooth_normals(vertices, faces), np.tile([0, 1, 0], (4, 1)))
    np.testing.assert_allclose(unit(np.float32([[0, 0, -3], [3, 4, 0]])), [[0, 0, -1], [0.6, 0.8, 0]])
