"""Masks painted by the user: the engine's mask as an image, and the way back to the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import masks, measured  # noqa: E402
from phorhum_blender.addon.masks import PHOTO_KEY, mask_image, settled  # noqa: E402
from phorhum_blender.engine.contracts import Request  # noqa: E402
from tests.addon.conftest import FakeJob  # noqa: E402
from tests.addon.snapshot import scene_state  # noqa: E402

MASK = FakeJob([], None).load_mask()


def brightness(image):
    """(H, W) 0..1, first row on top."""
    return np.array(image.pixels[:]).reshape(image.size[1], image.size[0], 4)[::-1, :, 0]


def paint(image):
    """What a stroke of the brush does: the upper left corner becomes white."""
    pixels = np.array(image.pixels[:], np.float32).reshape(image.size[1], image.size[0], 4)
    pixels[-40:, :40] = 1
    image.pixels.foreach_set(pixels.ravel())
    assert image.is_dirty


@pytest.fixture(autouse=True)
def folder(blender, tmp_path, monkeypatch):
    monkeypatch.setattr(masks, "user_folder", lambda name: str(tmp_path / name))
    return tmp_path / "masks"


@pytest.fixture
def image(client, photo):
    settings = bpy.context.scene.phorhum
    settings.photo, settings.person = photo, 1
    assert bpy.ops.phorhum.paint_mask() == {"FINISHED"}
    return mask_image(settings.mask)


def test_the_mask_that_the_engine_finds_is_there_to_be_painted_on(client, photo, image, folder):
    assert client.masks == [Request(photo, person=1)]
    assert bpy.context.scene.phorhum.mask == str(folder / "jo smith mask 1.png")
    np.testing.assert_allclose(brightness(image), MASK / 255, atol=1e-3)
    shown = image[PHOTO_KEY]
    assert shown.filepath == photo and tuple(shown.size) == tuple(image.size)
    assert [i.name for i in bpy.data.images if i.filepath == photo] == [shown.name]  # no copy is left over


def test_the_request_names_the_file_of_the_mask(client, photo, image):
    file = bpy.context.scene.phorhum.mask
    bpy.ops.phorhum.reconstruct(filepath=photo, mask=file)
    assert client.requests == [Request(photo, mask=file)]
    bpy.ops.phorhum.reconstruct_again()
    assert client.requests[1].mask == file
    bpy.context.scene.phorhum.mask = ""
    bpy.ops.phorhum.restore_settings()
    assert bpy.context.scene.phorhum.mask == file


def test_what_was_painted_goes_along_and_the_old_mask_stays_for_make_again(client, photo, image, folder):
    settings, before = bpy.context.scene.phorhum, (folder / "jo smith mask 1.png").read_bytes()
    bpy.ops.phorhum.reconstruct(filepath=photo, mask=settings.mask)
    paint(image)
    bpy.ops.phorhum.reconstruct(filepath=photo, mask=settings.mask)
    first, second = (request.mask for request in client.requests)
    assert Path(first).read_bytes() == before and second == settings.mask == str(folder / "jo smith mask 2.png")
    seen = brightness(bpy.data.images.load(second))
    assert seen[:40, :40].min() > 0.99 and np.abs(seen - MASK / 255)[40:].max() < 0.01
    assert settled(second) == second and mask_image(second) == image


def test_painting_goes_on_from_the_mask_given(client, photo, tmp_path):
    settings = bpy.context.scene.phorhum
    settings.photo, settings.mask = photo, str(tmp_path / "own.png")
    bpy.ops.phorhum.paint_mask()
    assert client.masks == [Request(photo, mask=str(tmp_path / "own.png"))]
    assert settings.mask != str(tmp_path / "own.png")  # whose file is not painted on


def test_another_photo_has_another_mask(image):
    bpy.context.scene.phorhum.photo = "/somewhere/else.jpg"
    assert bpy.context.scene.phorhum.mask == ""


def test_a_photo_that_blender_cannot_read_is_said_to_be_one(client, tmp_path):
    (tmp_path / "no.jpg").write_text("no image")
    bpy.context.scene.phorhum.photo = str(tmp_path / "no.jpg")
    before = scene_state()
    with pytest.raises(RuntimeError, match="Blender cannot show this photo"):
        bpy.ops.phorhum.paint_mask()
    assert scene_state() == before


def test_a_mask_without_a_photo_cannot_be_painted(client):
    with pytest.raises(RuntimeError, match="Choose a photo first"):
        bpy.ops.phorhum.paint_mask()


def test_clearing_the_cache_keeps_the_masks_that_the_file_uses(client, photo, image, folder):
    """One mask stands in the panel, one made a person, one is named by nothing; a file of the user's is no mask."""
    bpy.ops.phorhum.reconstruct(filepath=photo, mask=str(folder / "jo smith mask 1.png"))
    paint(image)
    bpy.context.scene.phorhum.mask = settled(bpy.context.scene.phorhum.mask)
    for name in ("ann mask 1.png", "ann.png"):
        (folder / name).write_bytes(b"x" * 1000)
    assert len(measured.knowledge().runs) == 1
    assert masks.delete_unused() == (1, 1000)
    (folder / "ann mask 1.png").touch()
    assert bpy.ops.phorhum.clear_cache() == {"FINISHED"}
    assert sorted(path.name for path in folder.iterdir()) == ["ann.png", "jo smith mask 1.png", "jo smith mask 2.png"]
    assert measured.knowledge().runs == () and measured.knowledge().devices == ("cpu",)


def test_a_mask_that_cannot_be_deleted_is_told(blender, folder):
    (folder / "ann mask 1.png").mkdir(parents=True)
    with pytest.raises(RuntimeError, match="Can't delete"):
        bpy.ops.phorhum.clear_cache()
