"""Reading photos: every mode and format becomes upright sRGB, everything else one sentence."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.photo import MATTE, load_photo


def picture(width: int = 96, height: int = 80) -> Image.Image:
    """Red, green, blue and white quarters: reading order from the top left."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: height // 2, : width // 2] = (255, 0, 0)
    array[: height // 2, width // 2 :] = (0, 255, 0)
    array[height // 2 :, : width // 2] = (0, 0, 255)
    array[height // 2 :, width // 2 :] = (255, 255, 255)
    return Image.fromarray(array)


def quarters(rgb: np.ndarray) -> list[tuple[int, ...]]:
    """Colours at the middle of each quarter."""
    h, w = rgb.shape[:2]
    return [tuple(int(v) for v in rgb[y, x]) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]


COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


def close(found: list[tuple[int, ...]], wanted: list[tuple[int, ...]], tolerance: int = 6) -> bool:
    return bool(np.abs(np.array(found) - np.array(wanted)).max() <= tolerance)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_formats(tmp_path: Path, suffix: str):
    path = tmp_path / f"photo.{suffix}"
    picture().save(path, **({"quality": 95} if suffix in ("jpg", "webp") else {}))
    photo = load_photo(path)
    assert photo.rgb.shape == (80, 96, 3) and photo.rgb.dtype == np.uint8
    assert (photo.width, photo.height) == (96, 80)
    assert photo.alpha is None and photo.focal_pixels is None and photo.path == str(path)
    assert close(quarters(photo.rgb), COLOURS)


@pytest.mark.parametrize("mode", ["P", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB"])
def test_colour_modes(tmp_path: Path, mode: str):
    image = picture()
    if mode == "LAB":
        image = ImageCms.profileToProfile(
            image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    else:
        image = image.convert(mode)
    path = tmp_path / ("photo.png" if mode in ("P", "RGBA") else "photo.tiff")
    image.save(path)
    eight_bit_lab_is_coarse = 24 if mode == "LAB" else 6
    assert close(quarters(load_photo(path).rgb), COLOURS, eight_bit_lab_is_coarse)


def test_cmyk_jpeg(tmp_path: Path):
    path = tmp_path / "photo.jpg"
    picture().convert("CMYK").save(path, quality=95)
    assert close(quarters(load_photo(path).rgb), COLOURS)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff"])
def test_grey(tmp_path: Path, suffix: str):
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(np.full((70, 90), 77, np.uint8)).save(path)
    assert np.abs(load_photo(path).rgb.astype(int) - 77).max() <= 1


def test_black_and_white(tmp_path: Path):
    path = tmp_path / "photo.png"
    array = np.zeros((80, 80), bool)
    array[:, 40:] = True
    Image.fromarray(array).save(path)
    rgb = load_photo(path).rgb
    assert rgb[:, :40].max() == 0 and rgb[:, 40:].min() == 255


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, suffix: str):
    path = tmp_path / f"photo.{suffix}"
    ramp = np.broadcast_to(np.linspace(0, 65535, 256).astype(np.uint16), (100, 256))
    Image.fromarray(np.ascontiguousarray(ramp)).save(path)
    assert np.array_equal(load_photo(path).rgb[50, :, 1], np.arange(256))


def test_sixteen_bit_colour_png(tmp_path: Path):
    """Pillow can't write these, so the file is put together by hand."""
    ramp = np.linspace(0, 65535, 64).astype(">u2")
    row = b"\x00" + np.repeat(ramp, 3).tobytes()

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * 64)) + chunk(b"IEND", b"")
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    rgb = load_photo(path).rgb
    assert np.abs(rgb[0, :, 0].astype(float) - ramp.astype(float) / 257).max() <= 1


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_float_tiff(tmp_path: Path, scale: float):
    path = tmp_path / "photo.tiff"
    values = np.linspace(0, scale, 80, dtype=np.float32)
    Image.fromarray(np.ascontiguousarray(np.broadcast_to(values, (80, 80)))).save(path)
    rgb = load_photo(path).rgb
    assert rgb[0, 0, 0] == 0 and rgb[0, -1, 0] == 255 and abs(int(rgb[0, 40, 0]) - 129) <= 1


ORIENTED = {
    1: [0, 1, 2, 3],
    2: [1, 0, 3, 2],
    3: [3, 2, 1, 0],
    4: [2, 3, 0, 1],
    5: [0, 2, 1, 3],
    6: [2, 0, 3, 1],
    7: [3, 1, 2, 0],
    8: [1, 3, 0, 2],
}


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_exif_orientation(tmp_path: Path, orientation: int, suffix: str):
    path = tmp_path / f"photo.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture().save(path, exif=exif, **({"quality": 95} if suffix in ("jpg", "webp") else {}))
    photo = load_photo(path)
    assert (photo.width, photo.height) == ((80, 96) if orientation >= 5 else (96, 80))
    assert close(quarters(photo.rgb), [COLOURS[k] for k in ORIENTED[orientation]])


def test_broken_exif_is_ignored(tmp_path: Path):
    path = tmp_path / "photo.jpg"
    picture().save(path, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert load_photo(path).rgb.shape == (80, 96, 3)


def test_focal_length_goes_by_the_diagonal(tmp_path: Path):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 50
    picture(300, 400).save(path, exif=exif)
    assert load_photo(path).focal_pixels == pytest.approx(50 / 43.27 * 500)


@pytest.mark.parametrize("millimetres", [0, 1, 65535])
def test_nonsense_focal_length(tmp_path: Path, millimetres: int):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = millimetres
    picture().save(path, exif=exif)
    assert load_photo(path).focal_pixels is None


def test_embedded_profile_is_applied(tmp_path: Path):
    """A profile whose red and blue are swapped must swap them in the photo."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(data[k : k + 4]): k for k in range(132, 132 + 12 * struct.unpack(">I", data[128:132])[0], 12)}
    data[tags[b"rXYZ"] : tags[b"rXYZ"] + 4], data[tags[b"bXYZ"] : tags[b"bXYZ"] + 4] = b"bXYZ", b"rXYZ"
    data = (
        bytes(data)
        .replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))
        .replace(b"sRGB built", b"test built")
    )
    path = tmp_path / "photo.png"
    picture().save(path, icc_profile=data)
    assert close(quarters(load_photo(path).rgb), [COLOURS[2], COLOURS[1], COLOURS[0], COLOURS[3]], 12)


def test_broken_profile_is_ignored(tmp_path: Path):
    path = tmp_path / "photo.png"
    picture().save(path, icc_profile=b"nonsense" * 40)
    assert quarters(load_photo(path).rgb) == COLOURS


def with_alpha(alpha: np.ndarray) -> Image.Image:
    image = picture(alpha.shape[1], alpha.shape[0])
    image.putalpha(Image.fromarray(alpha))
    return image


def disc(size: int = 100) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size / 2
    return np.where(np.hypot(y, x * 1.5) < size * 0.4, 255, 0).astype(np.uint8)


def test_alpha_that_cuts_out(tmp_path: Path):
    path = tmp_path / "photo.png"
    with_alpha(disc()).save(path)
    photo = load_photo(path)
    assert np.array_equal(photo.alpha, disc())
    assert (photo.rgb[disc() == 0] == MATTE).all()
    assert tuple(photo.rgb[49, 49]) == (255, 0, 0)


def test_alpha_turns_with_the_photo(tmp_path: Path):
    alpha = disc()
    alpha[:50] = 0
    exif = Image.Exif()
    exif[0x0112] = 3
    path = tmp_path / "photo.png"
    with_alpha(alpha).save(path, exif=exif)
    assert np.array_equal(load_photo(path).alpha, alpha[::-1, ::-1])


@pytest.mark.parametrize("name", ["opaque", "see-through everywhere", "rounded corners", "speck", "half"])
def test_alpha_that_is_no_mask(tmp_path: Path, name: str):
    alpha = np.full((100, 100), 255, np.uint8)
    if name == "see-through everywhere":
        alpha[:] = 200
    elif name == "rounded corners":
        alpha[:3, :3] = alpha[-3:, :3] = alpha[:3, -3:] = alpha[-3:, -3:] = 0
    elif name == "speck":
        alpha[:] = 0
        alpha[50:55, 50:54] = 255
    elif name == "half":
        alpha[:, :50] = 0
    path = tmp_path / "photo.png"
    with_alpha(alpha).save(path)
    assert load_photo(path).alpha is None


def test_transparent_palette_colour(tmp_path: Path):
    array = (disc() > 0).astype(np.uint8)
    image = Image.fromarray(array, "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    path = tmp_path / "photo.png"
    image.save(path, transparency=0)
    photo = load_photo(path)
    assert np.array_equal(photo.alpha, disc())
    assert tuple(photo.rgb[50, 50]) == (200, 100, 50)


def test_grey_with_alpha(tmp_path: Path):
    image = Image.fromarray(np.full((100, 100), 90, np.uint8))
    image.putalpha(Image.fromarray(disc()))
    path = tmp_path / "photo.png"
    image.save(path)
    photo = load_photo(path)
    assert np.array_equal(photo.alpha, disc()) and tuple(photo.rgb[50, 50]) == (90, 90, 90)


def test_first_frame_of_an_animation(tmp_path: Path):
    path = tmp_path / "photo.webp"
    first, second = Image.new("RGB", (80, 80), (200, 0, 0)), Image.new("RGB", (80, 80), (0, 0, 200))
    first.save(path, save_all=True, append_images=[second], lossless=True)
    assert tuple(load_photo(path).rgb[40, 40]) == (200, 0, 0)


@pytest.mark.parametrize("form", ["GIF", "BMP", "ICO", "PPM"])
def test_other_formats(tmp_path: Path, form: str):
    path = tmp_path / "photo.jpg"  # the name does not matter
    picture().save(path, form)
    with pytest.raises(UserError, match=r"photo\.jpg is not a JPEG, PNG, WebP or TIFF"):
        load_photo(path)


def test_missing_file_and_folder(tmp_path: Path):
    with pytest.raises(UserError, match="There is no photo at"):
        load_photo(tmp_path / "missing.jpg")
    with pytest.raises(UserError, match="is a folder"):
        load_photo(tmp_path)


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "nul\0.jpg", "a/" * 3000])
def test_names_that_no_file_can_have(tmp_path: Path, name: str):
    with pytest.raises(UserError, match="There is no photo at"):
        load_photo(tmp_path / name)


def test_empty_file(tmp_path: Path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"")
    with pytest.raises(UserError, match="not a JPEG"):
        load_photo(path)


@settings(max_examples=25, deadline=None)
@given(width=st.integers(1, 90), height=st.integers(1, 90))
def test_sizes(width: int, height: int):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.png"
        Image.new("RGB", (width, height), (1, 2, 3)).save(path)
        if min(width, height) < 64:
            with pytest.raises(UserError, match=f"is {width} x {height} pixels; each side needs at least 64"):
                load_photo(path)
        else:
            assert load_photo(path).rgb.shape == (height, width, 3)


@pytest.mark.parametrize("side", [10_100, 60_000])
def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path, side: int):
    """Only the header says so: the file holds no pixels at all, so decoding would fail in another way."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    path = tmp_path / "photo.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )
    with pytest.raises(UserError, match="megapixels"):
        load_photo(path)


def encoded(form: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, form)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@settings(max_examples=25, deadline=None)
@given(part=st.floats(0.0, 0.95))
def test_truncated_files(form: str, part: float):
    data = encoded(form)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo"
        path.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(UserError, match="damaged"):
            load_photo(path)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8))
def test_corrupt_files_are_read_or_refused_in_a_sentence(form: str, places: list[tuple[float, int]]):
    data = bytearray(encoded(form))
    for place, value in places:
        data[int(place * len(data))] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo"
        path.write_bytes(data)
        try:
            photo = load_photo(path)
        except UserError as error:
            assert str(error).endswith(".")
        else:
            assert photo.rgb.ndim == 3 and photo.rgb.dtype == np.uint8
