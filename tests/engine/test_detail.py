"""Photo detail on balls of known colour and light, where every answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

cv2 = pytest.importorskip("cv2")

from phorhum_blender.engine import detail  # noqa: E402
from phorhum_blender.engine.colour import linear_to_srgb  # noqa: E402
from phorhum_blender.engine.detail import (  # noqa: E402
    Appearance,
    add_photo_detail,
    border_distance,
    depth_map,
    photo_weights,
)
from phorhum_blender.engine.errors import Cancelled  # noqa: E402
from phorhum_blender.engine.model.first_light import srgb_to_linear  # noqa: E402
from phorhum_blender.engine.surface import extract_surface  # noqa: E402

SIZE, DISTANCE, RADIUS = 384, 4.0, 0.7
BACKGROUND = np.array([1.0, 0.0, 1.0])
LIGHT = np.array([0.5, 0.4, np.sqrt(1 - 0.41)])


class Ball:
    """A ball about ``centre``: its mesh, and the analytic picture that the crop camera takes of it."""

    def __init__(self, centre, radius, cells=160):
        self.centre, self.radius = np.array(centre, np.float32), radius
        reach = 1.1 * radius
        bounds = np.array([self.centre - reach, self.centre + reach])
        surface = extract_surface(lambda p: np.linalg.norm(p - self.centre, axis=1) - radius, bounds, cells)
        self.vertices, self.faces = surface.vertices, surface.faces
        self.normals = ((self.vertices - self.centre) / radius).astype(np.float32)

    def hit(self):
        """(SIZE, SIZE) bool and the points (SIZE, SIZE, 3) that the pixels' centres see."""
        axis = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
        x, y = np.meshgrid(axis, -axis)
        ray = np.stack([x, y, np.full_like(x, -DISTANCE)], -1)
        away = np.array([0, 0, DISTANCE]) - self.centre
        a, b, c = (ray**2).sum(-1), ray @ away, (away**2).sum() - self.radius**2
        root = b * b - a * c
        t = (-b - np.sqrt(np.maximum(root, 0))) / a
        return root > 0, np.array([0, 0, DISTANCE]) + t[..., None] * ray


def encoded(linear):
    return linear_to_srgb(np.asarray(linear))


def linear(srgb):
    return srgb_to_linear(torch.from_numpy(srgb)).numpy()


def shading_of(normals):
    return (0.3 + 0.7 * np.maximum(normals @ LIGHT, 0))[..., None] * np.array([1.1, 1.0, 0.8])


def checker(points):
    """Linear albedo of squares 0.1 units wide."""
    odd = np.floor(points / 0.1 + 0.5).astype(int).sum(-1) % 2 == 1
    return np.where(odd[..., None], [0.7, 0.5, 0.2], [0.1, 0.2, 0.4])


def photograph(ball, albedo):
    """(SIZE, SIZE, 4) float32, the ball of ``albedo(points)`` under the light before the background."""
    hit, points = ball.hit()
    shaded = albedo(points) * shading_of((points - ball.centre) / ball.radius)
    colour = np.where(hit[..., None], shaded, BACKGROUND)
    return np.dstack([encoded(colour), hit]).astype(np.float32)


def appearance(ball, albedo, shading=None, head=None):
    shading = shading_of(ball.normals).astype(np.float32) if shading is None else shading
    head = np.zeros(len(ball.vertices), np.float32) if head is None else head
    return Appearance(ball.vertices, ball.faces, ball.normals, albedo, shading, head)


def shown(ball, weights):
    return detail.Seen(detail.projected(ball.vertices, DISTANCE), weights, np.ones(len(weights)))


def with_detail(ball, albedo, picture, **more):
    """The new albedo of the ball's own vertices."""
    look = add_photo_detail(appearance(ball, albedo, **more), picture, picture[..., :3], DISTANCE)
    return look.albedo[: len(albedo)]


def blurred_checker(ball, reach=0.03):
    """What a network would say of :func:`checker`: its mean around each vertex."""
    offsets = np.random.default_rng(0).normal(0, reach, (48, 3))
    mean = sum(encoded(checker(ball.vertices + offset)) for offset in offsets) / len(offsets)
    return linear(mean).astype(np.float32)


@pytest.fixture(scope="module")
def ball():
    return Ball((0.05, -0.02, 0.1), RADIUS)


