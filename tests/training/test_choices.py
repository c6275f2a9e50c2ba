"""How photos are made where runs of training may differ."""

import numpy as np
import pytest
import torch
from PIL import Image

from phorhum_blender.engine.model import PhorhumModel
from tests.training.shapes import write_assets, write_samples
from training import dataset, train
from training.cache import BOX, FIELD, load_sample
from training.dataset import (
    ENLARGED_SHARE,
    KNOWN_SHARE,
    OWN_PHOTO_SHARE,
    Choices,
    Photos,
    detector_mask,
    make_photo,
    somebody_else,
)
from training.light import load_environments


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    return write_assets(tmp_path_factory.mktemp("assets"))


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("samples") / "train", 2)


@pytest.fixture(scope="module")
def sample(samples):
    return load_sample(sorted(samples.glob("*.npz"))[0])


def photo(sample, assets, seed, **choices):
    return make_photo(sample, load_environments(assets), np.random.default_rng(seed), 64, Choices(**choices))


def test_own_photos_are_the_background_of_their_share(sample, assets, tmp_path):
    Image.new("RGB", (300, 300), (255, 0, 255)).save(tmp_path / "magenta.png")
    corners = [
        photo(sample, assets, seed, backgrounds=tmp_path)["image"][:3, :4, :4].mean((1, 2)) for seed in range(40)
    ]
    own = [torch.allclose(corner, torch.tensor([1.0, 0.0, 1.0]), atol=0.12) for corner in corners]
    assert OWN_PHOTO_SHARE - 0.25 < np.mean(own) < OWN_PHOTO_SHARE + 0.25


