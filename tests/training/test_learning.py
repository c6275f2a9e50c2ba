"""Photos and the trainer, on people made of ellipsoids."""

import itertools
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from phorhum_blender.engine.colour import linear_to_srgb, srgb_to_linear
from phorhum_blender.engine.head import HALF_SIDE
from phorhum_blender.engine.model import HEAD, PhorhumModel
from phorhum_blender.engine.model.feature_extractor import DENSE_CHANNELS, DENSE_MAPS, Encoding
from phorhum_blender.engine.skeleton import BONES, JOINT, JOINTS
from training import train
from training.cache import POINT_STEP, Placed, gather, lay_out, load_sample, make_sample, place_head
from training.dataset import Photos, halve, make_photo, mirror
from training.light import Environment, Light, disc_lamp, even_sky, load_environments, shade
from training.losses import WEIGHTS, compute_losses, map_losses
from training.render import sphere_directions
from training.subjects import Split, Subject, list_subjects, load_poses
from training.train import best_precision, loss_weights


def ellipsoid_person(rng, axes):
    """A rigless person: one ellipsoid of the given half axes, blue."""
    mesh = trimesh.creation.icosphere(subdivisions=3)
    vertices = mesh.vertices * axes
    faces = np.asarray(mesh.faces, np.int32)
    blue = np.tile(np.array([30, 60, 180, 255], np.uint8), (2, 2, 1))
    subject = Subject(
        "ellipsoid", "valid", vertices.astype(np.float32), faces, np.zeros((1, 2), np.float32), np.zeros_like(faces),
        np.zeros(len(faces), int), (blue,), np.zeros((len(vertices), 4), int), np.zeros((len(vertices), 4)),
        np.zeros((1, 3)), np.zeros((1, 3)), np.array([-1]), ("Hips",),
    )  # fmt: skip
    joints = np.linspace(-1, 1, len(JOINTS))[:, None] * np.array(axes) * 0.9  # somewhere within
    return Placed(subject, vertices, 4.0, 1.0, joints, 0.0)


