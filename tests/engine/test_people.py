"""The persons to choose from, as pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phorhum_blender.engine.contracts import People
from phorhum_blender.engine.devices import available_devices
from phorhum_blender.engine.export import load_people, load_picture, save_people, save_picture
from phorhum_blender.engine.people import LOOK_SIDE, SIDE, picture_chosen, picture_people
from phorhum_blender.engine.person import Person, candidates
from phorhum_blender.engine.photo import Photo

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def photo():
    """200 x 100 pixels, blue with a red box at x 40..60, y 10..90."""
    rgb = np.full((100, 200, 3), BLUE, np.uint8)
    rgb[10:90, 40:60] = RED
    return Photo(rgb, None, None, "made up")


def person(*box):
    return Person(tuple(map(float, box)), np.zeros((100, 200), np.float32), 1.0)


def test_a_thumbnail_shows_the_person_and_little_around(photo):
    people = picture_people(photo, [person(40, 10, 60, 90), person(0, 0, 200, 100)])
    assert people.thumbnails.shape == (2, SIDE, SIDE, 4)
    np.testing.assert_array_equal(people.boxes, [[40, 10, 60, 90], [0, 0, 200, 100]])
    opaque = people.thumbnails[0][..., 3] > 0
    red = people.thumbnails[0][..., 0] > 128
    assert red[opaque].mean() > 0.5
    assert tuple(people.thumbnails[0][SIDE // 2, SIDE // 2]) == (*RED, 255)


def test_pictures_keep_their_proportions(photo):
    opaque = picture_people(photo, [person(40, 10, 60, 90)]).photo[..., 3] > 0
    assert opaque.any(axis=1).sum() == SIDE // 2 and opaque.any(axis=0).sum() == SIDE


def test_the_chosen_one_is_shown_and_what_the_mask_leaves_out_is_dimmed(photo):
    mask = np.zeros((100, 200), np.float32)
    mask[:50] = 1
    picture = picture_chosen(photo, replace(person(40, 10, 60, 90), mask=mask))
    assert picture.shape == (LOOK_SIDE, LOOK_SIDE, 4)
    middle = picture[:, LOOK_SIDE // 2]
    assert tuple(middle[LOOK_SIDE // 3]) == (*RED, 255) and tuple(middle[2 * LOOK_SIDE // 3]) == (51, 0, 0, 255)


def test_a_picture_survives_the_way_over_the_wall(tmp_path):
    picture = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    save_picture(picture, tmp_path / "picture.npz")
    assert np.array_equal(load_picture(tmp_path / "picture.npz"), picture)


@pytest.mark.parametrize("box", [(0, 0, 0.2, 0.2), (199.6, 99.6, 200, 100), (0, 0, 200, 1)])
def test_no_box_is_too_small_for_a_picture(photo, box):
    assert picture_people(photo, [person(*box)]).thumbnails[0][..., 3].any()


def test_a_cut_out_person_is_the_only_candidate(photo):
    alpha = np.zeros((100, 200), np.uint8)
    alpha[10:90, 40:60] = 255
    found = candidates(replace(photo, alpha=alpha))
    assert [tuple(one.box) for one in found] == [(40, 10, 60, 90)]


def test_people_survive_their_file(photo, tmp_path):
    people = picture_people(photo, [person(40, 10, 60, 90)])
    save_people(people, tmp_path / "1.npz")
    loaded = load_people(tmp_path / "1.npz")
    for name in People.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(people, name))


def test_the_processor_is_always_a_device():
    assert available_devices()[0] == "cpu"
