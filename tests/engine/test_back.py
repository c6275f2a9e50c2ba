"""Front and back on a person of capsules, whose colour, light and pose are known."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

cv2 = pytest.importorskip("cv2")

from phorhum_blender.engine import back, person  # noqa: E402
from phorhum_blender.engine.back import LEAST_OVERLAP, BackView, about_face, add_back_photo, aligned  # noqa: E402
from phorhum_blender.engine.camera import unproject  # noqa: E402
from phorhum_blender.engine.colour import linear_to_srgb  # noqa: E402
from phorhum_blender.engine.contracts import Request  # noqa: E402
from phorhum_blender.engine.detail import Appearance, depth_map, facing, projected, sample  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from phorhum_blender.engine.reconstruct import Reconstructor  # noqa: E402
from phorhum_blender.engine.refinement import unit, vertex_normals  # noqa: E402
from phorhum_blender.engine.surface import extract_surface  # noqa: E402

CELLS, SIZE, DISTANCE = 96, 320, 4.0
BOUNDS = np.array([[-0.9, -0.9, -0.3], [0.9, 0.9, 0.3]])
MAGENTA = np.array([1.0, 0.0, 1.0], np.float32)
LIGHT = np.array([0.5, 0.4, -np.sqrt(1 - 0.41)])  # from behind
WRONG = np.array([0.2, 0.2, 0.25], np.float32)  # what the network guesses of the back


def capsules(arms):
    """Ends and radii of the person's parts; the arms hang ``arms`` degrees from the body."""
    along = np.array([np.sin(np.radians(arms)), -np.cos(np.radians(arms)), 0])
    shoulder = np.array([0.2, 0.42, 0])
    mirror = np.array([-1, 1, 1])
    sides = [(shoulder, shoulder + 0.55 * along, 0.06), (np.array([0.1, -0.1, 0]), np.array([0.12, -0.76, 0]), 0.08)]
    return [
        (np.array([0, 0.05, 0]), np.array([0, 0.36, 0]), 0.17),
        (np.array([0, 0.68, 0]), np.array([0, 0.71, 0]), 0.11),
        (np.array([0, 0.4, 0]), np.array([0, 0.65, 0]), 0.06),
        *sides,
        *((a * mirror, b * mirror, radius) for a, b, radius in sides),
    ]


def field_of(arms):
    """Signed distance of the person of :func:`capsules`."""

    def field(points):
        nearest = np.full(len(points), np.inf, np.float32)
        for a, b, radius in capsules(arms):
            t = np.clip((points - a) @ (b - a) / ((b - a) ** 2).sum(), 0, 1)[:, None]
            nearest = np.minimum(nearest, np.linalg.norm(points - a - t * (b - a), axis=1) - radius)
        return nearest.astype(np.float32)

    return field


def slope(field, points):
    """Unit gradients (N, 3) of ``field``, by finite differences."""
    steps = 0.005 * np.eye(3, dtype=np.float32)
    return unit(np.stack([field(points + step) - field(points - step) for step in steps], 1))