def write_samples(folder, count, seed):
    """Samples whose depth can be told from their outline: as deep as they are wide."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for k in range(count):
        wide = rng.uniform(0.15, 0.5)
        placed = ellipsoid_person(rng, [wide, rng.uniform(0.6, 0.85), wide])
        np.savez(folder / f"{k:04d}.npz", **make_sample(placed, rng))


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    """A folder with one environment map: bright above, dark below."""
    import cv2

    folder = tmp_path_factory.mktemp("assets")
    (folder / "hdri").mkdir()
    sky = np.linspace(1.5, 0.1, 384, dtype=np.float32)[:, None, None] * np.ones((384, 768, 3), np.float32)
    assert cv2.imwrite(str(folder / "hdri" / "sky.hdr"), sky)
    return folder


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples") / "train"
    write_samples(folder, 4, 1)
    return folder


def first(samples):
    return load_sample(sorted(samples.glob("*.npz"))[0])


def test_a_sample_knows_its_depth(samples):
    sample = first(samples)
    middle = sample["front"][128, 128], sample["back"][128, 128]
    assert middle[0] == pytest.approx(-middle[1], abs=0.01)
    inside = sample["distance"] < 0
    assert 0.1 < inside.mean() < 0.6
    assert sample["camera"].tolist() == [4.0, 1.0]


def test_a_small_sample_shows_the_same_in_fewer_pixels(tmp_path):
    placed = ellipsoid_person(np.random.default_rng(0), [0.3, 0.7, 0.3])
    for size in (128, 256):
        np.savez(tmp_path / f"{size}.npz", **make_sample(placed, np.random.default_rng(1), size))
    small, large = load_sample(tmp_path / "128.npz"), halve(load_sample(tmp_path / "256.npz"))
    both = small["hit"] & large["hit"]
    assert both.shape == (128, 128) and both.sum() > 0.97 * np.count_nonzero(small["hit"] | large["hit"])
    np.testing.assert_allclose(small["alpha"], large["alpha"], atol=64)
    difference = small["front"][both].astype(np.float32) - large["front"][both]
    assert np.abs(difference).mean() < 0.01  # the pixel kept of four lies a little beside their centre
    np.testing.assert_array_equal(small["camera"], large["camera"])


def test_a_large_sample_has_all_of_its_pixels_in_their_places(tmp_path):
    placed = ellipsoid_person(np.random.default_rng(0), [0.3, 0.7, 0.3])
    np.savez(tmp_path / "0.npz", **make_sample(placed, np.random.default_rng(1), 320, maps_only=True))
    sample = load_sample(tmp_path / "0.npz")
    rows, columns = (np.flatnonzero(sample["hit"].any(axis)) for axis in (1, 0))
    assert (rows[0] + rows[-1], columns[0] + columns[-1]) == (319, 319)
    assert np.ptp(rows) > 200 and lay_out(gather(sample))["hit"].sum() == sample["hit"].sum() > 10_000


def test_a_sample_for_maps_alone_teaches_g_and_has_nothing_of_the_field(samples, assets, tmp_path):
    placed = ellipsoid_person(np.random.default_rng(0), [0.3, 0.7, 0.3])
    made = {maps_only: make_sample(placed, np.random.default_rng(1), 128, maps_only=maps_only) for maps_only in (0, 1)}
    for name, full in made[0].items():
        if name not in ("visible", "directions", "points", "distance", "surface", "surface_normal", "surface_albedo"):
            np.testing.assert_array_equal(made[1][name], full)
    assert made[1]["visible"].shape[1] == made[0]["visible"].shape[1] / 4
    np.savez(tmp_path / "0.npz", **made[1])
    photo = make_photo(mirror(load_sample(tmp_path / "0.npz")), load_environments(assets), np.random.default_rng(3), 96)
    whole = make_photo(first(samples), load_environments(assets), np.random.default_rng(3), 96)
    field = {"points", "distance", "surface", "surface_normal", "surface_albedo", "off_surface"}
    assert whole.keys() - photo.keys() == field and not field & photo.keys()
    losses = compute_losses(PhorhumModel(), {name: value[None] for name, value in photo.items()}, with_field=False)
    assert torch.stack(list(losses.values())).isfinite().all()


def test_samples_that_cannot_teach_are_told_at_once(samples, assets, tmp_path):
    placed = ellipsoid_person(np.random.default_rng(0), [0.3, 0.7, 0.3])
    folder = tmp_path / "maps"
    folder.mkdir()
    arguments = ["--cache", str(folder), "--held-out", str(samples), "--assets", str(assets), "--out", str(tmp_path)]
    with pytest.raises(SystemExit, match="There are no samples in"):
        train.main([*arguments, "--minutes", "1"])
    np.savez(folder / "0.npz", **make_sample(placed, np.random.default_rng(1), 64, maps_only=True))
    with pytest.raises(SystemExit, match="teach G alone; add --maps-only"):
        train.main([*arguments, "--minutes", "1"])
    with np.load(folder / "0.npz") as sample:
        np.savez(folder / "0.npz", **{key: sample[key] for key in sample.files if key != "pitch"})
    with pytest.raises(SystemExit, match="are of an older version"):
        train.main([*arguments, "--minutes", "1", "--maps-only"])


def test_mirroring_twice_changes_nothing(samples):
    sample = first(samples)
    twice = mirror(mirror(sample))
    for key in sample:
        np.testing.assert_array_equal(twice[key], sample[key])


def test_a_light_is_brightest_where_its_lamps_stand_close():
    lamps = (
        disc_lamp(np.array([1.0, 0.2, 0.3]), 0.3) + disc_lamp(np.array([-1.0, 0.5, 0.5]), 0.3).times(0.7) + even_sky()
    )
    middle = np.array([1.0, 0.2, 0.3])
    assert lamps.brightest() @ middle / np.linalg.norm(middle) > np.cos(np.radians(8))


def test_a_mirrored_sample_is_lit_from_the_other_side(samples):
    sample = first(samples)
    right = disc_lamp(np.array([1.0, 0.2, 0.5]), 30.0)
    left = Light(right.direction * np.float32([-1, 1, 1]), right.colour)
    shading = _shading(sample, right)
    assert shading.std() > 0.1
    np.testing.assert_allclose(_shading(mirror(sample), left), shading[:, ::-1], atol=1e-5)


def _shading(sample, light):
    normals, visible = sample["normal"].reshape(-1, 3) / np.float32(127), sample["visible"].reshape(256 * 256, -1)
    return shade(light, normals, visible, sample["directions"]).reshape(256, 256, 3)


@pytest.mark.parametrize("size", [128, 192, 256])
def test_a_photo_and_its_targets(samples, assets, size):
    photo = make_photo(first(samples), load_environments(assets), np.random.default_rng(3), size)
    assert photo["image"].shape == (4, size, size)
    assert 0 <= photo["image"].min() and photo["image"].max() <= 1
    for name, channels in DENSE_MAPS.items():
        assert photo[name].shape == (channels, size // 2, size // 2)
    assert all(torch.isfinite(v).all() for v in photo.values())
    deep = photo["weight"][0] > 0
    assert (photo["front"][0][deep] >= photo["back"][0][deep]).all()


def test_the_same_seed_gives_the_same_photos(samples, assets):
    one, other = (next(iter(Photos(samples, assets, 128, seed=5))) for _ in range(2))
    assert all(torch.equal(one[k], other[k]) for k in one)
    third = next(iter(Photos(samples, assets, 128, seed=6)))
    assert not torch.equal(one["image"], third["image"])


@pytest.mark.parametrize("workers", [1, 3])
def test_photos_do_not_depend_on_who_makes_them(samples, assets, workers, monkeypatch):
    """Photo i is photo i for any number of loading workers, and processes share each batch without overlap."""

    def numbers(rank, world, worker):
        photos = Photos(samples, assets, 64, first=100, batch=4 // world, rank=rank, world=world)
        monkeypatch.setattr(
            torch.utils.data, "get_worker_info", lambda: type("Info", (), {"id": worker, "num_workers": workers})
        )
        return list(itertools.islice(photos._numbers(), 12))

    alone = sorted(sum((numbers(0, 1, worker) for worker in range(workers)), []))
    assert alone == list(range(100, 100 + 12 * workers))
    shared = [numbers(rank, 2, 0) for rank in range(2)]
    assert not set(shared[0]) & set(shared[1])
    assert sorted(shared[0][:2] + shared[1][:2]) == numbers(0, 1, 0)[:4]


def test_an_epoch_shows_every_sample_once(samples, assets, monkeypatch):
    seen = []
    monkeypatch.setattr(Photos, "load", lambda self, path: seen.append(path.name))
    monkeypatch.setattr(Photos, "photo", lambda self, sample, environments, rng: {})
    list(itertools.islice(Photos(samples, assets, 64), 8))
    names = sorted(path.name for path in samples.glob("*.npz"))
    assert sorted(seen[:4]) == sorted(seen[4:]) == names
    again = len(seen)
    list(itertools.islice(Photos(samples, assets, 64, first=5), 3))  # a run that goes on in the middle of an epoch
    assert seen[again:] == seen[5:8]


def test_unshadowed_light_is_what_a_ball_shows(samples):
    """A convex body casts no shadow on itself."""
    sample = first(samples)
    sky = np.linspace(2, 0.5, 384, dtype=np.float32)[:, None, None] * np.ones((384, 768, 3), np.float32)
    light = Environment(sky).light + disc_lamp(np.array([1.0, 1, 1]), 0.0)
    lit = sample["hit"]
    shading = _shading(sample, light)[lit]
    expected = light.shading(sample["normal"][lit].astype(np.float32) / 127)
    assert np.abs(shading - expected).mean() < 0.02 * shading.mean()


def test_an_even_sky_lights_all_sides_alike():
    light = Environment(np.ones((384, 768, 3), np.float32)).light.turned(0.3)
    np.testing.assert_allclose(light.shading(sphere_directions(40)), 1, atol=0.01)
    np.testing.assert_allclose(even_sky().shading(sphere_directions(40)), 1, atol=0.01)


def test_the_middle_of_the_turned_map_lies_behind_the_person():
    sky = np.zeros((384, 768, 3), np.float32)
    sky[150:230, 344:424] = 100
    before, behind = Environment(sky).light.shading(np.array([[0, 0, 1.0], [0, 0, -1.0]])).mean(1)
    assert behind > 100 * before


def test_srgb_round_trip():
    x = np.linspace(0, 1, 101)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(x)), x, atol=1e-6)


def test_perfect_maps_have_no_loss(samples, assets):
    photo = make_photo(first(samples), load_environments(assets), np.random.default_rng(3), 128)
    batch = {k: v[None] for k, v in photo.items()}
    batch["mask"] = (batch["mask"] > 0.5).float()
    features = torch.zeros(1, DENSE_CHANNELS, 64, 64)
    start = 0
    for name, channels in DENSE_MAPS.items():
        value = batch[name]
        if name == "mask":
            value = value * 40 - 20
        elif name.startswith("albedo"):
            value = torch.logit(value.clamp(1e-6, 1 - 1e-6))
        features[:, start : start + channels] = value
        start += channels
    rest = (
        torch.zeros(1, 4),
        torch.zeros(1, len(JOINTS), 3),
        torch.zeros(1, len(JOINTS), 32, 32),
        torch.zeros(1, len(BONES), 64, 64),
    )
    losses = map_losses(Encoding(batch["image"], features, *rest), batch)
    assert all(value.item() < 1e-5 for value in losses.values())
    features[:, 1] += 0.02  # two hundredths of a unit in front
    worse = map_losses(Encoding(batch["image"], features, *rest), batch)
    assert worse["front"].item() == pytest.approx(0.02, abs=1e-4)
    assert worse["depth_cm"].item() == pytest.approx(1.0, abs=0.01)  # mean of front (2 cm) and back (0)
    assert worse["relief"].item() < 1e-5


def test_training_learns_depth_and_resumes(samples, assets, tmp_path):
    """The CPU smoke run: held-out depth error falls, and a second slice goes on where the first one ended."""
    write_samples(tmp_path / "held_out", 4, 2)
    command = [sys.executable, "-m", "training.train", "--cache", str(samples)]
    command += [
        "--held-out",
        str(tmp_path / "held_out"),
        "--assets",
        str(assets),
        "--out",
        str(tmp_path / "run"),
        "--size",
        "64",
        "--batch",
        "2",
    ]
    command += ["--workers", "0", "--stage", "smoke", "--lr", "2e-3"]
    for steps in ("5", "60"):
        subprocess.run([*command, "--minutes", "30", "--steps", steps], check=True, timeout=600)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    before, after = (entry for entry in log if "held_out" in entry)
    assert before["step"] == 5 and after["step"] == 60
    assert after["held_out"]["depth_cm"] < 0.8 * before["held_out"]["depth_cm"]
    assert set(after["held_out"]) == {*WEIGHTS, "depth_cm", "joint_cm", "point_iou"}
    PhorhumModel.load(tmp_path / "run" / "weights.safetensors")
    assert len(list((tmp_path / "run" / "progress").glob("*.png"))) == 2


def test_heads_are_learned_by_networks_of_their_own(assets, tmp_path):
    """A step from samples of heads: smaller networks, no loss of joints that a head's picture does not show."""
    for name in ("train", "held_out"):
        (tmp_path / name).mkdir()
        for seed in range(4):
            placed = place_head(
                ellipsoid_person(np.random.default_rng(seed), [0.3, 0.7, 0.3]), np.random.default_rng(1)
            )
            np.savez(tmp_path / name / f"{seed}.npz", **make_sample(placed, np.random.default_rng(1), 64, head=True))
    run = tmp_path / "run"
    arguments = ["--cache", str(tmp_path / "train"), "--held-out", str(tmp_path / "held_out"), "--assets", str(assets)]
    arguments += ["--out", str(run), "--size", "64", "--batch", "2", "--workers", "0", "--minutes", "9", "--steps", "2"]
    train.main([*arguments, "--network", "head", "--no-patches"])
    assert PhorhumModel.load(run / "weights.safetensors").config == replace(HEAD, image_size=64)
    (entry,) = (json.loads(line) for line in (run / "log.jsonl").read_text().splitlines())
    assert "surface_normal" in entry["held_out"] and "surface" not in entry  # the body's core and gap are no heads'
    weights = loss_weights(["relief=2"], "head")
    assert weights["joints"] == weights["joint_depth"] == 0 and weights["relief"] == 2
    assert loss_weights([])["joints"] == WEIGHTS["joints"]


