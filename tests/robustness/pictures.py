"""The suite's own photos: every format and mode, oddities, and things that are no photos at all."""

from __future__ import annotations

import functools
import io
import pickle
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageDraw

from tests.maker_notes import held, note

SIDE = 72  # pixels; a photo needs 64


@functools.cache
def corpus() -> dict[str, bytes]:
    """Name of each seed and its bytes."""
    return {**readable(), **refused()}


@functools.cache
def readable() -> dict[str, bytes]:
    """Photos that must be read."""
    colour, person = noise(SIDE, SIDE + 8), cut_out_person()
    deep = Image.fromarray(np.linspace(0, 65535, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE))
    floats = Image.fromarray(np.linspace(-1, 300, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE))
    lab = ImageCms.profileToProfile(
        colour, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    return {
        "jpeg": encoded(colour, "JPEG"),
        "jpeg progressive": encoded(colour, "JPEG", progressive=True, optimize=True),
        "jpeg grey": encoded(colour.convert("L"), "JPEG"),
        "jpeg cmyk": encoded(colour.convert("CMYK"), "JPEG"),
        "jpeg exif": encoded(colour, "JPEG", exif=exif(6, 50)),
        "jpeg exif tilt": encoded(colour, "JPEG", exif=tilted()),
        "jpeg exif nonsense": encoded(colour, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff"),
        "jpeg exif lies": encoded(colour, "JPEG", exif=exif(65535, 65535)),
        "jpeg profile nonsense": encoded(colour, "JPEG", icc_profile=b"nonsense" * 40),
        "jpeg several": encoded(colour, "MPO", **frames()),
        "png": encoded(colour, "PNG"),
        "png palette": encoded(colour.convert("P"), "PNG"),
        "png palette transparent": encoded(colour.convert("P"), "PNG", transparency=3),
        "png bits": encoded(colour.convert("1"), "PNG"),
        "png deep": encoded(deep, "PNG"),
        "png grey alpha": encoded(colour.convert("LA"), "PNG"),
        "png person": encoded(person, "PNG"),
        "png alpha all 0": encoded(with_alpha(colour, 0), "PNG"),
        "png alpha all 1": encoded(with_alpha(colour, 1), "PNG"),
        "png animated": encoded(colour, "PNG", **frames()),
        "png profile": encoded(colour, "PNG", icc_profile=lab_profile()),
        "webp": encoded(colour, "WEBP"),
        "webp lossless": encoded(person, "WEBP", lossless=True),
        "webp animated": encoded(colour, "WEBP", **frames()),
        "webp exif": encoded(colour, "WEBP", exif=exif(5, 24)),
        "tiff": encoded(colour, "TIFF"),
        "tiff lzw": encoded(colour, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": encoded(colour, "TIFF", compression="jpeg"),
        "tiff cmyk": encoded(colour.convert("CMYK"), "TIFF"),
        "tiff lab": encoded(lab, "TIFF"),
        "tiff float": encoded(floats, "TIFF"),
        "tiff deep": encoded(deep, "TIFF"),
        "tiff pages": encoded(colour, "TIFF", **frames()),
        "smallest": encoded(noise(64, 64), "PNG"),
    }


@functools.cache
def refused() -> dict[str, bytes]:
    """What must be refused."""
    colour = noise(SIDE, SIDE)
    return {
        "one pixel": encoded(noise(1, 1), "PNG"),
        "63 pixels": encoded(noise(63, 200), "JPEG"),
        "giant": empty_png(60_000, 60_000),
        "just too large": empty_png(10_001, 10_000),
        "long strip": empty_png(64, 1_500_000),
        "no pixels": empty_png(80, 80),
        "gif": encoded(colour, "GIF"),
        "bmp": encoded(colour, "BMP"),
        "ico": encoded(colour, "ICO"),
        "ppm": encoded(colour, "PPM"),
        "empty": b"",
        "text": b"This is not a photo.\n" * 50,
        "html": b"<!DOCTYPE html><html><body>404</body></html>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"></svg>',
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "zip": b"PK\x03\x04" + bytes(200),
        "pickle": pickle.dumps({"photo": list(range(100))}),
        "zeros": bytes(5000),
    }


def noise(width: int, height: int, number: int = 0) -> Image.Image:
    """Soft colours with some noise: compresses like a photo and has something in every place."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 9 + number), np.cos(y / 7), np.sin((x + y) / 11)], axis=-1)
    grain = np.random.default_rng(number).normal(0, 8, waves.shape)
    return Image.fromarray((128 + 100 * waves + grain).clip(0, 255).astype(np.uint8))


def cut_out_person(scale: int = 1) -> Image.Image:
    """A figure with a head, arms and legs on a transparent ground."""
    image = noise(96 * scale, 160 * scale)
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    draw.ellipse([v * scale for v in (38, 8, 58, 34)], fill=255)
    draw.rounded_rectangle([v * scale for v in (32, 32, 64, 90)], 8 * scale, fill=255)
    for box in ((20, 36, 30, 90), (66, 36, 76, 90), (34, 84, 46, 152), (50, 84, 62, 152)):
        draw.rounded_rectangle([v * scale for v in box], 4 * scale, fill=255)
    image.putalpha(mask)
    return image


def with_alpha(image: Image.Image, alpha: int) -> Image.Image:
    image = image.copy()
    image.putalpha(alpha)
    return image


def frames() -> dict[str, object]:
    """Options that save two more pictures behind the first one."""
    return {"save_all": True, "append_images": [noise(SIDE, SIDE + 8, 1), noise(SIDE, SIDE + 8, 2)]}


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.copy().save(stream, form, **options)  # a copy: Pillow keeps a JPEG's settings on the image and trips later
    return stream.getvalue()


def exif(orientation: int, millimetres: int) -> Image.Exif:
    values = Image.Exif()
    values[0x0112] = orientation
    values.get_ifd(0x8769)[0xA405] = millimetres
    return values


def tilted() -> Image.Exif:
    """EXIF of an iPhone that looked down."""
    values = exif(1, 26)
    values.get_ifd(0x8769)[0x927C] = note(held(0.2))
    return values


def lab_profile() -> bytes:
    """A colour profile that does not fit a picture of RGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def empty_png(width: int, height: int) -> bytes:
    """A header that promises a picture, and nothing behind it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
