"""What a sample says of shapes whose surface is known: depth, cover, normals, signed distance, surface points."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import igl
import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from tests.training.shapes import placed_shape
from training.cache import EXTERIOR_POINTS, POINT_STEP, SIZE, enclosed, exterior, make_sample, signed_distance
from training.held_out import render
from training.render import pixel_rays, sphere_directions

CAMERA = 3.0  # crop units
FACET = 4e-3  # crop units: how far the meshes are from the shapes they stand for, and rounding
AXES = np.array([0.3, 0.7, 0.2])


@dataclass(frozen=True)
class Shape:
    mesh: trimesh.Trimesh
    distance: Callable[[np.ndarray], np.ndarray]  # (N, 3) -> signed distance (N,), outside positive


def ball(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points, axis=1) - 0.5


def capsule(points: np.ndarray) -> np.ndarray:
    axis = np.zeros_like(points)
    axis[:, 1] = np.clip(points[:, 1], -0.4, 0.4)
    return np.linalg.norm(points - axis, axis=1) - 0.2


@cache
def on_ellipsoid() -> cKDTree:
    return cKDTree(sphere_directions(100_000) * AXES)  # less than 0.01 apart


def ellipsoid(points: np.ndarray) -> np.ndarray:
    away, nearest = on_ellipsoid().query(points)
    normal = on_ellipsoid().data[nearest] / AXES**2
    plane = np.abs(((points - on_ellipsoid().data[nearest]) * normal).sum(1)) / np.linalg.norm(normal, axis=1)
    size = np.where(away < 0.02, plane, away)
    return np.where(((points / AXES) ** 2).sum(1) < 1, -size, size)


def upright_capsule() -> trimesh.Trimesh:
    mesh = trimesh.creation.capsule(height=0.8, radius=0.2, count=[48, 48])
    return mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))


SHAPES = {
    "ball": Shape(trimesh.creation.icosphere(subdivisions=5, radius=0.5), ball),
    "ellipsoid": Shape(trimesh.creation.icosphere(subdivisions=5).apply_scale(AXES), ellipsoid),
    "capsule": Shape(upright_capsule(), capsule),
}


@pytest.fixture(scope="module", params=SHAPES)
def seen(request) -> tuple[Shape, dict[str, np.ndarray]]:
    shape = SHAPES[request.param]
    return shape, render(placed_shape(shape.mesh, CAMERA), 0)


def on_ray(z: np.ndarray) -> np.ndarray:
    """Points (SIZE * SIZE, 3) at depth ``z`` (SIZE, SIZE) along the rays of all pixels."""
    plane, direction = pixel_rays(SIZE, CAMERA, (0, 0, SIZE, SIZE))
    return plane + direction * (z.reshape(-1, 1) / direction[:, 2:])


def gradient(distance: Callable[[np.ndarray], np.ndarray], points: np.ndarray) -> np.ndarray:
    steps = np.eye(3) * 0.02
    slope = np.stack([distance(points + step) - distance(points - step) for step in steps], 1)
    return slope / np.linalg.norm(slope, axis=1, keepdims=True)


def test_depth_is_that_of_the_first_and_last_surface_along_the_ray(seen):
    shape, sample = seen
    hit = sample["hit"].reshape(-1)
    for name, towards in (("front", 1), ("back", -1)):
        z = sample[name].astype(np.float64)
        assert np.abs(shape.distance(on_ray(z)[hit])).max() < FACET
        for step in (0.02, 0.05, 0.2):  # nothing lies before it
            assert shape.distance(on_ray(z + towards * step)[hit]).min() > -FACET
    thick = (sample["front"] > sample["back"].astype(np.float64) + 0.1).reshape(-1) & hit
    middle = on_ray((sample["front"].astype(np.float64) + sample["back"]) / 2)
    assert thick.any() and shape.distance(middle[thick]).max() < 0


def test_cover_is_that_of_the_outline(seen):
    shape, sample = seen
    pixels = np.random.default_rng(0).choice(SIZE * SIZE, 800, replace=False)
    rays = on_ray(np.ones((SIZE, SIZE)))[pixels] - on_ray(np.zeros((SIZE, SIZE)))[pixels]
    start = on_ray(np.zeros((SIZE, SIZE)))[pixels]
    nearest = np.min([shape.distance(start + rays * z) for z in np.linspace(-0.6, 0.6, 41)], 0)
    alpha, hit = sample["alpha"].reshape(-1)[pixels], sample["hit"].reshape(-1)[pixels]
    beside, within = nearest > 0.02, nearest < -0.02  # more than a pixel and what lies between the depths
    assert (alpha[beside] == 0).all() and not hit[beside].any()
    assert (alpha[within] == 255).all() and hit[within].all() and within.sum() > 20


def test_normals_point_out_and_towards_the_viewer(seen):
    shape, sample = seen
    hit = sample["hit"].reshape(-1)
    for depth, normal in (("front", "normal"), ("back", "normal_back")):
        wanted = gradient(shape.distance, on_ray(sample[depth].astype(np.float64))[hit])
        got = sample[normal].reshape(-1, 3)[hit] / 127.0
        cosine = (wanted * got).sum(1)
        assert np.quantile(cosine, 0.01) > 0.97 and cosine.mean() > 0.995


def test_signed_distance_has_the_right_side_and_size(seen):
    shape, sample = seen
    wanted = shape.distance(sample["points"].astype(np.float64))
    clear = np.abs(wanted) > FACET
    assert (np.sign(sample["distance"]) == np.sign(wanted))[clear].all()
    assert np.abs(sample["distance"] - wanted).mean() < FACET / 2
    assert np.abs(sample["distance"] - wanted).max() < 0.02
    assert (wanted < 0).mean() > 0.1  # there are points on both sides
    assert (np.abs(wanted) < 0.03).mean() > 0.2 and wanted.max() > 0.4


def test_surface_points_lie_on_the_surface_all_around(seen):
    shape, sample = seen
    assert np.abs(shape.distance(sample["surface"].astype(np.float64))).max() < FACET
    wanted = gradient(shape.distance, sample["surface"].astype(np.float64))
    assert (wanted * sample["surface_normal"]).sum(1).mean() > 0.995
    assert np.abs(sample["surface_normal"].mean(0)).max() < 0.05  # as many on every side


def sheet(width: float, height: float, at: tuple[float, float, float]) -> trimesh.Trimesh:
    """An open rectangle that faces the camera."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * [width / 2, height / 2, 0] + at
    return trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)