def test_a_head_fills_its_square_and_only_what_is_near_it_is_learned():
    placed = ellipsoid_person(np.random.default_rng(0), [0.1, 0.9, 0.1])
    placed.joints[[JOINT["neck"], JOINT["crown"]]] = [0, 0.55, 0], [0, 0.9, 0]
    heads = [place_head(placed, np.random.default_rng(seed)) for seed in range(40)]
    middle = np.array([(head.joints[JOINT["neck"]] + head.joints[JOINT["crown"]])[:2] / 2 for head in heads])
    assert np.abs(middle.mean(0) - [0, -0.1]).max() < 0.05 and (middle.std(0) > 0.04).all()
    length = [np.linalg.norm(head.joints[JOINT["crown"]] - head.joints[JOINT["neck"]]) for head in heads]
    assert np.median(length) == pytest.approx(1 / HALF_SIDE, rel=0.05)
    for head, long in zip(heads, length, strict=True):
        assert head.unit == pytest.approx(0.35 / long) and head.pitch < -5  # seen from below
    sample = make_sample(heads[0], np.random.default_rng(0), 64, head=True)
    assert np.abs(sample["surface"] * POINT_STEP).max(0)[1] <= 1.2  # the trunk reaches down to about -7
    assert 0.2 < (sample["distance"] < 0).mean() < 0.7 and sample["visible"].shape[1] == 8


