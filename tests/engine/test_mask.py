"""A mask of the user's own in place of the photo's alpha."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from phorhum_blender.engine import person as person_module
from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.mask import with_mask
from phorhum_blender.engine.person import select_person
from phorhum_blender.engine.photo import Photo

SIZE = (120, 200)  # width and height


@pytest.fixture
def photo(monkeypatch):
    """A photo whose own transparency shows the upper left quarter; nobody may be searched for in it."""
    monkeypatch.setattr(person_module, "_detector", lambda path: pytest.fail("there is no need to search"))
    alpha = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    alpha[:100, :60] = 255
    return Photo(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8), alpha, None, "made up")


@pytest.fixture
def painted():
    """(H, W) uint8: the mask of somebody in the middle, with a soft edge to the left."""
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[50:150, 40:80] = 255
    mask[50:150, 39] = 100
    return mask


def write(mask, path, mode="L"):
    Image.fromarray(mask).convert(mode).save(path)
    return str(path)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_mask_beats_the_photos_alpha_and_the_search(photo, painted, tmp_path, mode):
    path = write(painted, tmp_path / "mask.png", mode)
    person = select_person(with_mask(photo, path), Request("made up", mask=path, person=3))
    assert person.box == (40, 50, 80, 150)
    np.testing.assert_allclose(person.mask, painted / 255, atol=1 / 255)


def test_a_cut_out_is_a_mask_too(photo, painted, tmp_path):
    painted[50:100, 40:60] = 0  # transparent but for a rectangle is a picture with a margin
    rgba = np.dstack([np.full((*painted.shape, 3), 20, np.uint8), painted])
    Image.fromarray(rgba).save(tmp_path / "cut.png")
    assert np.array_equal(with_mask(photo, str(tmp_path / "cut.png")).alpha, painted)


def test_a_box_takes_its_part_of_the_mask(photo, painted, tmp_path):
    path = write(painted, tmp_path / "mask.png")
    person = select_person(with_mask(photo, path), Request("made up", mask=path, box=(30, 40, 90, 100)))
    assert person.box == (40, 50, 80, 100)
    np.testing.assert_allclose(person.mask[:100], painted[:100] / 255, atol=1 / 255)
    assert not person.mask[100:].any()


def test_without_a_mask_the_photo_stays_as_it_is(photo):
    assert with_mask(photo, "") is photo


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda mask: mask[:, :90], "The mask mask.png has 90 x 200 pixels, the photo 120 x 200. Both must have the"),
        (lambda mask: mask // 3, "The mask mask.png marks nobody. Paint the person white."),
    ],
)
def test_a_mask_that_does_not_fit_is_one_sentence(photo, painted, tmp_path, change, sentence):
    path = write(change(painted), tmp_path / "mask.png")
    with pytest.raises(UserError, match=sentence):
        with_mask(photo, path)


def test_no_mask_where_one_was_promised(photo, tmp_path):
    with pytest.raises(UserError, match=r"There is no mask at .*none.png"):
        with_mask(replace(photo, alpha=None), str(tmp_path / "none.png"))