@pytest.fixture(scope="module")
def facing(ball):
    """(V,) cosine of the angle between normal and camera."""
    towards = np.array([0, 0, DISTANCE]) - ball.vertices
    return (ball.normals * towards).sum(1) / np.linalg.norm(towards, axis=1)


@pytest.fixture(scope="module")
def weights(ball):
    depth = depth_map(ball.vertices, ball.faces, DISTANCE, SIZE)
    return photo_weights(ball.vertices, ball.normals, depth, border_distance(depth, ball.hit()[0]), DISTANCE)


def test_the_depth_map_is_that_of_the_first_surface(ball):
    hit, points = ball.hit()
    depth = depth_map(ball.vertices, ball.faces, DISTANCE, SIZE)
    assert (np.isfinite(depth) == hit).mean() > 0.999
    inner = cv2.erode(hit.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    np.testing.assert_allclose(depth[inner], points[..., 2][inner], atol=2e-3)


def test_the_nearer_of_two_surfaces_is_seen_and_faces_beyond_the_picture_do_no_harm():
    far, near = Ball((0, 0, 0), 0.5, 48), Ball((0.1, 0, 0.9), 0.15, 48)
    beyond = Ball((0.98, -0.9, 0.3), 0.2, 32)
    vertices = np.concatenate([far.vertices, near.vertices, beyond.vertices])
    counts = np.cumsum([0, len(far.vertices), len(near.vertices)])
    faces = np.concatenate([b.faces + n for b, n in zip((far, near, beyond), counts, strict=True)])
    for order in (faces, faces[::-1]):
        depth = depth_map(vertices, order, DISTANCE, SIZE)
        hit, points = near.hit()
        inner = cv2.erode(hit.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
        np.testing.assert_allclose(depth[inner], points[..., 2][inner], atol=5e-3)
    assert np.isfinite(depth[-1, -1])


@pytest.mark.parametrize(("reach", "error", "share"), [(detail.SOFTNESS, 0.02, 0.5), (0.03, 0.1, 0.8)])
def test_sharp_squares_come_back_where_the_network_is_soft(ball, weights, reach, error, share):
    """Exactly where the network is as soft as assumed, and still much better where it is far softer."""
    truth, soft = checker(ball.vertices), blurred_checker(ball, reach)
    result = with_detail(ball, soft, photograph(ball, checker))
    # at an edge between squares neither the photo's pixels nor the vertices know on which side they are
    steps = np.abs(ball.vertices / 0.1 + 0.5 - np.round(ball.vertices / 0.1 + 0.5)).min(1) * 0.1
    sure = (weights > 0.999) & (steps > 0.01)
    assert sure.sum() > 3000
    before, after = (np.abs(encoded(a) - encoded(truth))[sure] for a in (soft, result))
    assert after.mean() < error and after.mean() < share * before.mean()


def test_a_close_up_shows_more_of_the_head(ball, weights, monkeypatch):
    """Squares of which a picture of few pixels keeps little: one of more pixels has them, above the ball's middle,
    where the ball is said to be a head and thus fine enough."""
    truth, soft = checker(ball.vertices), blurred_checker(ball)
    picture = photograph(ball, checker)
    small = cv2.resize(picture, (SIZE // 6, SIZE // 6), interpolation=cv2.INTER_AREA)
    above = (ball.vertices[:, 1] > 0).astype(np.float32)
    monkeypatch.setattr(detail, "MOST_VERTICES", 1)
    looks = [
        add_photo_detail(appearance(ball, soft, head=above), small, colour, DISTANCE)
        for colour in (small[..., :3], picture[..., :3])
    ]
    error = {
        name: np.abs(encoded(look.albedo) - encoded(truth)).mean(1) for name, look in zip("ab", looks, strict=True)
    }
    sure = weights > 0.999
    upper, lower = sure & (ball.vertices[:, 1] > 0.05), sure & (ball.vertices[:, 1] < -0.15)
    assert error["b"][upper].mean() < 0.75 * error["a"][upper].mean()
    assert error["b"][lower].mean() < 1.05 * error["a"][lower].mean()


def stripes(points):
    """Linear albedo of upright stripes 0.02 units wide, on the left half."""
    odd = np.floor(points[..., 0] / 0.02).astype(int) % 2 == 1
    return np.where((odd & (points[..., 0] < 0))[..., None], 0.1, 0.6) * np.ones(3)


def is_closed(look):
    mesh = trimesh.Trimesh(look.vertices, look.faces, process=False)
    return mesh.is_watertight and mesh.is_winding_consistent


def test_triangles_are_divided_where_the_photo_shows_more_than_they_hold(striped):
    coarse, look = striped
    assert is_closed(look) and look.vertices.dtype == np.float32 and look.faces.dtype == np.int32
    np.testing.assert_array_equal(look.vertices[: len(coarse.vertices)], coarse.vertices)
    np.testing.assert_allclose(np.linalg.norm(look.normals, axis=1), 1, atol=1e-6)
    new = look.vertices[len(coarse.vertices) :]
    inside = (np.linalg.norm(new[:, :2] - coarse.centre[:2], axis=1) < 0.9 * RADIUS) & (new[:, 2] > 0.3)
    assert inside.mean() > 0.9  # where the camera sees them
    assert 0.5 * len(coarse.vertices) < len(new) < 1.1 * len(coarse.vertices)
    assert (new[:, 0] < 0.05).mean() > 0.9
    before, after = (trimesh.Trimesh(x.vertices, x.faces, process=False) for x in (coarse, look))
    assert after.volume == pytest.approx(before.volume, rel=1e-5)


def test_divided_triangles_have_the_photos_stripes(striped):
    coarse, look = striped
    middle = (
        (np.abs(look.vertices[:, 1]) < 0.3) & (look.vertices[:, 2] > 0.3) & (np.abs(look.vertices[:, 0] + 0.2) < 0.15)
    )
    places = look.vertices[:, 0] / 0.02
    sure = middle & (np.abs(places - np.round(places)) > 0.2)
    assert sure.sum() > 300
    error = np.abs(encoded(look.albedo) - encoded(stripes(look.vertices)))[sure]
    assert error.mean() < 0.12  # half of what one grey would be off


def test_a_plain_photo_divides_nothing_and_no_more_vertices_are_made_than_allowed(ball, striped, monkeypatch):
    coarse, look = striped
    grey = np.full(coarse.vertices.shape, 0.3, np.float32)
    plain = photograph(coarse, lambda points: np.full(points.shape, 0.3))
    same = add_photo_detail(appearance(coarse, grey), shrunk(plain), plain[..., :3], DISTANCE)
    assert len(same.vertices) == len(coarse.vertices)
    monkeypatch.setattr(detail, "MOST_VERTICES", 1.2)
    picture = photograph(coarse, stripes)
    few = add_photo_detail(appearance(coarse, grey), shrunk(picture), picture[..., :3], DISTANCE)
    assert is_closed(few)
    assert 1.05 * len(coarse.vertices) < len(few.vertices) < 1.3 * len(coarse.vertices) < len(look.vertices)


def test_photo_detail_can_be_cancelled_between_its_steps(striped):
    coarse, _ = striped
    picture, steps = photograph(coarse, stripes), []
    soft = np.full(coarse.vertices.shape, 0.3, np.float32)
    add_photo_detail(appearance(coarse, soft), shrunk(picture), picture[..., :3], DISTANCE, lambda: steps.append(1))
    assert len(steps) >= 4

    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        add_photo_detail(appearance(coarse, soft), shrunk(picture), picture[..., :3], DISTANCE, stop)


def shrunk(picture):
    return cv2.resize(picture, (SIZE // 4, SIZE // 4), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def striped():
    """A coarse ball, and the same with the detail of a photo of :func:`stripes`, in four times as many pixels."""
    coarse = Ball((0.05, -0.02, 0.1), RADIUS, 40)
    picture = photograph(coarse, stripes)
    soft = np.full(coarse.vertices.shape, 0.3, np.float32)
    return coarse, add_photo_detail(appearance(coarse, soft), shrunk(picture), picture[..., :3], DISTANCE)


def test_a_colour_that_fits_already_stays(ball, weights):
    """A network that knows the plain albedo exactly is not changed by a photo that shows it."""
    plain = np.broadcast_to(np.array([0.3, 0.2, 0.4], np.float32), ball.vertices.shape).copy()
    result = with_detail(ball, plain, photograph(ball, lambda p: np.broadcast_to(plain[0], p.shape)))
    np.testing.assert_allclose(encoded(result), encoded(plain), atol=0.02)


def test_an_overexposed_photo_does_not_darken_the_albedo(ball):
    """White for as bright as it may be: the photo is no more than that, the light is twice as strong."""
    plain = np.full(ball.vertices.shape, 0.8, np.float32)
    white = np.dstack([np.ones((SIZE, SIZE, 3)), ball.hit()[0]]).astype(np.float32)
    shading = np.full(ball.vertices.shape, 2.5, np.float32)
    result = with_detail(ball, plain, white, shading=shading)
    np.testing.assert_allclose(result, plain, atol=1e-4)


def test_most_of_a_wrong_broad_colour_is_put_right(ball, weights):
    true, wrong = np.array([0.3, 0.05, 0.1]), np.array([0.15, 0.1, 0.1], np.float32)
    result = with_detail(
        ball, np.tile(wrong, (len(ball.vertices), 1)), photograph(ball, lambda p: np.broadcast_to(true, p.shape))
    )
    share = (encoded(result) - encoded(wrong))[weights > 0.999][:, :2] / (encoded(true) - encoded(wrong))[:2]
    np.testing.assert_allclose(share, detail.BROAD_SHARE, atol=0.08)


def test_the_hidden_side_has_the_colours_of_the_visible_one(ball, weights, facing):
    """A ball whose left is red and whose right is blue, as the photo tells; the network says so faintly, of both sides,
    and of a place behind that it is green, which the photo does not show anywhere."""
    red, blue, green = np.array([0.5, 0.05, 0.05]), np.array([0.05, 0.05, 0.5]), np.array([0.05, 0.5, 0.05])
    side = lambda points, left, right: np.where(points[..., :1] < ball.centre[0], left, right)  # noqa: E731
    faint = side(ball.vertices, 0.4 * red + 0.12, 0.4 * blue + 0.12)
    behind = ball.normals[:, 2] < -0.9
    soft = np.where(behind[:, None], green, faint).astype(np.float32)
    result = with_detail(ball, soft, photograph(ball, lambda points: side(points, red, blue)))
    hidden = (weights == 0) & ~behind & (np.abs(ball.normals[:, 0]) > 0.3)
    true = encoded(side(ball.vertices, red, blue))
    assert hidden.sum() > 2000
    wrong, left = (np.abs(encoded(colour) - true)[hidden].mean() for colour in (soft, result))
    assert left < 0.5 * wrong
    np.testing.assert_allclose(result[behind], soft[behind], atol=2e-3)
    assert (result[facing > 0.5] != soft[facing > 0.5]).any(1).mean() > 0.9


def test_what_the_photo_shows_in_full_is_not_touched_by_the_hidden_side(ball, weights):
    soft = blurred_checker(ball)
    result = detail.hidden_side_matched(np.full_like(soft, 0.3), soft, shown(ball, weights), np.zeros(len(soft)))
    assert (result[weights == 1] == np.float32(0.3)).all() and (result[weights < 0.5] != np.float32(0.3)).any()


def test_a_hat_takes_its_colours_from_the_hat(ball, weights):
    """The network sees one grey; the photo shows a blue cap above red. Behind, the cap is blue where it is said to be
    the head, and of both without that."""
    grey = np.full(ball.vertices.shape, 0.3, np.float32)
    cap = ball.vertices[:, 1] > 0.35
    colours = np.where(cap[:, None], np.float32([0.1, 0.1, 0.8]), np.float32([0.8, 0.1, 0.1]))
    albedo = np.where(weights[:, None] > 0, colours, grey)
    together = detail.hidden_side_matched(albedo, grey, shown(ball, weights), np.zeros(len(grey)))
    apart = detail.hidden_side_matched(albedo, grey, shown(ball, weights), cap.astype(np.float32))
    behind = cap & (weights == 0) & (ball.vertices[:, 1] < 0.55)
    redness = [(result[behind, 0] - result[behind, 2]).mean() for result in (together, apart)]
    assert redness[1] < -0.4 and redness[1] < redness[0] - 0.2


@settings(max_examples=15, deadline=None)
@given(
    picture=hnp.arrays(np.float32, (24, 24, 4), elements=st.floats(0, 1, width=32)),
    shade=st.floats(0, 3),
    grey=st.floats(0, 1),
)
def test_any_photo_gives_an_albedo_and_the_hidden_side_no_colour_of_its_own(small_ball, picture, shade, grey):
    albedo = np.full(small_ball.vertices.shape, grey, np.float32)
    result = with_detail(small_ball, albedo, picture, shading=np.full_like(albedo, shade))
    assert result.dtype == np.float32 and result.shape == albedo.shape
    assert np.isfinite(result).all() and result.min() >= 0 and result.max() <= 1
    hidden = small_ball.normals[:, 2] < 0
    known = np.concatenate([result[~hidden], albedo])
    assert (result[hidden] >= known.min(0) - 1e-3).all() and (result[hidden] <= known.max(0) + 1e-3).all()


@pytest.fixture(scope="module")
def small_ball():
    return Ball((0, 0, 0), 0.6, 24)


def test_without_a_mask_nothing_changes(ball):
    soft, picture = blurred_checker(ball), photograph(ball, checker)
    picture[..., 3] = 0
    assert with_detail(ball, soft, picture).tobytes() == soft.tobytes()


def test_the_background_does_not_bleed(ball):
    """A grey ball before magenta, in a photo so soft that the two mix along the outline, with a mask that is a pixel
    too large all around."""
    picture = photograph(ball, lambda p: np.full(p.shape, 0.3))
    picture[..., :3] = cv2.GaussianBlur(picture[..., :3], (0, 0), 1.0)
    picture[..., 3] = cv2.dilate(picture[..., 3], np.ones((3, 3), np.uint8))
    grey = np.full(ball.vertices.shape, 0.3, np.float32)
    result = encoded(with_detail(ball, grey, picture))
    assert np.ptp(result, axis=1).max() < 0.03


def test_colour_does_not_leak_between_parts_that_hide_each_other():
    """A red ball before a green one, each known to the network as dull; the photo is a little soft."""
    far, near = Ball((0, 0, 0), 0.6), Ball((0.15, 0, 0.75), 0.2, 64)
    red, green = np.array([0.5, 0.02, 0.02]), np.array([0.02, 0.4, 0.02])
    pictures = [photograph(b, lambda p, c=c: np.broadcast_to(c, p.shape)) for b, c in ((far, green), (near, red))]
    picture = np.where(near.hit()[0][..., None], pictures[1], pictures[0])
    picture[..., :3] = cv2.GaussianBlur(picture[..., :3], (0, 0), 1.0)
    count = len(far.vertices)
    albedo = np.concatenate(
        [np.tile(c * 0.8 + 0.05, (len(b.vertices), 1)) for b, c in ((far, green), (near, red))]
    ).astype(np.float32)
    normals = np.concatenate([far.normals, near.normals])
    vertices, faces = np.concatenate([far.vertices, near.vertices]), np.concatenate([far.faces, near.faces + count])
    both = SimpleNamespace(vertices=vertices, faces=faces, normals=normals)
    result = with_detail(both, albedo, picture)
    behind = np.zeros(len(vertices), bool)
    towards = np.array([0, 0, DISTANCE]) - far.vertices
    along = ((near.centre - far.vertices) * towards).sum(1) / (towards**2).sum(1)
    off = np.linalg.norm(far.vertices + along[:, None] * towards - near.centre, axis=1)
    behind[:count] = (off < near.radius - 2 / SIZE) & (far.vertices[:, 2] > 0.2)
    assert behind.sum() > 500
    assert np.abs(encoded(result[behind]) - encoded(albedo[behind])).max() < 0.15  # as the green that is seen
    assert encoded(result[:count, 0]).max() < encoded(0.066) + 0.05  # the green one's red
    assert encoded(result[count:, 1]).max() < encoded(0.066) + 0.05  # the red one's green
    assert (result[:count] != albedo[:count]).any(1).mean() > 0.2


def test_there_is_no_seam(ball, weights):
    """Neighbours' weights, 0.01 units apart, differ little, and the photo's share ends before the outline."""
    edges = np.concatenate([ball.faces[:, [0, 1]], ball.faces[:, [1, 2]]])
    assert np.abs(np.diff(weights[edges], axis=1)).max() < 0.25
    assert weights.max() == 1 and weights.min() == 0


def test_borders_are_the_outline_and_the_steps_in_depth():
    size = 100
    pixel = 2 / size
    depth = np.zeros((size, size), np.float32)
    depth[:, 50:] = 0.3
    mask = np.ones((size, size), bool)
    mask[:, :10] = False
    inset = border_distance(depth, mask)
    assert (inset[:, [9, 49, 50]] == 0).all() and (inset[:, [48, 51]] > 0).all()
    np.testing.assert_allclose(inset[50, 10:20], np.arange(1, 11) * pixel, rtol=0.02)
    np.testing.assert_allclose(inset[0, 70], pixel, rtol=0.02)  # beyond the picture nothing is known


def test_a_slanted_surface_is_no_border_and_a_hole_in_the_mesh_is():
    size = 100
    slanted = np.broadcast_to(np.arange(size, dtype=np.float32) * 2 / size * 3, (size, size)).copy()  # 72 degrees
    assert (border_distance(slanted, np.ones((size, size), bool))[1:-1, 1:-1] > 0).all()
    slanted[40, 40] = -np.inf
    assert border_distance(slanted, np.ones((size, size), bool))[40, 40] == 0


def places(count, seed=0):
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (count, 2))


@settings(max_examples=20, deadline=None)
@given(reach=st.floats(0.02, 1.0), value=st.floats(-2, 2), seed=st.integers(0, 99))
def test_the_local_mean_of_a_constant_is_the_constant(reach, value, seed):
    at = places(50, seed)
    weight = np.random.default_rng(seed).uniform(0.01, 1, 50)
    np.testing.assert_allclose(detail.local_mean(np.full((50, 2), value), weight, at, reach), value, atol=1e-9)


def test_the_local_mean_is_local_and_weighted():
    at = np.array([[-0.5, 0], [-0.5, 0.001], [0.5, 0]])
    means = detail.local_mean(np.array([[0.0], [4.0], [9.0]]), np.array([1.0, 3.0, 1.0]), at, 0.03)
    np.testing.assert_allclose(means[:, 0], [3, 3, 9], atol=1e-6)


def test_an_affine_relation_is_found_and_applied():
    rng = np.random.default_rng(1)
    at, guide, sharp = places(4000), rng.uniform(0, 1, (4000, 3)), rng.uniform(0, 1, (4000, 3))
    matrix, offset = rng.uniform(-0.5, 0.5, (3, 3)), np.array([0.3, 0.2, 0.1])
    found = detail.transferred(guide, guide @ matrix + offset, sharp, np.ones(4000), at)
    # the ridge of 0.01 beside the guide's variance of 1 / 12 bends the matrix a little towards the identity
    assert np.abs(found - (sharp @ matrix + offset)).max() < 0.25
    assert np.abs(found - (sharp @ matrix + offset)).mean() < 0.06


def test_where_the_guide_is_flat_contrast_stays_as_it_is():
    rng = np.random.default_rng(2)
    sharp = 0.4 + rng.uniform(-0.1, 0.1, (2000, 3))
    found = detail.transferred(
        np.full((2000, 3), 0.4), np.full((2000, 3), 0.6), sharp, rng.uniform(0.1, 1, 2000), places(2000)
    )
    np.testing.assert_allclose(found, sharp + 0.2, atol=1e-6)


def test_samples_lie_where_the_pixels_are():
    image = np.random.default_rng(3).uniform(0, 1, (5, 5, 2))
    at = np.array([[(2 + 0.5) / 5 * 2 - 1, (1 + 0.5) / 5 * 2 - 1], [-1, -1], [0.2, -0.4]])
    np.testing.assert_allclose(
        detail.sample(image, at), [image[1, 2], image[0, 0], (image[1, 2] + image[1, 3]) / 2], atol=1e-12
    )


def test_colours_are_drawn_outwards_from_good_pixels():
    colour = np.random.default_rng(4).uniform(0, 1, (20, 20, 3)).astype(np.float32)
    good = np.zeros((20, 20), bool)
    good[5:8, 5:8] = True
    drawn = detail.extended(colour, good)
    np.testing.assert_array_equal(drawn[good], colour[good])
    np.testing.assert_array_equal(drawn[6, 8:], np.broadcast_to(colour[6, 7], (12, 3)))
    np.testing.assert_array_equal(drawn[:5, 6], np.broadcast_to(colour[5, 6], (5, 3)))
    np.testing.assert_array_equal(detail.extended(colour, np.zeros_like(good)), colour)
