"""Ray casting, radiance transfer and signed distance against shapes with a known answer."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from training.cache import signed_distance, surface_centre
from training.light import directional_light, environment_sh, sh_basis
from training.render import Hits, Scene, pixel_rays, radiance_transfer, sphere_directions, vertex_normals
from training.retarget import JOINTS, swing

RADIUS = 0.5


@pytest.fixture(scope="module")
def sphere():
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    faces = np.asarray(mesh.faces, np.int32)
    red = np.tile(np.array([200, 10, 20, 255], np.uint8), (4, 4, 1))
    uv, material = np.zeros((1, 2), np.float32), np.zeros(len(faces), int)
    return Scene(mesh.vertices, faces, uv, np.zeros_like(faces), material, (red,))


def test_front_and_back_depth_of_a_sphere(sphere):
    plane, direction = pixel_rays(64, 4.0, (0, 0, 64, 64))
    front = sphere.cast(plane - direction * 3, direction)
    back = sphere.cast(plane + direction * 3, -direction)
    middle = front.hit.reshape(64, 64)[31:33, 31:33]
    assert middle.all()
    centre = np.ravel_multi_index((32, 32), (64, 64))
    assert front.position[centre, 2] == pytest.approx(RADIUS, abs=2e-3)
    assert back.position[centre, 2] == pytest.approx(-RADIUS, abs=2e-3)
    np.testing.assert_allclose(np.linalg.norm(front.position[front.hit], axis=1), RADIUS, atol=2e-3)
    assert (front.albedo[front.hit] == [200, 10, 20]).all()
    outward = (front.normal * front.position).sum(1)[front.hit] / RADIUS
    assert outward.min() > 0.98


def test_the_outline_follows_the_perspective(sphere):
    """A sphere at distance D is seen under asin(r / D): its radius on the plane z = 0 is D tan of that."""
    distance = 2.0
    plane, direction = pixel_rays(256, distance, (0, 0, 256, 256))
    hit = sphere.cast(plane - direction * 1.2, direction).hit
    expected = distance * np.tan(np.arcsin(RADIUS / distance))
    assert np.sqrt(hit.mean() * 4 / np.pi) == pytest.approx(expected, rel=5e-3)


def test_cut_out_cards_let_rays_through(sphere):
    card = np.array([[-1, -1, 0.8], [1, -1, 0.8], [1, 1, 0.8], [-1, 1, 0.8]], np.float32)
    vertices = np.concatenate([card, sphere.vertices])
    faces = np.concatenate([[[0, 1, 2], [0, 2, 3]], sphere.faces + 4]).astype(np.int32)
    material = np.r_[0, 0, np.ones(len(sphere.faces), int)]
    clear = np.zeros((2, 2, 4), np.uint8)
    scene = Scene(
        vertices, faces, np.zeros((1, 2), np.float32), np.zeros_like(faces), material, (clear, sphere.textures[0])
    )
    hits = scene.cast(np.array([[0, 0, 3.0], [0.9, 0.9, 3.0]]), np.array([[0, 0, -1.0], [0, 0, -1.0]]))
    assert hits.hit.tolist() == [True, False]
    assert hits.position[0, 2] == pytest.approx(RADIUS, abs=2e-3)


def test_transfer_in_the_open_is_the_clamped_cosine(sphere):
    """A convex body shades by the known harmonics of the clamped cosine: 1, 2/3 and 1/4 (over pi: Ramamoorthi 2001)."""
    normal = sphere_directions(50)
    transfer = radiance_transfer(sphere, normal * (RADIUS + 0.01), normal, sphere_directions(2000))
    expected = sh_basis(normal) * np.array([1, *[2 / 3] * 3, *[1 / 4] * 5])
    np.testing.assert_allclose(transfer, expected, atol=0.02)


def test_a_wall_shadows(sphere):
    normal = np.array([[0, 0, 1.0]])
    beside = np.array([[0, 0, -2.0]])  # below the sphere, which covers part of its sky
    open_sky = radiance_transfer(sphere, beside - [0, 0, 50], normal, sphere_directions(2000))[0, 0]
    shadowed = radiance_transfer(sphere, beside + [0, 0, 1.4], normal, sphere_directions(2000))[0, 0]
    share = (RADIUS / 0.604) ** 2  # sin^2 of the cap's half angle: the cosine-weighted sky that the sphere covers
    assert shadowed / open_sky == pytest.approx(1 - share, abs=0.06)


@pytest.mark.parametrize("turn", [0.0, 0.005, 0.25, 0.7])
def test_a_map_turns_by_as_much_as_it_is_told(turn):
    """The first band of a small lamp points to it: behind the person when not turned, to the right at a quarter."""
    lamp = np.zeros((384, 768, 3), np.float32)
    lamp[190:194, 380:388] = 1
    _, up, away, right = environment_sh(lamp, turn)[:4, 0]
    found = np.arctan2(right, -away) / (2 * np.pi)
    assert (found - turn + 0.5) % 1 - 0.5 == pytest.approx(0, abs=1e-3)
    assert abs(up) < 0.02 * np.hypot(right, away)


def test_directional_light_shades_by_the_cosine():
    """Two bands more than half right: the harmonics of a light of unit irradiance give about 1 where it falls in."""
    direction = np.array([0.0, 0.6, 0.8])
    light = directional_light(direction, 0.0)
    cosine = np.array([1, *[2 / 3] * 3, *[1 / 4] * 5])
    facing = sh_basis(direction[None]) * cosine @ light
    away = sh_basis(-direction[None]) * cosine @ light
    assert facing[0] == pytest.approx(1.0, abs=0.08)
    assert abs(away[0]) < 0.1


def test_signed_distance_of_a_sphere(sphere):
    rng = np.random.default_rng(0)
    on = sphere_directions(20_000) * RADIUS
    outer = Hits(np.ones(len(on), bool), on, on / RADIUS, np.zeros((len(on), 3), np.uint8), np.zeros(len(on), int))
    points = rng.uniform(-1, 1, (500, 3))
    expected = np.linalg.norm(points, axis=1) - RADIUS
    np.testing.assert_allclose(signed_distance(sphere, outer, points), expected, atol=4e-3)


def test_vertex_normals_and_centre(sphere):
    np.testing.assert_allclose(vertex_normals(sphere.vertices, sphere.faces), sphere.vertices / RADIUS, atol=1e-2)
    np.testing.assert_allclose(surface_centre(sphere.vertices + [1, 2, 3], sphere.faces), [1, 2, 3], atol=1e-4)


unit = st.tuples(*[st.floats(-1, 1, allow_subnormal=False)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)


@settings(max_examples=200, deadline=None)
@given(unit, unit)
def test_swing_takes_one_direction_to_the_other(a, b):
    a, b = np.array(a), np.array(b)
    rotation = swing(a, b)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(rotation @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-6)


def test_opposite_directions_swing_half_a_turn():
    np.testing.assert_allclose(swing(np.array([0, 0, 1.0]), np.array([0, 0, -1.0])) @ [0, 0, 1], [0, 0, -1], atol=1e-9)


def test_all_joints_are_named_once():
    assert len(JOINTS) == len(set(JOINTS)) == 22
