"""The coarse-to-fine surface against a dense evaluation of the same grid, and its guarantees on hard fields."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from phorhum_blender.engine import surface
from phorhum_blender.engine.errors import Cancelled, UserError
from phorhum_blender.engine.surface import Surface, extract_surface

BOUNDS = np.array([[-1.0, -1.0, -0.75], [1.0, 1.0, 0.75]])


def sphere(centre, radius):
    return lambda p: (np.linalg.norm(p - np.float32(centre), axis=1) - np.float32(radius)).astype(np.float32)


def capsule(start, end, radius):
    start, end = np.float32(start), np.float32(end)
    axis = end - start

    def field(p):
        along = np.clip(((p - start) * axis).sum(axis=1) / (axis @ axis), 0, 1)
        return (np.linalg.norm(p - start - along[:, None] * axis, axis=1) - np.float32(radius)).astype(np.float32)

    return field


def box(half):
    def field(p):
        q = np.abs(p) - np.float32(half)
        return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(axis=1), 0)

    return field


def union(*parts):
    return lambda p: np.min([part(p) for part in parts], axis=0)


PERSON = union(
    capsule((0, -0.05, 0), (0, 0.45, 0), 0.14),
    capsule((0, 0.45, 0), (0, 0.72, 0), 0.07),
    sphere((0, 0.75, 0.02), 0.11),
    capsule((-0.09, -0.1, 0), (-0.15, -0.85, 0), 0.06),
    capsule((0.09, -0.1, 0), (0.15, -0.85, 0), 0.06),
    capsule((-0.15, 0.42, 0), (-0.55, 0.05, 0.2), 0.035),
    capsule((0.15, 0.42, 0), (0.55, 0.05, 0.2), 0.035),
)

SHAPES = {
    "sphere": sphere((0.05, 0.02, -0.03), 0.6),
    "thin rod": capsule((-0.8, -0.7, -0.5), (0.7, 0.8, 0.6), 0.02),
    "thin sheet": box((0.7, 0.8, 0.018)),
    "two near spheres": union(sphere((-0.33, 0, 0), 0.3), sphere((0.31, 0.05, 0), 0.32)),
    "person": PERSON,
    "cut at the bounds": sphere((0.6, -0.7, 0.3), 0.7),
    "shell with a bubble": lambda p: np.abs(sphere((0, 0, 0), 0.5)(p)) - np.float32(0.1),
}


def rough(field):
    """Not a distance any more: up to three times too steep, cut off far away, bent by place."""

    def distorted(p):
        slope = 1.25 + 0.75 * np.abs(p[:, 0]) + 0.5 * np.abs(p[:, 1])
        return np.clip(field(p) * slope, -0.2, 0.3).astype(np.float32)

    return distorted


class Counted:
    def __init__(self, field):
        self.field = field
        self.calls = []

    def __call__(self, p):
        assert p.dtype == np.float32 and p.ndim == 2 and p.shape[1] == 3
        self.calls.append(p.copy())
        return self.field(p)

    @property
    def points(self) -> int:
        return sum(len(p) for p in self.calls)

    @property
    def largest_call(self) -> int:
        return max(len(p) for p in self.calls)


def dense_surface(monkeypatch, field, resolution, bounds=BOUNDS) -> Surface:
    with monkeypatch.context() as patch:
        patch.setattr(surface, "COARSE_CELLS", 10**6)  # the coarsest level is the finest
        return extract_surface(field, bounds, resolution)


def moved(field, seed):
    """``field`` turned and shifted by chance, the same for a seed."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.standard_normal((3, 3)))
    shift = random.uniform(-0.05, 0.05, 3)
    return lambda p: field(((p - shift) @ turn).astype(np.float32))


def volume_of(mesh: Surface) -> float:
    a, b, c = np.moveaxis(mesh.vertices.astype(np.float64)[mesh.faces], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def assert_sound(mesh: Surface) -> None:
    """Closed, consistently oriented outwards, one piece, no face without area, no vertex without a face."""
    assert mesh.vertices.dtype == np.float32 and mesh.faces.dtype == np.int32
    directed = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]).astype(np.int64)
    count = len(mesh.vertices)
    keys = np.sort(directed[:, 0] * count + directed[:, 1])
    assert np.all(np.diff(keys) > 0), "an edge is used twice in one direction"
    assert np.array_equal(keys, np.sort(directed[:, 1] * count + directed[:, 0])), "an edge has one face only"
    links = coo_array((np.ones(len(directed)), (directed[:, 0], directed[:, 1])), shape=(count, count))
    assert connected_components(links, directed=False)[0] == 1
    a, b, c = np.moveaxis(mesh.vertices.astype(np.float64)[mesh.faces], 1, 0)
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 0
    assert volume_of(mesh) > 0