def tube(radius: float, low: float, high: float) -> trimesh.Trimesh:
    """An open cylinder about the y axis, facing outwards."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    ring = np.stack([np.sin(turn) * radius, np.zeros(64), np.cos(turn) * radius], 1)
    k = np.arange(64)
    right = (k + 1) % 64
    faces = np.concatenate([np.stack([k, right, right + 64], 1), np.stack([k, right + 64, k + 64], 1)])
    return trimesh.Trimesh(np.concatenate([ring + [0, low, 0], ring + [0, high, 0]]), faces, process=False)


def field(*meshes: trimesh.Trimesh) -> Callable[[list[list[float]]], np.ndarray]:
    scene = placed_shape(trimesh.util.concatenate(meshes), CAMERA).scene()
    outer = exterior(scene, np.random.default_rng(0), EXTERIOR_POINTS)
    return lambda points: signed_distance(scene, outer, np.array(points, np.float64))


def test_an_open_sheet_has_no_inside():
    """A hair card beside a head: both its sides are outside, as near as they are; the head stays what it was."""
    distance = field(SHAPES["ball"].mesh, sheet(0.4, 0.6, (0.9, 0.0, 0.0)))
    np.testing.assert_allclose(distance([[0.9, 0, 0.06], [0.9, 0.1, -0.06]]), 0.06, atol=0.01)
    np.testing.assert_allclose(distance([[0, 0, 0.4], [0, 0, 0.6]]), [-0.1, 0.1], atol=0.01)


def test_a_shell_beneath_another_does_not_count():
    """A body under closed clothes: all within is inside, and as deep as the outer surface is far."""
    body = trimesh.creation.icosphere(subdivisions=4, radius=0.42)
    distance = field(SHAPES["ball"].mesh, body)
    np.testing.assert_allclose(distance([[0, 0, 0.46], [0, 0.41, 0], [0.3, 0, 0]]), [-0.04, -0.09, -0.2], atol=0.01)
    sample = make_sample(
        placed_shape(trimesh.util.concatenate([SHAPES["ball"].mesh, body]), CAMERA), np.random.default_rng(0)
    )
    assert np.abs(ball(sample["surface"] / 8192)).max() < FACET


def test_a_thin_double_sheet_is_inside_between_its_sides():
    """Cloth modelled with both its sides: solid between them, outside on either side."""
    front, back = sheet(0.6, 0.6, (0, 0, 0.02)), sheet(0.6, 0.6, (0, 0, -0.02))
    back.invert()
    distance = field(front, back)
    np.testing.assert_allclose(distance([[0, 0, 0], [0, 0, 0.06], [0, 0, -0.06]]), [-0.02, 0.04, 0.04], atol=0.006)


def test_an_open_garment_is_filled_up_to_its_rim():
    """A sleeve around an arm: what lies between is inside, up to the sleeve; beyond the rim only the arm is."""
    distance = field(SHAPES["capsule"].mesh, tube(0.22, -0.2, 0.2))
    inside = distance([[0.21, 0, 0], [0, 0.1, 0.205], [0.1, 0, 0.1]])
    np.testing.assert_allclose(inside, [-0.01, -0.015, -(0.22 - 0.02**0.5)], atol=0.012)
    beyond = distance([[0.21, 0.4, 0], [0, -0.38, 0.24], [0.1, 0.4, 0]])
    np.testing.assert_allclose(beyond, [0.01, 0.04, -0.1], atol=0.012)
    assert distance([[0.28, 0, 0]])[0] == pytest.approx(0.06, abs=0.01)


def test_a_mouth_is_solid_for_a_head_and_air_for_a_person():
    """A ball with a hollow in it that a narrow channel joins with the air: no ray but through the channel gets out."""
    ball_mesh = trimesh.creation.icosphere(subdivisions=4, radius=0.6)
    hollow = trimesh.creation.icosphere(subdivisions=3, radius=0.3)
    hollow.invert()
    mesh = trimesh.util.concatenate([ball_mesh, hollow])
    towards = ball_mesh.triangles_center / np.linalg.norm(ball_mesh.triangles_center, axis=1, keepdims=True)
    channel = np.concatenate([towards @ [0, 0, 1] > 0.995, np.zeros(len(hollow.faces), bool)])
    inner = hollow.triangles_center / np.linalg.norm(hollow.triangles_center, axis=1, keepdims=True)
    channel[len(ball_mesh.faces) :] = inner @ [0, 0, 1] > 0.98
    mesh.update_faces(~channel)
    placed = placed_shape(mesh, CAMERA)
    points = np.concatenate([sphere_directions(60) * 0.15, sphere_directions(60) * 0.45, sphere_directions(60) * 0.75])
    told = enclosed(placed.scene(), points)
    assert told[:60].all() and told[60:120].all() and not told[120:].any()
    for head in (True, False):
        sample = make_sample(placed, np.random.default_rng(0), 64, head=head)
        away = np.linalg.norm(sample["points"] * POINT_STEP, axis=1)
        assert (sample["distance"][away < 0.2] < 0).mean() == head


def test_depth_agrees_with_another_ray_caster():
    """Triangle by triangle (Moeller and Trumbore, as in libigl), on shapes that hide each other."""
    meshes = [SHAPES["capsule"].mesh, tube(0.3, -0.2, 0.2), sheet(0.3, 0.3, (0.1, 0.5, 0.4))]
    mesh = trimesh.util.concatenate(meshes)
    sample = render(placed_shape(mesh, CAMERA), 0)
    plane, direction = pixel_rays(SIZE, CAMERA, (0, 0, SIZE, SIZE))
    pixels = np.random.default_rng(0).choice(np.flatnonzero(sample["hit"]), 60, replace=False)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64)
    for pixel in pixels:
        for name, way in (("front", 1), ("back", -1)):
            start = plane[pixel] - way * direction[pixel] * 2.5
            found = igl.ray_mesh_intersect(start, way * direction[pixel], vertices, faces)
            z = start[2] + way * direction[pixel, 2] * min(hit[1] for hit in found)  # (triangle, distance, u, v)
            assert sample[name].reshape(-1)[pixel] == pytest.approx(z, abs=1e-3)
