"""The held-out pictures: never a training person or pose, always the same, and their truth fits their camera."""

import numpy as np
import pytest

pytest.importorskip("trimesh")
pytest.importorskip("igl")
pytest.importorskip("embreex")
pytest.importorskip("cv2")

from phorhum_blender.engine.colour import linear_to_srgb, srgb_to_linear  # noqa: E402
from training import held_out, metrics  # noqa: E402
from training.subjects import Split, list_subjects, load_poses  # noqa: E402


@pytest.fixture(scope="module")
def assets(shared_dir):
    return shared_dir / "assets"


@pytest.fixture(scope="module")
def truth(assets):
    return held_out.make_truth(held_out.held_out_cases(assets)[0], assets)


def test_no_training_person_or_pose_is_used(assets):
    split, training = Split.load(assets), set(list_subjects(assets))
    poses = load_poses(assets, held_out=True)
    trained = {pose.tobytes() for pose in load_poses(assets)}
    for case in held_out.held_out_cases(assets):
        assert (case.kind, case.subject) not in training
        assert split.group(case.kind, case.subject) == case.group
        assert poses[case.pose].tobytes() not in trained


def test_a_shorter_list_is_the_beginning_of_the_longer(assets):
    long, short = held_out.held_out_cases(assets, 5), held_out.held_out_cases(assets, 2)
    for group in held_out.GROUPS:
        assert [c for c in long if c.group == group][:2] == [c for c in short if c.group == group]


def test_depth_maps_fit_the_true_mesh_and_camera(truth):
    front = metrics.cast_crop(truth.outer, truth.distance, len(truth.mask))
    back = metrics.cast_crop(truth.outer, truth.distance, len(truth.mask), from_behind=True)
    assert metrics.mask_iou(front.mask, truth.mask) > 0.99
    depths = (front.points[..., 2], back.points[..., 2])
    errors = metrics.depth_metrics(depths, (truth.front, truth.back), truth.unit)
    assert max(errors.values()) < 0.1
    assert 0.03 < np.nanmean(truth.front - truth.back) < 0.5


def test_the_outer_surface_is_most_of_the_mesh_and_bounds_a_human_volume(truth):
    assert 0.6 < len(truth.outer.faces) / len(truth.solid.faces) <= 1
    points = np.random.default_rng(0).uniform(-1, 1, (50_000, 3))
    volume = metrics.inside(truth.solid, points).mean() * 8 * truth.unit**3
    assert 0.04 < volume < 0.12  # cubic metres


def test_picture_is_the_shaded_albedo_under_its_light(truth):
    """Where little is shadowed, unshadowed shading of the true normals gives about the shaded picture."""
    front = metrics.cast_crop(truth.outer, truth.distance, len(truth.mask))
    mask = front.mask & truth.mask
    shading = truth.shading(truth.outer.face_normals[front.face[mask]])
    lit = linear_to_srgb(srgb_to_linear(truth.albedo[mask]) * shading)
    assert np.corrcoef(lit.mean(1), truth.shaded[mask].mean(1))[0, 1] > 0.9
    assert np.abs(truth.image[:3].transpose(1, 2, 0) - truth.shaded)[mask].mean() < 0.1


def test_pictures_are_the_same_each_time(assets, truth):
    again = held_out.make_truth(truth.case, assets)
    assert np.array_equal(again.image, truth.image)
    assert held_out.fingerprint(again.image) == held_out.fingerprint(truth.image)
    assert held_out.fingerprint(truth.image) != held_out.fingerprint(1 - truth.image)
    assert np.array_equal(again.outer.faces, truth.outer.faces)


def test_unbent_people_are_the_same_in_another_pose(assets, truth):
    unbent = held_out.make_truth(truth.case, assets, unbent=1.0)
    assert np.array_equal(unbent.solid.faces, truth.solid.faces)
    moved = np.linalg.norm(unbent.solid.vertices - truth.solid.vertices, axis=1)
    assert 0.01 < moved.mean() < 0.2


def test_transparent_faces_of_a_card_are_left_out():
    class Card:
        faces = np.array([[0, 1, 2], [2, 1, 3]])
        uv = np.array([[0.02, 0.02], [0.4, 0.02], [0.02, 0.98], [0.6, 0.6]])
        face_uv = np.array([[0, 1, 2], [3, 3, 3]])
        material = np.array([0, 0])
        textures = (np.zeros((8, 8, 4), np.uint8),)

    Card.textures[0][:, :4, 3] = 255  # left half opaque
    assert held_out.opaque_faces(Card).tolist() == [True, False]
