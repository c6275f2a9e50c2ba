"""The tilt of the camera, from maker notes as iPhones write them."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from phorhum_blender.engine.gravity import SIGNATURE, camera_tilt
from phorhum_blender.engine.photo import load_photo
from tests.maker_notes import STEP, held, note


def photo(maker_note):
    image = Image.new("RGB", (96, 80))
    exif = image.getexif()
    exif[0x010F] = "Apple"
    exif.get_ifd(0x8769)[0x927C] = maker_note
    return image


@given(st.floats(-1.4, 1.4), st.floats(0, 2 * math.pi))
def test_the_tilt_is_told_however_the_phone_is_turned(tilt, turn):
    assert camera_tilt(photo(note(held(tilt, turn)))) == pytest.approx(tilt, abs=2e-3)


def test_the_camera_at_the_front_looks_the_other_way():
    for front, tilt in ((0, 0.3), (1, -0.3)):
        assert camera_tilt(photo(note(held(0.3), front))) == pytest.approx(tilt, abs=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        note((0.0, -1.4, 0.2)),  # shaken
        note((0.0, 0.0, 0.0)),
        note(held(0.3))[:-9],  # cut off
        note(held(0.3)).replace(b"Apple", b"Pears"),
        note(held(0.3)).replace(struct.pack(">i", STEP), struct.pack(">i", 0)),  # divided by nothing
        b"",
        SIGNATURE,
    ],
)
def test_other_notes_tell_nothing(wrong):
    assert camera_tilt(photo(wrong)) is None


@pytest.mark.filterwarnings("ignore")
@given(st.binary(max_size=60))
def test_no_note_whatever_it_holds_breaks_the_photo(junk):
    camera_tilt(photo(SIGNATURE + junk))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_file_tells_its_tilt(tmp_path, suffix):
    image = photo(note(held(0.2)))
    image.save(tmp_path / f"a.{suffix}", exif=image.getexif())
    assert load_photo(tmp_path / f"a.{suffix}").tilt == pytest.approx(0.2, abs=1e-3)


def test_a_photo_without_a_record_leaves_the_tilt_open(tmp_path):
    Image.new("RGB", (96, 80)).save(tmp_path / "a.jpg")
    assert load_photo(tmp_path / "a.jpg").tilt is None
