"""The segmenter's squares, boxes and looks, with a network that sees colours; and the weights that ship."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phorhum_blender.engine.errors import Cancelled, UserError
from phorhum_blender.engine.segmenter import (
    DRAWING,
    LOOKS,
    PADDING_GREY,
    SHIPPED,
    Segmenter,
    Square,
    bounds,
    box_iou,
    prompted,
)
from tests.engine.colours import GREY, RED, ColourNetwork

SEEING, BLIND = Segmenter(ColourNetwork()), Segmenter(ColourNetwork(sees=False))


def silent() -> None:
    pass


def picture_with(box: tuple[int, int, int, int]) -> np.ndarray:
    """A red oblong on grey."""
    rgb = np.full((300, 400, 3), GREY, np.uint8)
    rgb[box[1] : box[3], box[0] : box[2]] = RED
    return rgb


def test_box_iou():
    assert box_iou((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert box_iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 2, 2), (3, 0, 4, 2)) == 0


@settings(max_examples=50, deadline=None)
@given(x=st.integers(0, 380), y=st.integers(0, 280), width=st.integers(4, 300), height=st.integers(4, 300))
def test_what_is_cut_out_can_be_pasted_back(x, y, width, height):
    picture = np.random.default_rng(0).random((300, 400)).astype(np.float32)
    square = Square.around((x, y, x + width, y + height))
    cut = square.cut(picture, fill=7)
    assert cut.shape == (square.side, square.side) and square.side >= 1.25 * max(width, height)
    pasted = square.paste(cut, 300, 400)
    inside = square.paste(np.ones_like(cut), 300, 400) > 0
    assert np.array_equal(pasted[inside], picture[inside]) and not pasted[~inside].any()
    assert (cut == 7).sum() == cut.size - inside.sum()
    box = square.inside((x, y, x + width, y + height))
    assert square.outside(box, square.side) == pytest.approx((x, y, x + width, y + height))


def test_beyond_the_photo_lies_grey():
    square = Square.around((0, 0, 100, 100))
    assert (square.cut(picture_with((0, 0, 400, 300)))[:10] == PADDING_GREY).all()


def test_the_network_sees_colour_and_box():
    image = prompted(picture_with((0, 0, 0, 0))[:200, :200], (50.0, 100.0, 150.0, 250.0), 64)
    assert image.shape == (4, 64, 64) and image.dtype == np.float32
    assert np.allclose(image[:3], 128 / 255)
    assert bounds(image[3] > 0) == (16, 32, 48, 64) and image[3].max() == 0.5


@pytest.mark.parametrize("box", [(100, 40, 160, 260), (60, 120, 340, 180), (300, 100, 400, 300)])
@pytest.mark.parametrize(
    "wrong", [(0, 0, 0, 0), (10, 20, -10, -20), (-15, -30, 15, 30), (0, 0, 0, -0.5), (0.5, 0, 0, 0)]
)
def test_the_box_is_found_from_one_that_is_wrong(box, wrong):
    width, height = box[2] - box[0], box[3] - box[1]
    pixels = [w * size if abs(w) < 1 else w for w, size in zip(wrong, (width, height) * 2, strict=True)]
    start = tuple(float(b + p) for b, p in zip(box, pixels, strict=True))
    found = SEEING.find_box(picture_with(box), start, silent)
    assert found == pytest.approx(box, abs=4)


def test_where_nobody_is_the_box_stays():
    box = (100.0, 40.0, 160.0, 260.0)
    assert BLIND.find_box(picture_with((100, 40, 160, 260)), box, silent) == box


def test_what_is_seen_beyond_the_photo_is_no_box():
    class Corner(ColourNetwork):
        def encode(self, images):
            encoding = super().encode(images)
            encoding.features[:] = -8
            encoding.features[..., :4, :4] = 8  # of the square: above the photo
            return encoding

    box = (100.0, 0.0, 160.0, 60.0)
    assert Segmenter(Corner()).find_box(picture_with((100, 0, 160, 60)), box, silent) == box


def test_the_mean_of_all_looks_and_their_number():
    looks = []
    box = (100.0, 40.0, 160.0, 260.0)
    rgb = picture_with((100, 40, 160, 260))
    SEEING.find_box(rgb, (100.0, 40.0, 160.0, 100.0), lambda: looks.append(1))
    chance = SEEING.chance(rgb, box, DRAWING, lambda: looks.append(1))
    assert 2 * len(DRAWING) < len(looks) <= LOOKS
    square = Square.around(box)
    assert chance.shape == (square.side, square.side) and chance.dtype == np.float32
    assert square.outside(bounds(chance > 0.5), square.side) == pytest.approx(box, abs=2)


def test_it_can_be_stopped():
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        SEEING.find_box(picture_with((100, 40, 160, 260)), (100.0, 40.0, 160.0, 260.0), stop)


def test_missing_weights(monkeypatch, tmp_path):
    monkeypatch.setattr("phorhum_blender.engine.segmenter.SHIPPED", tmp_path / "segmenter.safetensors")
    with pytest.raises(UserError, match="segmenter.safetensors was not found"):
        Segmenter.load()


def test_the_file_that_ships():
    assert SHIPPED.stat().st_size <= 26 * 2**20
    assert Segmenter.load().network.sha256