def test_two_processes_learn_as_one(samples, assets, tmp_path):
    """torchrun with two processes and one process: the same global batch, the same losses and gradients after some
    steps; half of the batch is told apart. Two steps: each makes differences of rounding many times larger."""
    arguments = ["--cache", str(samples), "--held-out", str(samples), "--assets", str(assets), "--size", "64"]
    arguments += ["--workers", "0", "--minutes", "30", "--steps", "2", "--threads", "1", "--lr", "1e-2"]
    arguments += ["--precision", "fp32"]  # 16 bits round a batch of two otherwise than one of four
    alone = [sys.executable, "-m", "training.train"]
    both = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    both += ["-m", "training.train"]
    curves, gradients = {}, {}
    for name, command, batch in (("one", alone, 4), ("two", both, 4), ("half", alone, 2)):
        run = tmp_path / name
        subprocess.run([*command, *arguments, "--batch", str(batch), "--out", str(run)], check=True, timeout=600)
        entry = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
        assert entry["step"] == 2 and entry["images"] == 2 * batch
        curves[name], gradients[name] = entry["held_out"], mean_gradients(run)
    assert curves["one"] == pytest.approx(curves["two"], rel=1e-2, abs=1e-3)
    rounding, other = ((gradients["one"] - gradients[name]).norm() for name in ("two", "half"))
    assert rounding < 0.1 * other