@pytest.mark.parametrize("resolution", [64, 101])
@pytest.mark.parametrize("name", SHAPES)
def test_equals_dense_evaluation(monkeypatch, name, resolution):
    counted = Counted(SHAPES[name])
    mesh = extract_surface(counted, BOUNDS, resolution, chunk=3000)
    dense = dense_surface(monkeypatch, SHAPES[name], resolution)
    assert np.array_equal(mesh.faces, dense.faces)
    assert np.array_equal(mesh.vertices, dense.vertices)
    assert_sound(mesh)
    assert counted.largest_call <= 3000


@pytest.mark.parametrize("name", SHAPES)
def test_equals_dense_evaluation_of_a_rough_field(monkeypatch, name):
    field = rough(SHAPES[name])
    mesh = extract_surface(field, BOUNDS, 96)
    dense = dense_surface(monkeypatch, field, 96)
    assert np.array_equal(mesh.faces, dense.faces)
    assert np.array_equal(mesh.vertices, dense.vertices)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [0.5, 1.0])  # cells: half of a thickness, or a gap
@pytest.mark.parametrize("shape", ["rod", "sheet", "near spheres"])
def test_equals_dense_evaluation_where_it_is_as_thin_as_a_cell(monkeypatch, shape, size, seed):
    resolution = 96
    size *= 2 / resolution
    thin = {
        "rod": capsule((-0.5, 0, 0), (0.5, 0, 0), size),
        "sheet": box((0.4, 0.4, size)),
        "near spheres": union(sphere((-0.3, 0, 0), 0.3), sphere((0.3 + size, 0, 0), 0.3)),
    }
    field = moved(thin[shape], seed)
    mesh = extract_surface(field, BOUNDS, resolution)
    dense = dense_surface(monkeypatch, field, resolution)
    assert np.array_equal(mesh.faces, dense.faces)
    assert np.array_equal(mesh.vertices, dense.vertices)