class Figure:
    """The person's mesh, and the photo that a camera takes of it from behind."""

    def __init__(self, arms=15.0, cells=CELLS):
        self.field = field_of(arms)
        surface = extract_surface(self.field, BOUNDS, cells)
        self.vertices, self.faces = surface.vertices, surface.faces
        self.normals = vertex_normals(self.vertices, self.faces)

    def photograph(self, albedo):
        """(SIZE, SIZE, 4) float32, encoded colour of ``albedo(points)`` before magenta, and the mask; and the linear
        albedo (SIZE / 2, SIZE / 2, 3) float32 as soft as a network sees it."""
        depth = depth_map(about_face(self.vertices), self.faces, DISTANCE, SIZE)
        there = np.isfinite(depth)
        axis = torch.from_numpy((np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE * 2 - 1)
        xy = torch.stack(torch.meshgrid(axis, -axis, indexing="xy"), -1)
        turned = unproject(xy, torch.from_numpy(np.where(there, depth, 0)), DISTANCE).numpy()
        points = about_face(turned.reshape(-1, 3)).astype(np.float32)
        shading = shading_of(slope(self.field, points))
        plain = albedo(points).astype(np.float32)
        shaded = linear_to_srgb(np.clip(plain * shading, 0, 1)).reshape(SIZE, SIZE, 3)
        colour = np.where(there[..., None], shaded, MAGENTA)
        seen = there.astype(np.float32)[..., None]
        soft = cv2.GaussianBlur(np.dstack([plain.reshape(SIZE, SIZE, 3) * seen, seen]), (0, 0), 2.0)
        soft = soft[..., :3] / np.maximum(soft[..., 3:], 1e-3)
        return np.dstack([colour, seen]).astype(np.float32), np.clip(cv2.resize(soft, (SIZE // 2,) * 2), 0, 1)

    def coloured(self, picture, own, albedo=None):
        """Albedo and overlap once the back photo was put onto the person, of whom ``WRONG`` was known."""
        albedo = np.tile(WRONG, (len(self.vertices), 1)) if albedo is None else albedo
        shading = shading_of(self.normals).astype(np.float32)
        head = np.zeros(len(albedo), np.float32)
        person = Appearance(self.vertices, self.faces, self.normals, albedo, shading, head)
        view = BackView(picture, picture[..., :3], own, DISTANCE)
        look, overlap = add_back_photo(person, lambda turned: shading_of(about_face(turned)), view, DISTANCE)
        return look.albedo[: len(albedo)], overlap


def shading_of(normals):
    return (0.4 + 0.5 * np.maximum(normals @ LIGHT, 0))[..., None] * np.array([1.05, 1.0, 0.9])


def striped(points):
    """Linear albedo: bands 0.12 units high on the back, with a spot on the left shoulder blade."""
    band = np.sin(points[:, 1:2] * np.pi / 0.12) > 0
    spot = (np.linalg.norm(points[:, :2] - [-0.07, 0.3], axis=1) < 0.05)[:, None]
    return np.where(spot, [0.05, 0.4, 0.1], np.where(band, [0.6, 0.35, 0.15], [0.5, 0.05, 0.05]))


def grey(points):
    return np.full(points.shape, 0.3)


def psnr(one, other):
    return -10 * np.log10(np.square(linear_to_srgb(one) - linear_to_srgb(other)).mean())


def magenta_in(albedo):
    """The largest difference between the channels of an albedo that ought to be grey, encoded."""
    return np.ptp(linear_to_srgb(albedo), axis=1).max()


def transformed(image, scale, shift, fill):
    """``image`` (S, S, C) enlarged about its middle and shifted (x right, y down, the picture is 2 wide)."""
    size = len(image)
    middle = (size - 1) / 2
    away = middle * (1 - scale) + np.array(shift) * size / 2
    matrix = np.array([[scale, 0, away[0]], [0, scale, away[1]]])
    return cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_CONSTANT, borderValue=fill)


@pytest.fixture(scope="module")
def figure():
    return Figure()


@pytest.fixture(scope="module")
def photo(figure):
    return figure.photograph(striped)


@pytest.fixture(scope="module")
def grey_photo(figure):
    return figure.photograph(grey)


@pytest.fixture(scope="module")
def result(figure, photo):
    return figure.coloured(*photo)


@pytest.fixture(scope="module")
def behind(figure):
    """(V,) bool: what the camera behind sees well."""
    turned = about_face(figure.vertices)
    depth = depth_map(turned, figure.faces, DISTANCE, SIZE)
    there = np.isfinite(depth).astype(np.uint8)
    inner = cv2.erode(there, np.ones((9, 9), np.uint8)).astype(np.float32)
    at = projected(turned, DISTANCE)
    near = sample(np.where(there, depth, -9).astype(np.float32)[..., None], at, "nearest")[:, 0] - turned[:, 2] < 0.02
    looks_back = facing(turned, about_face(figure.normals), DISTANCE) > 0.5
    return near & looks_back & (sample(inner[..., None], at, "nearest")[:, 0] > 0)


def test_the_back_gets_the_colours_of_the_back_photo(figure, result, behind):
    albedo, overlap = result
    truth = striped(figure.vertices)
    before = psnr(np.tile(WRONG, (len(truth), 1))[behind], truth[behind])
    assert behind.sum() > 1500 and overlap > 0.95
    assert psnr(albedo[behind], truth[behind]) > before + 5


def test_left_stays_left(figure, result, behind):
    """The spot on the left shoulder blade is green, its mirror place is not."""
    albedo, _ = result
    away = [np.linalg.norm(figure.vertices[:, :2] - [x, 0.3], axis=1) < 0.03 for x in (-0.07, 0.07)]
    left, right = (albedo[behind & near].mean(0) for near in away)
    assert left[1] > 1.5 * left[0] and right[0] > right[1]


def test_what_faces_the_front_camera_is_kept_bit_by_bit(figure, result, behind):
    albedo, _ = result
    before = np.tile(WRONG, (len(albedo), 1))
    front = facing(figure.vertices, figure.normals, DISTANCE) >= 0
    assert front.sum() > 2000 and albedo.dtype == np.float32
    assert albedo[front].tobytes() == before[front].tobytes()
    assert (albedo[behind] != before[behind]).any(1).mean() > 0.8


def test_the_sides_fade_without_a_seam():
    """Black before, white in the photo: the albedo is the photo's weight, and neighbours differ little."""
    fine = Figure(cells=240)
    picture, own = fine.photograph(lambda points: np.ones(points.shape))
    picture[..., :3] = 1
    albedo, _ = fine.coloured(picture, own, np.zeros_like(fine.vertices))
    shares = linear_to_srgb(albedo)[:, 0]
    edges = np.concatenate([fine.faces[:, [0, 1]], fine.faces[:, [1, 2]]])
    assert shares.max() > 0.95 and np.quantile(np.abs(np.diff(shares[edges], axis=1)), 0.999) < 0.6


def test_the_background_does_not_bleed(figure, grey_photo):
    """A grey person before magenta, in a soft photo whose mask is a pixel too large."""
    picture, own = grey_photo[0].copy(), grey_photo[1]
    picture[..., :3] = cv2.GaussianBlur(picture[..., :3], (0, 0), 0.7)
    picture[..., 3] = cv2.dilate(picture[..., 3], np.ones((3, 3), np.uint8))
    albedo, _ = figure.coloured(picture, own, np.full_like(figure.vertices, 0.3))
    assert magenta_in(albedo) < 0.1


@pytest.mark.parametrize(("scale", "shift"), [(1.1, (0.05, 0.03)), (0.9, (-0.1, 0.1)), (1.0, (0.1, -0.1))])
def test_where_and_how_large_the_person_stands_in_the_photo_does_not_matter(
    figure, photo, result, behind, scale, shift
):
    picture = transformed(photo[0], scale, shift, (*MAGENTA.tolist(), 0.0))
    albedo, overlap = figure.coloured(picture, transformed(photo[1], scale, shift, (0.3, 0.3, 0.3)))
    difference = np.abs(linear_to_srgb(albedo) - linear_to_srgb(result[0]))[behind]
    assert overlap > 0.93 and difference.mean() < 0.03


@pytest.mark.parametrize("arms", [10.0, 20.0])
def test_arms_held_a_little_otherwise_do_not_bleed(figure, arms):
    picture, own = Figure(arms).photograph(grey)
    albedo, overlap = figure.coloured(picture, own, np.full_like(figure.vertices, 0.3))
    assert overlap > LEAST_OVERLAP and magenta_in(albedo) < 0.1


def test_the_warp_finds_arms_held_otherwise(figure):
    """More of the outlines agree than where only the boxes were laid over each other."""
    outline = np.isfinite(depth_map(about_face(figure.vertices), figure.faces, DISTANCE, SIZE))
    mask = Figure(20.0).photograph(grey)[0][..., 3] >= 0.5
    _, overlap = aligned(outline, mask)
    assert overlap > 0.95 > (outline & mask).sum() / (outline | mask).sum()


def test_another_pose_is_told_by_the_overlap(figure):
    picture, own = Figure(120.0).photograph(grey)
    albedo, overlap = figure.coloured(picture, own, np.full_like(figure.vertices, 0.3))
    assert overlap < LEAST_OVERLAP and magenta_in(albedo) < 0.1


def test_without_a_mask_nothing_changes(figure, photo):
    picture = photo[0].copy()
    picture[..., 3] = 0
    before = np.tile(WRONG, (len(figure.vertices), 1))
    albedo, overlap = figure.coloured(picture, photo[1], before)
    assert overlap == 0 and albedo.tobytes() == before.tobytes()


def test_signed_distances_are_zero_on_the_edge():
    shape = np.zeros((100, 100), bool)
    shape[:, 40:] = True
    np.testing.assert_allclose(
        back.signed_distance(shape)[50, 37:43], np.array([2.5, 1.5, 0.5, -0.5, -1.5, -2.5]) * 0.02, atol=1e-3
    )


def test_a_back_photo_without_the_person_is_named(tmp_path, monkeypatch):
    Image.new("RGB", (200, 200), (90, 120, 90)).save(tmp_path / "lawn.png")

    def nobody(*_):
        raise person.NoPersonError("No person was found in the photo.", person.CHOOSE_OTHERWISE)

    monkeypatch.setattr(person, "find_persons", nobody)
    with pytest.raises(UserError, match="The person was not found in the back photo lawn.png. Use another one"):
        back.find_back(Request("front.png", back_photo=str(tmp_path / "lawn.png")))
    with pytest.raises(UserError, match=r"There is no photo at .*none.png"):
        back.find_back(Request("front.png", back_photo=str(tmp_path / "none.png")))
    assert back.find_back(Request("front.png")) is None


def test_triangles_are_divided_where_the_back_photo_shows_more_than_they_hold():
    """A coarse figure in narrow bands, which a picture of a quarter of the pixels hardly shows."""

    def banded(points):
        odd = np.floor(points[..., 1] / 0.05).astype(int) % 2 == 1
        return np.where(odd[..., None], 0.1, 0.6) * np.ones(3, np.float32)

    coarse = Figure(cells=48)
    picture, own = coarse.photograph(banded)
    grey = np.full(coarse.vertices.shape, 0.3, np.float32)
    shading = shading_of(coarse.normals).astype(np.float32)
    person = Appearance(coarse.vertices, coarse.faces, coarse.normals, grey, shading, np.zeros(len(grey), np.float32))
    small = cv2.resize(picture, (SIZE // 4,) * 2, interpolation=cv2.INTER_AREA)
    view = BackView(small, picture[..., :3], own, DISTANCE)
    look, _ = add_back_photo(person, lambda turned: shading_of(about_face(turned)), view, DISTANCE)
    new = look.vertices[len(coarse.vertices) :]
    assert len(new) > 0.3 * len(coarse.vertices) and (new[:, 2] < 0.02).all()
    np.testing.assert_array_equal(look.vertices[: len(coarse.vertices)], coarse.vertices)
    mesh = trimesh.Trimesh(look.vertices, look.faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent
    facing_back = look.normals[len(coarse.vertices) :, 2] < -0.9
    error = [
        np.abs(linear_to_srgb(a) - linear_to_srgb(banded(new)))[facing_back].mean()
        for a in (grey[:1], look.albedo[len(grey) :])
    ]
    assert facing_back.sum() > 200 and error[1] < 0.6 * error[0]


class TestWithTheEngine:
    """The whole way through the engine, with networks that learned nothing and a surface that is known."""

    @pytest.fixture
    def reconstructor(self, tiny_weights, monkeypatch):
        field = field_of(15.0)
        monkeypatch.setattr(Reconstructor, "bounds", lambda self, encoded: BOUNDS)
        monkeypatch.setattr(Reconstructor, "distances", lambda self, encoded, points: field(points))
        return Reconstructor(str(tiny_weights), threads=1)

    @pytest.fixture
    def request_(self, tmp_path, figure, photo):
        cut_out = (np.rint(photo[0] * 255)).astype(np.uint8)
        Image.fromarray(cut_out).save(tmp_path / "back.png")
        Image.fromarray(cut_out[:, ::-1]).save(tmp_path / "front.png")
        other = Figure(120.0).photograph(grey)[0]
        Image.fromarray(np.rint(other * 255).astype(np.uint8)).save(tmp_path / "raised.png")
        return Request(str(tmp_path / "front.png"), resolution=48)

    def test_the_back_alone_changes_and_a_strange_pose_is_warned_about(self, reconstructor, request_, tmp_path):
        plain = reconstructor.run(request_)
        both = reconstructor.run(dataclasses.replace(request_, back_photo=str(tmp_path / "back.png")))
        raised = reconstructor.run(dataclasses.replace(request_, back_photo=str(tmp_path / "raised.png")))
        own = slice(len(plain.vertices))  # after them come those of triangles divided for the back photo
        both = dataclasses.replace(
            both, **{name: getattr(both, name)[own] for name in ("vertices", "albedo", "shaded")}
        )
        np.testing.assert_allclose(both.vertices, plain.vertices, atol=1e-6)
        changed = (both.albedo != plain.albedo).any(1)
        assert changed.mean() > 0.1 and plain.normals[changed, 2].max() < 0.2
        np.testing.assert_allclose(both.shaded * plain.albedo, plain.shaded * both.albedo, atol=1e-5)
        assert "back_overlap" not in plain.report and both.report["back_overlap"] > 0.9
        assert both.report["warnings"] == plain.report["warnings"] == []
        (warning,) = raised.report["warnings"]
        assert warning.startswith("The person stands differently in the back photo: ")
        assert f"{raised.report['back_overlap']:.0%} of the outlines agree" in warning

    def test_the_colours_are_the_photos(self, reconstructor, request_, tmp_path):
        """Blue from behind, whatever the front is like."""
        blue = np.array(Image.open(tmp_path / "back.png"))
        blue[..., :3] = [20, 40, 160]
        Image.fromarray(blue).save(tmp_path / "blue.png")
        result = reconstructor.run(dataclasses.replace(request_, back_photo=str(tmp_path / "blue.png")))
        back_side = result.normals[:, 2] < -0.8
        mean = result.albedo[back_side].mean(0)
        assert back_side.sum() > 100 and mean[2] > 1.5 * mean[0]