def mean_gradients(run):
    """The moving averages of all gradients that the optimiser of a run ended with, in one vector."""
    parts = torch.load(run / "checkpoint.pt", weights_only=True)["optimiser"].values()
    states = [state for part in parts for state in part["state"].values()]
    return torch.cat([state["momentum" if "momentum" in state else "exp_avg"].flatten() for state in states])


def test_what_is_held_out_is_never_trained_on(shared_dir):
    assets = shared_dir / "assets"
    split = Split.load(assets)
    for kind, name in list_subjects(assets):
        if kind == "rocketbox":
            assert name not in split.rocketbox
        else:
            assert not any(f"{person}_" in name for person in split.subjects)
            assert not any(name.endswith(outfit) for outfit in split.outfits)
    trained, held = (load_poses(assets, held_out) for held_out in (False, True))
    known = {pose.tobytes() for pose in trained}
    assert not any(pose.tobytes() in known for pose in held)
    groups = {g: len(list_subjects(assets, g)) for g in ("train", "seen garments", "unseen garments", "rocketbox")}
    assert sum(groups.values()) == len(list((assets / "valid").glob("*.npz"))) + len(
        list((assets / "rocketbox").glob("*.npz"))
    )
    assert min(groups.values()) >= 9


def test_gathering_and_laying_out_changes_nothing(samples):
    sample = first(samples)
    back = lay_out(gather(sample))
    assert set(back) == set(sample)
    for key in sample:
        np.testing.assert_array_equal(back[key], sample[key])


@pytest.mark.parametrize("size", [64, 128])
def test_small_samples_are_kept_in_memory_and_are_the_same(samples, assets, size):
    photos = Photos(samples, assets, size)
    path = sorted(samples.glob("*.npz"))[0]
    read, kept = photos.load(path), photos.load(path)
    assert path in photos.kept and len(read["hit"]) == size
    for key in read:
        np.testing.assert_array_equal(kept[key], read[key])


def test_a_mirrored_person_has_his_sides_exchanged(samples):
    sample = first(samples)
    mirrored = mirror(sample)
    left, right = JOINTS.index("l_wrist"), JOINTS.index("r_wrist")
    np.testing.assert_allclose(mirrored["joints"][left], sample["joints"][right] * [-1, 1, 1])


def test_sixteen_bits_serve_only_processors_that_have_instructions_for_them(monkeypatch):
    for has_them, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has_them=has_them: {"avx512_bf16": has_them})
        assert best_precision("cpu") == precision
        assert best_precision("cuda") == "bf16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {})  # of other makers
    assert best_precision("cpu") == "fp32"