def crop_of_a_figure(size):
    """(size, size, 4) float32: a figure before grey, and its mask."""
    picture = Image.new("RGBA", (256, 256), (128, 128, 128, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((114, 22, 142, 58), fill=(214, 170, 140, 255))
    draw.rounded_rectangle((98, 60, 158, 150), 14, fill=(60, 90, 160, 255))
    draw.line((100, 68, 66, 128), fill=(214, 170, 140, 255), width=12)
    draw.line((156, 68, 186, 130), fill=(214, 170, 140, 255), width=12)
    draw.rounded_rectangle((102, 146, 125, 234), 8, fill=(50, 50, 60, 255))
    draw.rounded_rectangle((131, 146, 154, 234), 8, fill=(40, 40, 50, 255))
    return np.asarray(picture.resize((size, size)), np.float32) / 255


def test_the_trained_networks_cells_are_those_of_dense_evaluation(monkeypatch):
    torch = pytest.importorskip("torch")
    from phorhum_blender.engine import reconstruct
    from phorhum_blender.engine.camera import CropSquare

    network = reconstruct.Reconstructor(threads=2)
    with torch.inference_mode():
        crop = crop_of_a_figure(network.model.config.image_size)
        encoded = network.with_head(network.encode_crop(crop, CropSquare(0, 0, 2), 4.0), crop_of_a_figure(256))
        assert encoded.head
        bounds = network.bounds(encoded)
        mesh = extract_surface(lambda p: network.distances(encoded, p), bounds, 64)
        monkeypatch.setattr(reconstruct, "WELL_OUTSIDE", np.inf)  # f is asked everywhere
        dense = dense_surface(monkeypatch, lambda p: network.distances(encoded, p), 64, bounds)
    assert np.array_equal(mesh.faces, dense.faces)
    np.testing.assert_allclose(mesh.vertices, dense.vertices, rtol=0, atol=1e-5)  # sums are rounded by the batch


def test_follows_a_part_that_the_coarse_grids_cannot_see(monkeypatch):
    # the rod runs along nodes that only the finest grid has, and its distance is overestimated all around it, so that
    # nothing but the surface itself leads along it, out of the box around the body
    cell = 2 / 128
    x, z = -1 + 71 * cell, -0.75 + 51 * cell
    body, rod = sphere((0, 0, 0), 0.3), capsule((x, 0, z), (x, 0.8, z), 0.9 * cell)

    def field(p):
        distance = rod(p)
        return np.minimum(body(p), np.where(distance > 0, distance + np.float32(0.5), distance))

    counted = Counted(field)
    mesh = extract_surface(counted, BOUNDS, 128)
    dense = dense_surface(monkeypatch, field, 128)
    assert np.array_equal(mesh.faces, dense.faces)
    assert np.array_equal(mesh.vertices, dense.vertices)
    assert mesh.vertices[:, 1].max() > 0.8
    assert len(np.unique(np.concatenate(counted.calls), axis=0)) == counted.points


def test_finds_what_lies_between_the_nodes_of_the_coarsest_grid():
    mesh = extract_surface(sphere((0.031, 0.031, 0.031), 0.025), BOUNDS, 256)
    assert_sound(mesh)
    assert volume_of(mesh) == pytest.approx(4 / 3 * np.pi * 0.025**3, rel=0.1)


def test_asks_a_small_part_of_the_grid():
    counted = Counted(PERSON)
    extract_surface(counted, BOUNDS, 192)
    assert counted.points < 0.03 * 193 * 193 * 145


def test_asks_no_point_twice_and_none_outside():
    counted = Counted(PERSON)
    extract_surface(counted, BOUNDS, 100)
    points = np.concatenate(counted.calls)
    assert len(np.unique(points, axis=0)) == len(points)
    assert np.all(points >= BOUNDS[0].astype(np.float32)) and np.all(points <= BOUNDS[1].astype(np.float32))


def test_vertices_lie_on_the_surface():
    mesh = extract_surface(sphere((0.1, 0, 0), 0.5), BOUNDS, 80)
    cell = 2 / 80
    assert np.abs(np.linalg.norm(mesh.vertices - [0.1, 0, 0], axis=1) - 0.5).max() < 0.05 * cell


def test_agrees_with_plain_marching_cubes():
    # values near zero are moved by a hundredth of a cell, which shifts a vertex along the surface more than off it
    centre = (0.013, 0.021, 0.017)
    field = sphere(centre, 0.6)
    mesh = extract_surface(field, BOUNDS, 40)
    axes = [np.linspace(low, high, n + 1) for low, high, n in zip(*BOUNDS, (40, 40, 30), strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
    values = field(nodes.reshape(-1, 3)).reshape(nodes.shape[:3])
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(0.05, 0.05, 0.05))
    assert mesh.faces.shape == faces.shape
    shift = mesh.vertices - (vertices + BOUNDS[0])
    off_surface = (shift * (mesh.vertices - centre) / 0.6).sum(axis=1)
    assert np.abs(off_surface).max() < 0.011 * 0.05
    assert np.median(np.linalg.norm(shift, axis=1)) < 1e-6


def test_keeps_the_largest_piece_without_bubbles():
    small, large = sphere((-0.6, 0, 0), 0.25), sphere((0.4, 0, 0), 0.4)
    bubble = sphere((0.4, 0, 0), 0.2)
    mesh = extract_surface(lambda p: np.maximum(union(small, large)(p), -bubble(p)), BOUNDS, 64)
    assert_sound(mesh)
    assert mesh.vertices[:, 0].min() > -0.01
    assert volume_of(mesh) == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.01)


def test_closed_within_the_bounds_when_all_is_inside():
    mesh = extract_surface(lambda p: np.full(len(p), -1, np.float32), BOUNDS, 40)
    assert_sound(mesh)
    assert np.all(mesh.vertices > BOUNDS[0]) and np.all(mesh.vertices < BOUNDS[1])
    assert volume_of(mesh) == pytest.approx(np.prod(BOUNDS[1] - BOUNDS[0]), rel=0.2)


def test_surface_through_the_nodes_of_the_grid():
    mesh = extract_surface(box((0.5, 0.25, 0.25)), BOUNDS, 64)  # every side lies on a plane of nodes: values of zero
    assert_sound(mesh)
    assert volume_of(mesh) == pytest.approx(8 * 0.5 * 0.25 * 0.25, rel=0.03)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_the_scale_of_the_field_does_not_matter_to_the_mesh(scale):
    mesh = extract_surface(lambda p: PERSON(p) * np.float32(scale), BOUNDS, 48)
    assert np.abs(mesh.vertices - extract_surface(PERSON, BOUNDS, 48).vertices).max() < 1e-5


@pytest.mark.parametrize("levels", [(-1, 1), (-2, -1, 0, 1, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_closed_on_balanced_noise(levels, seed):
    # many cell faces with exactly balanced corners, where marching cubes by itself puts four faces on one edge
    noise = np.random.default_rng(seed).choice(np.array(levels, np.float32), (25, 25, 19))

    def field(p):
        i = np.rint((p - BOUNDS[0]) / (2 / 24)).astype(int)
        return noise[tuple(i.T)]

    assert_sound(extract_surface(field, BOUNDS, 24))


@pytest.mark.parametrize("value", [1.0, 0.0, 1e-3])
def test_no_surface_is_the_users_error(value):
    with pytest.raises(UserError, match="No body surface"):
        extract_surface(lambda p: np.full(len(p), value, np.float32), BOUNDS, 64)


@pytest.mark.parametrize("bad", [lambda p: np.full(len(p), np.nan), lambda p: np.zeros((len(p), 1))])
def test_refuses_a_broken_field(bad):
    with pytest.raises(ValueError, match="one finite value"):
        extract_surface(bad, BOUNDS, 32)


@pytest.mark.parametrize(("bounds", "resolution"), [(BOUNDS, 1), (BOUNDS[::-1], 64), ([[0, 0, 0], [1, 1, np.inf]], 64)])
def test_refuses_an_impossible_grid(bounds, resolution):
    with pytest.raises(ValueError, match="no grid"):
        extract_surface(PERSON, bounds, resolution)


@pytest.mark.parametrize("when", [0.0, 0.3, 0.9, 0.999])
def test_cancelled_in_any_phase(when):
    def progress(fraction):
        if fraction >= when:
            raise Cancelled

    with pytest.raises(Cancelled):
        extract_surface(PERSON, BOUNDS, 64, progress, chunk=1000)


def test_progress_rises_to_one_and_comes_before_every_call():
    events = []

    def field(p):
        events.append("call")
        return PERSON(p)

    extract_surface(field, BOUNDS, 64, events.append, chunk=2000)
    fractions = [event for event in events if event != "call"]
    assert fractions[0] == 0 and fractions[-1] == 1 and np.all(np.diff(fractions) >= 0)
    calls = [i for i, event in enumerate(events) if event == "call"]
    assert len(calls) > 10 and all(events[i - 1] != "call" for i in calls)


def test_same_bytes_every_time():
    first, second = (extract_surface(PERSON, BOUNDS, 80, chunk=chunk) for chunk in (500, 8192))
    assert first.vertices.tobytes() == second.vertices.tobytes()
    assert first.faces.tobytes() == second.faces.tobytes()


@settings(max_examples=25, deadline=None)
@given(
    radii=st.tuples(*[st.floats(0.15, 0.55)] * 3),
    centre=st.tuples(*[st.floats(-0.15, 0.15, allow_subnormal=False)] * 3),
    turn=st.floats(0, np.pi, allow_subnormal=False),
    resolution=st.integers(33, 80),
)
def test_ellipsoids(radii, centre, turn, resolution):
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)

    def field(p):  # grows at most as fast as a distance, at least by the ratio of the radii
        scaled = np.linalg.norm((p - np.float32(centre)) @ rotation / np.float32(radii), axis=1)
        return (scaled - 1) * np.float32(min(radii))

    mesh = extract_surface(field, BOUNDS, resolution)
    assert_sound(mesh)
    cells = min(radii) / (2 / resolution)
    assert volume_of(mesh) == pytest.approx(4 / 3 * np.pi * np.prod(radii), rel=2 / cells**2)
