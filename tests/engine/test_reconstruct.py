"""The whole engine on a picture of our own making, with the weights that ship."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from phorhum_blender.engine.camera import CropSquare, project
from phorhum_blender.engine.colour import linear_to_srgb
from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.errors import Cancelled, UserError
from phorhum_blender.engine.model.phorhum import DEFAULT_WEIGHTS
from phorhum_blender.engine.person import Person, select_person
from phorhum_blender.engine.photo import Photo, load_photo
from phorhum_blender.engine.reconstruct import (
    STAGES,
    Encoded,
    Reconstructor,
    crop,
    scene_camera,
    scene_placement,
    warnings_about,
)
from phorhum_blender.engine.skeleton import JOINT, JOINTS

needs_weights = pytest.mark.skipif(not DEFAULT_WEIGHTS.exists(), reason="the weights are not in this checkout")


def figure(width=300, height=400):
    """A drawn figure as an RGBA cut-out: head, trunk, arms and legs, lit from the left."""
    picture = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((130, 30, 170, 80), fill=(214, 170, 140, 255))
    draw.rounded_rectangle((110, 82, 190, 220), 18, fill=(60, 90, 160, 255))
    draw.rounded_rectangle((90, 88, 110, 215), 9, fill=(55, 85, 150, 255))
    draw.rounded_rectangle((190, 88, 210, 215), 9, fill=(40, 60, 110, 255))
    draw.rounded_rectangle((114, 215, 148, 370), 10, fill=(50, 50, 60, 255))
    draw.rounded_rectangle((153, 215, 187, 370), 10, fill=(40, 40, 50, 255))
    return picture


@pytest.fixture(scope="module")
def photo_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "figure.png"
    figure().save(path)
    return str(path)


@pytest.fixture(scope="module")
def reconstructor():
    return Reconstructor(threads=2)


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def result(reconstructor, photo_path, told):
    request = Request(photo=photo_path, resolution=96, height=1.6)
    return reconstructor.run(request, lambda stage, fraction: told.append((stage, fraction)))


@needs_weights
def test_the_mesh_is_closed_metric_and_on_the_floor(result):
    edges = np.sort(result.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert result.vertices[:, 1].min() == pytest.approx(0, abs=1e-6)
    assert result.vertices[:, 1].max() == pytest.approx(1.6, abs=1e-5)
    np.testing.assert_allclose(np.linalg.norm(result.normals, axis=1), 1, atol=1e-4)
    assert 0 <= result.albedo.min() and result.albedo.max() <= 1
    assert result.shaded.min() >= 0


@needs_weights
def test_the_joints_stand_where_a_person_has_them(result):
    joints = result.joints
    assert joints.shape == (len(JOINTS), 3) and joints.dtype == np.float32
    low, high = result.vertices.min(0), result.vertices.max(0)
    assert ((joints > low - 0.1) & (joints < high + 0.1)).all()
    height = {name: joints[JOINT[name], 1] for name in JOINTS}
    for side in "lr":
        assert height[f"{side}_ankle"] < height[f"{side}_knee"] < height[f"{side}_hip"] < height[f"{side}_shoulder"]
    assert height["pelvis"] < height["neck"] < height["crown"]
    # a drawing without a face does not tell front from back, and so not left from right, but it has two legs
    assert abs(joints[JOINT["l_ankle"], 0] - joints[JOINT["r_ankle"], 0]) > 0.08


@needs_weights
def test_a_leaning_person_is_straightened_with_lamps_and_camera(reconstructor, photo_path, monkeypatch):
    """Had the camera looked down by 0.2: the same person, turned as a whole, and the same photo through the camera."""
    request = Request(photo=photo_path, resolution=64)
    pitches = iter((0.2, 0.0))
    monkeypatch.setattr("phorhum_blender.engine.reconstruct.camera_pitch", lambda joints: next(pitches))
    straight, level = reconstructor.run(request), reconstructor.run(request)
    assert (straight.camera.pitch, level.camera.pitch) == (0.2, 0.0)
    turn = straight.camera.rotation()
    np.testing.assert_allclose(straight.normals, level.normals @ turn.T, atol=1e-5)
    turned = level.vertices @ turn.T
    scale = np.ptp(straight.vertices[:, 1]) / np.ptp(turned[:, 1])
    np.testing.assert_allclose(np.ptp(straight.vertices, axis=0), np.ptp(turned, axis=0) * scale, atol=1e-4)
    for name in ("vertices", "joints"):
        seen, before = straight.camera.project(getattr(straight, name)), level.camera.project(getattr(level, name))
        np.testing.assert_allclose(seen, before, atol=0.01)
    pairings = [zip(lamps(straight), order, strict=True) for order in itertools.permutations(lamps(level))]
    agree = [all(now @ (turn @ before) > max(0.99, now @ before) for now, before in pairs) for pairs in pairings]
    assert any(agree)  # of two alike either may be the key
    assert straight.vertices[:, 1].min() == pytest.approx(0, abs=1e-6)
    assert straight.albedo.tobytes() == level.albedo.tobytes()


def lamps(result):
    """The directions of key and fill."""
    return [np.array(light.direction) for light in (result.lights.key, result.lights.fill)]


@needs_weights
def test_a_known_tilt_goes_before_the_stance_and_the_photos_own_record(reconstructor, photo_path, monkeypatch):
    """The camera of the scene looks down as it is told, and a little more, as the person stands low in the photo."""
    photo = load_photo(photo_path)
    monkeypatch.setattr(
        "phorhum_blender.engine.reconstruct.load_photo", lambda path: dataclasses.replace(photo, tilt=0.1)
    )
    recorded = reconstructor.run(Request(photo=photo_path, resolution=64))
    told = reconstructor.run(Request(photo=photo_path, resolution=64, tilt_known=True, camera_tilt=0.3))
    assert recorded.report["camera_tilt_known"] and told.report["camera_tilt_known"]
    assert told.camera.pitch - recorded.camera.pitch == pytest.approx(0.2)
    axis = math.atan2(told.camera.principal[1] - photo.height / 2, told.camera.focal)
    assert told.camera.pitch == pytest.approx(0.3 + axis)


@needs_weights
def test_g_is_told_what_is_known_of_the_camera(reconstructor, photo_path, monkeypatch):
    told = []
    monkeypatch.setattr("phorhum_blender.engine.reconstruct.view_code", lambda *known: told.append(known) or (0.0,) * 4)
    photo = load_photo(photo_path)
    person = select_person(photo, Request(photo=photo_path))
    reconstructor.encode(photo, person)
    reconstructor.encode(dataclasses.replace(photo, focal_pixels=1000.0, tilt=0.0), person)
    (nothing, (distance, pitch)) = told
    assert nothing == (None, None)
    assert distance == pytest.approx(2000 / CropSquare.around(person.box).side) and abs(pitch) < 0.3


@needs_weights
def test_faces_look_outwards(result):
    corner = result.vertices[result.faces].astype(float)
    assert np.einsum("fi,fi->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) > 0
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    agree = (face * result.normals[result.faces[:, 0]]).sum(1) > 0
    assert agree.mean() > 0.9


@needs_weights
def test_the_outline_through_the_matched_camera_is_the_persons(result, photo_path):
    camera, v = result.camera, result.vertices
    u, w = camera.project(v).T
    alpha = np.asarray(Image.open(photo_path))[..., 3] > 128
    outline = Image.new("1", (alpha.shape[1], alpha.shape[0]))
    draw = ImageDraw.Draw(outline)
    for face in result.faces:
        draw.polygon([(u[k] - 0.5, w[k] - 0.5) for k in face], fill=1)
    drawn = np.asarray(outline)
    overlap = (drawn & alpha).sum() / (drawn | alpha).sum()
    assert overlap > 0.8


@needs_weights
def test_progress_names_the_stages_in_order_and_never_goes_back(result, told):
    assert list(dict.fromkeys(stage for stage, _ in told)) == list(STAGES)
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] and fractions[-1] <= 1


@needs_weights
def test_the_report_is_plain_and_complete(result, reconstructor):
    import json

    report = json.loads(json.dumps(result.report, allow_nan=False))
    assert report["weights_sha256"] == reconstructor.model.sha256 != ""
    assert report["head_weights_sha256"] == reconstructor.head_model.sha256 != ""
    assert set(report["seconds"]) == {*STAGES, "all"}
    assert 0 < report["mask_coverage"] < 1


@needs_weights
def test_the_same_request_gives_the_same_bytes(reconstructor, photo_path):
    request = Request(photo=photo_path, resolution=48)
    one, other = reconstructor.run(request), reconstructor.run(request)
    assert one.vertices.tobytes() == other.vertices.tobytes()
    assert one.albedo.tobytes() == other.albedo.tobytes()
    assert one.faces.tobytes() == other.faces.tobytes()


@needs_weights
def test_photo_detail_brings_the_visible_side_nearer_to_the_photo_without_a_print_behind(reconstructor, tmp_path):
    """A figure in a striped shirt; the same request with and without detail."""
    picture = figure()
    draw = ImageDraw.Draw(picture)
    for top in range(96, 200, 26):
        draw.rectangle((116, top, 184, top + 12), fill=(235, 215, 60, 255))
    picture.save(tmp_path / "striped.png")
    request = Request(photo=str(tmp_path / "striped.png"), resolution=96)
    sharp, soft = reconstructor.run(request), reconstructor.run(dataclasses.replace(request, photo_detail=False))
    same = slice(len(soft.vertices))  # after them come those of the triangles that hold the stripes
    assert len(sharp.vertices) > 1.02 * len(soft.vertices)
    sharp = dataclasses.replace(
        sharp, **{name: getattr(sharp, name)[same] for name in ("vertices", "normals", "albedo", "shaded")}
    )
    np.testing.assert_allclose(sharp.vertices, soft.vertices, atol=1e-6)
    np.testing.assert_allclose(sharp.normals, soft.normals, atol=1e-6)
    camera, v = sharp.camera, sharp.vertices
    towards = np.array(camera.position) - v
    facing = (sharp.normals * towards).sum(1) / np.linalg.norm(towards, axis=1)
    changed = (sharp.albedo != soft.albedo).any(1)
    assert changed[facing > 0.5].mean() > 0.5
    np.testing.assert_allclose(sharp.shaded * soft.albedo, soft.shaded * sharp.albedo, atol=1e-5)  # the same shading
    u, w = camera.project(v).T
    trunk = (abs(u - 150) < 25) & (abs(w - 150) < 40)
    shirt, back = trunk & (facing > 0.7), trunk & (facing < -0.5)
    assert back.sum() > 100 and sharp.albedo[back].std(0).max() < 0.8 * sharp.albedo[shirt].std(0).max()
    photo = np.asarray(picture)[w[shirt].astype(int), u[shirt].astype(int), :3] / 255
    errors = [np.abs(linear_to_srgb(result.shaded[shirt]) - photo).mean() for result in (sharp, soft)]
    assert shirt.sum() > 100 and errors[0] < 0.8 * errors[1]


@needs_weights
def test_cancelling_leaves_the_reconstructor_usable(reconstructor, photo_path):
    def stop(stage, fraction):
        if stage == "Finding surface" and fraction > STAGES[stage][0]:
            raise Cancelled

    request = Request(photo=photo_path, resolution=48)
    with pytest.raises(Cancelled):
        reconstructor.run(request, stop)
    assert len(reconstructor.run(request).vertices) > 100


@needs_weights
def test_the_people_to_choose_from_are_found(reconstructor, photo_path):
    told = []
    people = reconstructor.find_people(Request(photo=photo_path), lambda *news: told.append(news))
    np.testing.assert_array_equal(people.boxes, [[90, 30, 211, 371]])  # the alpha cuts the figure out
    assert people.thumbnails.shape[0] == 1 and people.thumbnails[0, ..., 3].any()
    assert [stage for stage, _ in told] == ["Reading photo", "Finding people"]


@needs_weights
def test_a_mask_of_ones_own_decides_and_is_shown_early(reconstructor, photo_path, tmp_path):
    """The figure without its left half, as it was painted away."""
    mask = np.asarray(figure())[..., 3].copy()
    mask[:, :150] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    request = Request(photo=photo_path, mask=str(tmp_path / "mask.png"), resolution=48)
    happened = []
    reconstructor.run(request, lambda stage, _: happened.append(stage), happened.append)
    at = next(number for number, one in enumerate(happened) if isinstance(one, np.ndarray))
    assert happened[at - 1] == "Finding person" and happened[at + 1] == "Encoding" and happened[at].shape[2] == 4
    assert np.array_equal(reconstructor.find_mask(request), mask)


@needs_weights
def test_where_nobody_is_found_the_mask_to_paint_on_is_black(reconstructor, tmp_path):
    Image.new("RGB", (200, 220), (90, 120, 90)).save(tmp_path / "lawn.png")
    mask = reconstructor.find_mask(Request(photo=str(tmp_path / "lawn.png")))
    assert mask.shape == (220, 200) and mask.dtype == np.uint8 and not mask.any()


@needs_weights
def test_nobody_to_choose_from_is_one_sentence(reconstructor, tmp_path):
    Image.new("RGB", (200, 200), (90, 120, 90)).save(tmp_path / "lawn.png")
    with pytest.raises(UserError, match="No person was found"):
        reconstructor.find_people(Request(photo=str(tmp_path / "lawn.png")))


@needs_weights
@pytest.mark.parametrize("change", [{"resolution": 4}, {"resolution": 4096}, {"height": 0.0}, {"photo": ""}])
def test_impossible_requests_are_refused(reconstructor, photo_path, change):
    with pytest.raises(UserError):
        reconstructor.run(Request(**{"photo": photo_path, **change}))


def test_missing_weights_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match="missing"):
        Reconstructor(weights=str(tmp_path / "none.safetensors"))


def _photo(width=200, height=300):
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    return Photo(np.broadcast_to(ramp[None, :, None], (height, width, 3)).copy(), None, None, "ramp.png")


def test_the_crop_shows_the_square_and_goes_on_beyond_the_edge():
    photo = _photo()
    person = Person((0.0, 50.0, 60.0, 250.0), np.ones((300, 200), np.float32), 1.0)
    image = crop(photo, person, CropSquare.around(person.box, 1.0), 64)
    assert image.shape == (64, 64, 4)
    inside = image[32, 32:, 0]  # photo columns 30 to 130
    np.testing.assert_allclose(inside, np.interp(np.linspace(31, 129, 32), [0, 199], [0, 1]), atol=0.02)
    assert (image[:, :20, 0] < 0.01).all()  # left of the photo: its first column goes on
    assert (image[:, :20, 3] == 0).all() and (image[10:50, 25:60, 3] == 1).all()


@pytest.mark.parametrize("pitch", [0.0, 0.3])
def test_the_scene_camera_sees_what_the_crop_camera_saw(pitch):
    rng = np.random.default_rng(0)
    vertices = rng.uniform(-0.8, 0.8, (50, 3)).astype(np.float32)
    square, distance = CropSquare(90.0, 160.0, 220.0), 3.0
    encoded = Encoded(None, square, distance, None, None, None, None, None)
    to_scene = scene_placement(vertices, 1.8, pitch)
    moved, camera = to_scene(vertices), scene_camera(to_scene, encoded, _photo())
    assert moved[:, 1].min() == pytest.approx(0, abs=1e-6) and moved.dtype == np.float32
    assert np.ptp(moved[:, 1]) == pytest.approx(1.8, abs=1e-5)
    at = project(torch.from_numpy(vertices), distance).numpy()
    expected = np.stack([90 + at[:, 0] * 110, 160 - at[:, 1] * 110], 1)
    np.testing.assert_allclose(camera.project(moved), expected, atol=1e-3)
    np.testing.assert_allclose(to_scene.turn_back(to_scene.turn(vertices)), vertices, atol=1e-6)


def test_a_cut_person_is_warned_about():
    mask = np.ones((300, 200), np.float32)
    assert warnings_about(_photo(), Person((50.0, 40.0, 150.0, 260.0), mask, 1.0)) == []
    (sentence,) = warnings_about(_photo(), Person((50.0, 40.0, 150.0, 300.0), mask, 1.0))
    assert "bottom" in sentence and "top" not in sentence