def test_the_same_seed_gives_the_same_photos_with_own_backgrounds(samples, assets, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    streams = [iter(Photos(samples, assets, 64, seed=5, choices=Choices(tmp_path))) for _ in range(2)]
    for _ in range(3):
        one, other = (next(stream) for stream in streams)
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_enlarged_pictures_have_fewer_pixels_than_they_show(sample, assets):
    """Differences between neighbours become smaller in about their share of the pictures, and colours stay."""

    def sharpness(made):
        return float(made["image"].diff(dim=2).abs().mean())

    pairs = [(photo(sample, assets, seed), photo(sample, assets, seed, enlarged=True)) for seed in range(30)]
    softer = [sharpness(enlarged) < 0.999 * sharpness(usual) for usual, enlarged in pairs]
    assert ENLARGED_SHARE - 0.25 < np.mean(softer) < ENLARGED_SHARE + 0.25
    for usual, enlarged in pairs:
        assert torch.allclose(usual["image"].mean((1, 2)), enlarged["image"].mean((1, 2)), atol=0.02)


def test_masks_as_chosen(sample, assets):
    for seed in range(3):
        assert (photo(sample, assets, seed, mask="unknown")["image"][3] == 0.5).all()
        true = photo(sample, assets, seed, mask="true")
        assert torch.allclose(true["image"][3].reshape(32, 2, 32, 2).mean((1, 3)), true["mask"][0], atol=0.02)


def test_bars_cross_the_person_and_cut_half_of_the_masks(sample, assets, monkeypatch):
    alpha = sample["alpha"] > 127
    for seed in range(40):
        bar = dataset._bar(alpha.astype(np.float32), np.random.default_rng(seed))
        assert bar.shape == alpha.shape and bar.min() == 0 and 0.5 < bar.max() <= 1
        assert (bar[alpha] > 0.5).any() and (bar > 0.5).mean() < 0.12
    plain = [photo(sample, assets, seed) for seed in range(60)]
    monkeypatch.setattr(dataset, "BAR_SHARE", 1.0)
    monkeypatch.setattr(dataset, "detector_mask", lambda alpha, beside, rng: alpha)
    barred = [photo(sample, assets, seed) for seed in range(60)]
    given = [made["image"][3].reshape(32, 2, 32, 2).mean((1, 3)) for made in barred]
    cut = [bool((mask < 0.95)[made["mask"][0] > 0.99].any()) for mask, made in zip(given, barred, strict=True)]
    assert 0.25 < np.mean(cut) < 0.75
    assert all(torch.equal(a["mask"], b["mask"]) for a, b in zip(plain, barred, strict=True))  # the goal is the whole


DISC = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 12


def test_masks_take_in_pieces_of_somebody_else_or_of_the_background():
    """Some coarse masks, near the person only; the others lose no more than a detector's do."""
    alpha = DISC.astype(np.float32)
    near = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 12 + 8 + 18  # reach of a piece, and its longer half
    beside = np.zeros_like(alpha)
    beside[:, 40:] = 1
    beside *= 1 - alpha
    shares = []
    for cover in (np.zeros_like(alpha), beside):
        masks = [detector_mask(alpha, cover, np.random.default_rng(seed)) for seed in range(300)]
        known = [mask for mask in masks if not (mask == 0.5).all()]
        assert len(known) > 200
        too_much = [((mask > 0.5) & ~DISC).sum() > 60 for mask in known]
        shares.append(np.mean(too_much))
        assert all((mask > 0.5)[~near].sum() < 60 for mask in known)
    assert 0.03 < shares[0] < shares[1] < 0.6


def test_somebody_else_stands_beside_in_other_colours():
    person = np.where(DISC[..., None], np.float32([0.9, 0.5, 0.1]), 0).astype(np.float32)
    for seed in range(20):
        colour, cover = somebody_else(person, DISC.astype(np.float32), np.random.default_rng(seed))
        column = np.average(np.arange(64), weights=cover.sum(0))
        assert 0.05 * 64 < abs(column - 31.5) < 0.46 * 64 + 1
        assert 0 <= colour.min() and colour.max() <= 1
        assert cover.sum() < 1.4 * DISC.sum()
    assert not np.allclose(colour[cover > 0.99], [0.9, 0.5, 0.1], atol=0.05)


def test_what_is_wanted_knows_nothing_of_strangers(sample, assets):
    """Somebody else is in the picture, not in the maps that G is to give."""
    alone, beside = (photo(sample, assets, 11, mask="true", strangers=share) for share in (0.0, 1.0))
    for name in ("mask", "front", "albedo", "weight"):
        assert torch.equal(alone[name], beside[name])
    assert not torch.allclose(alone["image"][:3], beside["image"][:3], atol=0.1)


def test_points_as_chosen(sample, assets):
    """Near points hug the surface, those of the whole box fill it, those along rays are seen through the person."""
    mean = {kind: photo(sample, assets, 0, points=(kind,))["distance"].abs().mean() for kind in ("near", "rays", "box")}
    assert mean["near"] < 0.06 < mean["rays"] < mean["box"]
    box = photo(sample, assets, 0, points=("box",))
    assert np.abs(box["points"].numpy().std(0) - np.ptp(BOX, axis=0) / 12**0.5).max() < 0.05
    assert len(box["points"]) == len(photo(sample, assets, 0)["points"])


def test_g_is_told_the_camera_of_its_share_and_about_rightly(sample, assets):
    sample = {**sample, "pitch": np.array(10.0, np.float32)}
    near, knows_distance, down, knows_pitch = np.stack([photo(sample, assets, s)["view"].numpy() for s in range(60)]).T
    for knows in (knows_distance, knows_pitch):
        assert set(knows) == {0, 1} and KNOWN_SHARE - 0.25 < knows.mean() < KNOWN_SHARE + 0.25
    assert 0.2 < (knows_distance == knows_pitch).mean() < 0.8
    assert (near == 0).all()  # at four units, where these people stand
    assert (down[knows_pitch == 0] == 0).all()
    assert down[knows_pitch == 1].mean() == pytest.approx(10 * np.sin(np.radians(10)), abs=0.15)


def test_the_camera_is_told_as_often_as_chosen(sample, assets):
    for share in (0.0, 1.0):
        view = photo(sample, assets, 0, told=share)["view"]
        assert view[1] == view[3] == share


@pytest.fixture
def mixed(samples, tmp_path):
    """Samples of which half teach G alone."""
    for path in samples.glob("*.npz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        with np.load(path) as whole:
            np.savez(tmp_path / f"g{path.name}", **{key: whole[key] for key in whole.files if key not in FIELD})
    return tmp_path


@pytest.mark.parametrize("field", [True, False])
@pytest.mark.parametrize("first", [0, 3])  # after a stage of batches of another size
def test_samples_for_g_alone_may_lie_among_others(mixed, assets, field, first):
    """All photos of a batch have the same parts; f learns from those that have its own."""
    stream = iter(Photos(mixed, assets, 64, first=first, batch=2, choices=Choices(field=field)))
    batches = [[next(stream).keys() for _ in range(2)] for _ in range(8)]
    assert all(one == other for one, other in batches)
    teaching = sum("points" in one for one, _ in batches)
    assert teaching == (4 if field else 0)


def test_f_learns_from_the_samples_that_teach_it(mixed, samples, assets, tmp_path):
    arguments = ["--cache", str(mixed), "--held-out", str(samples), "--assets", str(assets), "--size", "64"]
    arguments += ["--batch", "2", "--workers", "0", "--minutes", "9", "--threads", "1", "--no-patches"]
    networks = []
    for steps in (1, 3):  # two batches make an epoch
        train.main([*arguments, "--out", str(tmp_path / "run"), "--steps", str(steps)])
        networks.append(PhorhumModel.load(tmp_path / "run" / "weights.safetensors").state_dict())
    for part in ("feature_extractor", "surface_field", "shading_network"):
        before, after = ([v for name, v in network.items() if name.startswith(part)] for network in networks)
        assert any(not torch.equal(x, y) for x, y in zip(before, after, strict=True)), part


def write_names(folder, count, *names):
    """``count`` files with arrays of these ``names``."""
    for k in range(count):
        np.savez(folder / f"{len(names)}{k:03d}.npz", **{name: np.zeros(1) for name in names})


def test_an_epoch_is_of_whole_batches_that_teach_f_or_do_not(assets, tmp_path):
    write_names(tmp_path, 43, "pixel")
    write_names(tmp_path, 21, "pixel", "points")
    photos = Photos(tmp_path, assets, 192, batch=2, world=2)
    paths = sorted(tmp_path.glob("*.npz"))
    seen = []
    for seed in range(8):
        epoch = photos.shuffled(paths, np.random.default_rng(seed))
        assert len(epoch) == len(set(epoch)) == 60  # of 43 and 21, whole batches of four
        for k in range(0, 60, 4):
            assert len({path.name[0] for path in epoch[k : k + 4]}) == 1
        seen += epoch
    assert set(seen) == set(paths)  # nobody is left out for good
    assert seen[:60] != seen[60:120]


def test_fewer_samples_than_a_batch_come_several_times(assets, tmp_path):
    write_names(tmp_path, 3, "pixel")
    paths = sorted(tmp_path.glob("*.npz"))
    epoch = Photos(tmp_path, assets, 192, batch=8).shuffled(paths, np.random.default_rng(0))
    assert len(epoch) == 8 and {epoch.count(path) for path in paths} == {2, 3}
