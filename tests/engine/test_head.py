"""The head's own look: its camera, and how its field joins the body's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from phorhum_blender.engine import head as module  # noqa: E402
from phorhum_blender.engine.camera import project, unproject  # noqa: E402
from phorhum_blender.engine.head import Head, HeadFrame, depth_error, seen_through  # noqa: E402
from phorhum_blender.engine.model import HEAD, PhorhumModel  # noqa: E402
from phorhum_blender.engine.model.feature_extractor import DENSE_CHANNELS, Encoding, picture_coordinates  # noqa: E402
from phorhum_blender.engine.skeleton import JOINT, JOINTS  # noqa: E402

DISTANCE = 4.0
NECK, CROWN = np.array([0.05, 0.6, 0.1]), np.array([0.1, 0.85, 0.14])


def joints_at(neck, crown):
    joints = np.zeros((len(JOINTS), 3))
    joints[JOINT["neck"]], joints[JOINT["crown"]] = neck, crown
    return joints


@pytest.fixture(scope="module")
def frame():
    return HeadFrame.of_joints(joints_at(NECK, CROWN), DISTANCE)


def encoding_of(front, mask=10.0, joints=None, size=32, back=None):
    """What a G would say that sees the depth ``front`` (size, size) everywhere, and behind it ``back``, or the same."""
    features = torch.zeros(1, DENSE_CHANNELS, size, size)
    features[0, 0], features[0, 1] = mask, torch.as_tensor(front)
    features[0, 2] = torch.as_tensor(front if back is None else back)
    if joints is None:
        joints = joints_at(NECK, CROWN)
    at = torch.tensor(joints[None], dtype=torch.float32)
    seen = torch.cat([project(at, DISTANCE), at[..., 2:]], -1)
    rest = torch.zeros(1, len(JOINTS), 8, 8), torch.zeros(1, 16, size, size)
    return Encoding(torch.zeros(1, 4, 2 * size, 2 * size), features, torch.zeros(1, 4), seen, *rest)


def test_the_square_holds_the_head_and_its_camera_looks_at_the_middle(frame):
    assert np.allclose(frame.turn @ frame.turn.T, np.eye(3)) and np.linalg.det(frame.turn) == pytest.approx(1)
    np.testing.assert_allclose(frame.inwards(np.array([[0, 0, DISTANCE]])), [[0, 0, frame.distance]], atol=1e-9)
    neck, crown = frame.inwards(np.array([NECK, CROWN]))
    assert -1 < neck[1] < -0.8 and 0.6 < crown[1] < 0.8
    assert abs(frame.turn[0, 1]) < 1e-9  # its horizon is level
    assert frame.pitch < 0  # it looks up at a head above the middle of the crop


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-0.9, 0.9), min_size=6, max_size=6))
def test_ways_in_and_out_are_inverse_and_keep_proportions(values):
    frame = HeadFrame.of_joints(joints_at(values[:3], values[3:]), DISTANCE)
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    inside = frame.inwards(points)
    np.testing.assert_allclose(frame.outwards(inside), points, atol=1e-9)
    apart = np.linalg.norm(points[1:] - points[:-1], axis=1) / np.linalg.norm(inside[1:] - inside[:-1], axis=1)
    np.testing.assert_allclose(apart, frame.half)
    assert frame.half >= module.LEAST_HALF


def test_the_picture_shows_what_its_camera_sees(frame):
    """Colours that tell where they are in the crop: each pixel of the head's picture tells where its ray goes."""
    size = 512
    place = picture_coordinates(size, torch.zeros(())).permute(1, 2, 0).numpy()
    crop = np.dstack([place / 2 + 0.5, np.zeros((size, size)), np.ones((size, size))]).astype(np.float32)
    image = seen_through(frame, crop, DISTANCE, 64)
    at = picture_coordinates(64, torch.zeros(())).flatten(1).T
    for z in (-0.5, 0.6):  # whatever the depth
        points = unproject(at, torch.full((len(at),), z), frame.distance).numpy()
        there = project(torch.from_numpy(frame.outwards(points)), DISTANCE).numpy()
        inside = np.abs(there).max(1) < 0.99
        np.testing.assert_allclose(image.reshape(-1, 4)[inside, :2] * 2 - 1, there[inside], atol=3e-3)
    assert (image[..., 3].reshape(-1)[inside] == 1).all()


def test_nothing_beyond_the_crop_is_the_person():
    frame = HeadFrame.of_joints(joints_at([0, 0.8, 0], [0, 1.1, 0]), DISTANCE)
    image = seen_through(frame, np.ones((64, 64, 4), np.float32), DISTANCE, 64)
    assert (image[0, :, 3] == 0).all() and (image[-1, :, 3] == 1).all() and (image[..., :3] == 1).all()


@pytest.mark.parametrize("step", [-0.4, 0.7])
def test_a_head_moved_along_its_rays_keeps_its_picture(frame, step):
    points = np.random.default_rng(1).uniform(-0.8, 0.8, (30, 3))
    moved = frame.nearer(step)
    before, after = (project(torch.from_numpy(f.outwards(points)), DISTANCE).numpy() for f in (frame, moved))
    np.testing.assert_allclose(after, before, atol=1e-9)
    assert frame.inwards(moved.centre[None])[0, 2] == pytest.approx(step)


