"""Ray casting, radiance transfer and signed distance against shapes with a known answer."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from training.cache import signed_distance, surface_centre
from training.light import Environment, disc_lamp, shade
from training.render import Hits, Scene, pixel_rays, sphere_directions, vertex_normals, visibility
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


def test_a_moved_scene_answers_like_one_made_there():
    """Twice moved: positions, normals, sides and shadows are those of a scene that is built where it went."""
    mesh = trimesh.creation.box([0.4, 1.2, 0.3]).subdivide().subdivide()
    faces, uv, grey = np.asarray(mesh.faces, np.int32), np.zeros((1, 2), np.float32), np.full((2, 2, 4), 128, np.uint8)
    rest = (faces, uv, np.zeros_like(faces), np.zeros(len(faces), int), (grey,))
    scene, vertices = Scene(mesh.vertices, *rest), np.asarray(mesh.vertices)
    for turn, scale in (([10, 40, -20], 0.7), ([-60, 5, 120], 1.9)):
        vertices = vertices @ Rotation.from_euler("xyz", turn, degrees=True).as_matrix().T * scale + [0.1, -0.2, 0.3]
        scene = scene.moved(vertices)
    built = Scene(vertices, *rest)
    plane, direction = pixel_rays(96, 4.0, (0, 0, 96, 96))
    rays = plane - direction * 3, direction
    moved, wanted = scene.cast(*rays), built.cast(*rays)
    both = moved.hit & wanted.hit & (moved.face == wanted.face)
    assert both.sum() > 0.99 * np.count_nonzero(moved.hit | wanted.hit) > 1000
    for name in ("position", "normal"):
        np.testing.assert_allclose(getattr(moved, name)[both], getattr(wanted, name)[both], atol=2e-4)
    assert (scene.occluded(*rays) == built.occluded(*rays)).mean() > 0.999
    np.testing.assert_allclose(scene.face_normals, built.face_normals, atol=1e-6)


def test_in_the_open_half_the_sky_is_seen(sphere):
    """A convex body hides nothing above its tangent planes, and all that is below."""
    normal = sphere_directions(50)
    directions = sphere_directions(256)
    seen = np.unpackbits(visibility(sphere, normal * RADIUS, normal, directions), axis=1)
    np.testing.assert_array_equal(seen, normal @ directions.T > 0.02)


def test_a_wall_shadows(sphere):
    """Below the sphere, which covers a cap of the sky: its share, by the cosine, is sin^2 of its half angle."""
    at, normal, directions = np.array([[0, 0, -0.704]]), np.array([[0, 0, 1.0]]), sphere_directions(2000)
    sky = Environment(np.ones((64, 128, 3), np.float32)).light
    shading = shade(sky, normal, visibility(sphere, at, normal, directions), directions)
    assert shading == pytest.approx(1 - (RADIUS / 0.7) ** 2, abs=0.02)


@pytest.mark.parametrize("turn", [0.0, 0.005, 0.25, 0.7])
def test_a_map_turns_by_as_much_as_it_is_told(turn):
    """A small lamp is behind the person when the map is not turned, to the right at a quarter."""
    lamp = np.zeros((384, 768, 3), np.float32)
    lamp[190:194, 380:388] = 1
    light = Environment(lamp).light.turned(turn)
    right, up, near = light.colour[:, 0] @ light.direction
    found = np.arctan2(right, -near) / (2 * np.pi)
    assert (found - turn + 0.5) % 1 - 0.5 == pytest.approx(0, abs=1e-3)
    assert abs(up) < 0.02 * np.hypot(right, near)


@pytest.mark.parametrize("radius", [0.0, 20.0, 40.0])
def test_a_drawn_lamp_is_round_and_shades_by_the_cosine(radius):
    direction = np.array([0.0, 0.6, 0.8])
    lamp = disc_lamp(direction, radius)
    np.testing.assert_allclose(np.linalg.norm(lamp.direction, axis=1), 1, atol=1e-6)
    away = np.degrees(np.arccos(np.clip(lamp.direction @ direction, -1, 1)))
    assert 0.9 * radius - 1e-3 <= away.max() <= radius + 0.1
    facing, beside, behind = lamp.shading(np.array([direction, [1, 0, 0], -direction]))[:, 0]
    assert facing == pytest.approx((1 + np.cos(np.radians(radius))) / 2, abs=0.01)  # the mean cosine over the disc
    assert behind == 0
    assert beside < 0.5 * np.sin(np.radians(radius)) + 1e-4


def test_light_adds_up_and_is_made_even():
    lamps = disc_lamp(np.array([0.0, 1, 0]), 0.0).times(3) + disc_lamp(np.array([1.0, 0, 0]), 0.0).times([1, 0, 0])
    np.testing.assert_allclose(lamps.shading(np.array([[0, 1.0, 0]])), 3, atol=1e-3)
    np.testing.assert_allclose(lamps.shading(np.array([[1.0, 0, 0]])), [[1, 0, 0]], atol=1e-3)
    assert lamps.even().colour.sum(0).mean() == pytest.approx(1)
    np.testing.assert_allclose(lamps.vectors(sphere_directions(64)).sum(-1)[:, :2], [[1, 3], [0, 3], [0, 3]], atol=1e-3)


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
