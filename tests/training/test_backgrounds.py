"""A user's own photos behind the people."""

import numpy as np
import pytest
from PIL import Image

from phorhum_blender.engine.errors import UserError
from training import backgrounds
from training.backgrounds import KEPT_SIDE, background_photos, load_background, photo_background

COLOURS = {"red.jpg": (250, 5, 5), "green.PNG": (5, 250, 5), "blue.webp": (5, 5, 250), "grey.tif": (90, 90, 90)}


@pytest.fixture
def folder(tmp_path):
    for name, colour in COLOURS.items():
        Image.new("RGB", (400, 300), colour).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photo")
    return tmp_path


def test_every_kind_of_photo_becomes_a_background(folder):
    rng = np.random.default_rng(0)
    seen = {tuple((photo_background(folder, rng, 32).mean((0, 1)) * 5).round().astype(int)) for _ in range(60)}
    assert seen == {tuple(round(c / 255 * 5) for c in colour) for colour in COLOURS.values()}


def test_crops_are_random_squares_of_the_photo_the_same_for_the_same_seed(tmp_path):
    """A photo that is a ramp to the right: a crop is a part of it, neither squeezed nor mirrored."""
    ramp = np.tile(np.linspace(0, 255, 500).astype(np.uint8)[None, :, None], (400, 1, 3))
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    crops = [photo_background(tmp_path, np.random.default_rng(seed), 64)[..., 0] for seed in (1, 1, 2, 3)]
    np.testing.assert_array_equal(crops[0], crops[1])
    assert not np.array_equal(crops[0], crops[2])
    for crop in crops:
        across = crop[:, -1].mean() - crop[:, 0].mean()
        assert 0.9 * backgrounds.LEAST_CROP * 400 / 500 < across < 400 / 500
        assert np.abs(np.diff(crop, axis=0)).max() < 0.01


def test_a_photo_is_shrunk_once_and_kept(tmp_path, monkeypatch):
    Image.new("RGB", (1600, 900), (9, 9, 9)).save(tmp_path / "large.jpg")
    first = load_background(tmp_path / "large.jpg")
    assert min(first.shape[:2]) == KEPT_SIDE and first.dtype == np.uint8
    monkeypatch.setattr(backgrounds, "load_photo", None)
    assert load_background(tmp_path / "large.jpg") is first


def test_a_folder_without_photos_and_a_broken_photo_are_told(tmp_path):
    with pytest.raises(ValueError, match="holds no photo"):
        background_photos(tmp_path)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(UserError, match="broken.jpg"):
        load_background(broken)