@pytest.mark.parametrize("error", [-0.3, 0.0, 0.5])
def test_the_depth_at_which_the_body_has_it_is_found(frame, error):
    """A head between -0.8 and 0.4 of the frame's depth, which the body's networks see as a sheet ``error`` head units
    nearer than its middle, -0.2; below the chin they see all else."""
    own = encoding_of(np.full((32, 32), 0.4), back=np.full((32, 32), -0.8))
    own.features[0, 1, 25:] = 5.0
    # the body's depth map of the plane that stands upright to the head's axis
    size = 160
    at = picture_coordinates(size, torch.zeros((), dtype=torch.float64)).flatten(1).T
    ray = torch.cat([at, torch.full_like(at[:, :1], 0.0)], 1).numpy() - [0, 0, DISTANCE]
    normal, place = frame.turn[2], frame.outwards(np.array([[0, 0, error - 0.2]]))[0]
    reach = ((place - [0, 0, DISTANCE]) @ normal) / (ray @ normal)
    z = (DISTANCE + reach * ray[:, 2]).reshape(size, size)
    body = encoding_of(z, size=size)
    assert depth_error(own, body, frame, DISTANCE) == pytest.approx(error, abs=2e-3)


def test_where_one_of_both_sees_nobody_depths_are_not_compared(frame):
    nobody = encoding_of(np.zeros((32, 32)), mask=-10.0)
    assert depth_error(nobody, encoding_of(np.ones((160, 160)), size=160), frame, DISTANCE) == 0


@pytest.fixture(scope="module")
def looked_at():
    torch.manual_seed(0)
    with torch.inference_mode():
        return Head(
            PhorhumModel(HEAD).eval(),
            np.ones((256, 256, 4), np.float32),
            encoding_of(np.zeros((80, 80)), size=80),
            DISTANCE,
        )


def test_its_share_is_all_of_the_head_and_nothing_of_the_body(looked_at):
    up = CROWN - NECK
    along = torch.tensor(np.stack([NECK + t * up for t in (-0.5, -0.1, 0.05, 0.3, 0.6, 0.9)]), dtype=torch.float32)
    share = looked_at.share(along).tolist()
    assert share[0] == share[1] == 0 and 0 < share[2] < 1 and share[3:] == [1, 1, 1]
    aside = torch.tensor((NECK + 0.5 * up)[None] + [[0.25, 0, 0], [0, 0, 0.4], [0, 0.3, 0]], dtype=torch.float32)
    assert looked_at.share(aside).tolist() == [0, 0, 0]


def test_an_arm_beside_the_head_is_the_body_s():
    """A forearm along the cheek, and one far below: only around the first the head's share falls to nothing."""
    joints = joints_at(NECK, CROWN)
    middle = NECK + 0.5 * (CROWN - NECK)
    joints[JOINT["l_elbow"]], joints[JOINT["l_wrist"]] = middle + [0.11, -0.1, 0], middle + [0.11, 0.1, 0]
    joints[JOINT["l_hand"]] = middle + [0.11, 0.2, 0]
    with torch.inference_mode():
        seen = encoding_of(np.zeros((80, 80)), joints=joints, size=80)
        head = Head(PhorhumModel(HEAD).eval(), np.ones((256, 256, 4), np.float32), seen, DISTANCE)
    places = middle + np.array([[0.11, 0, 0], [0.035, 0, 0], [-0.1, 0, 0]])
    share = head.share(torch.tensor(places, dtype=torch.float32)).tolist()
    assert share[0] == 0 and 0 < share[1] < 1 and share[2] == 1


def test_fields_are_joined_without_a_step(looked_at):
    asked = []

    def body(points, hull):
        asked.append(points)
        assert len(points) == len(hull)
        return hull + 7

    steps = torch.linspace(-0.6, 1.0, 400)[:, None]
    line = torch.tensor(NECK, dtype=torch.float32) + steps * torch.tensor(CROWN - NECK, dtype=torch.float32)
    hull = torch.full((400,), 0.5)
    with torch.inference_mode():
        joined, share = looked_at.joined(line, hull, body), looked_at.share(line)
    assert (joined[share == 0] == 7.5).all()
    assert (joined[share == 1].abs() < 1).all()
    assert joined.diff().abs().max() < 1.0  # from 7.5 to nearly 0 over the throat
    assert (looked_at.share(asked[0]) < 1).all()  # the head's own points need no answer of the body


def test_a_crop_without_a_head_is_left_to_the_body(tiny_weights):
    from phorhum_blender.engine.camera import CropSquare
    from phorhum_blender.engine.reconstruct import Reconstructor

    network = Reconstructor(str(tiny_weights), threads=1)
    with torch.inference_mode():
        image = np.zeros((64, 64, 4), np.float32)
        image[40:, 20:40, 3] = 1
        encoded = network.encode_crop(image, CropSquare(0, 0, 2), DISTANCE)
        assert network.with_head(encoded, np.zeros((128, 128, 4), np.float32)) is encoded
        assert network.with_head(encoded, np.ones((128, 128, 4), np.float32)).head is not None
        np.testing.assert_array_equal(network.head_share(encoded, np.zeros((3, 3), np.float32)), 0)
