"""Photos as Blender's images, upright as the engine sees them."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from .created import Created

_UPRIGHT_LONG_SIDE = 2048  # pixels at most of the copy of a photo that must be turned
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Upright:
    """A photo that Blender shows upright."""

    image: bpy.types.Image
    size: tuple[int, int]  # width and height of the upright photo, pixels; a turned copy in ``image`` may have fewer


def load_upright(created: Created, path: Path, expected: tuple[int, int] | None = None) -> Upright | None:
    """The photo as an image data-block, linked to its file, or packed where it had to be turned upright.

    None where Blender cannot read it, or not with the ``expected`` size.
    """
    known = set(bpy.data.images)
    try:
        stored = bpy.data.images.load(str(path), check_existing=True)
    except RuntimeError:
        return None
    orientation = exif_orientation(path)
    width, height = tuple(stored.size) if orientation <= 4 else tuple(stored.size)[::-1]
    readable = width > 0 and expected in (None, (width, height))
    if readable and orientation == 1:
        return Upright(stored if stored in known else created.add(stored), (width, height))
    upright = Upright(_turned_copy(created, stored, orientation), (width, height)) if readable else None
    if stored not in known:
        bpy.data.images.remove(stored)
    return upright


def _turned_copy(created: Created, stored: bpy.types.Image, orientation: int) -> bpy.types.Image:
    width, height = stored.size
    pixels = np.empty(width * height * 4, dtype=np.float32)
    stored.pixels.foreach_get(pixels)
    top_down = pixels.reshape(height, width, 4)[::-1]  # Blender's first row is the lowest
    step = math.ceil(max(stored.size) / _UPRIGHT_LONG_SIDE)
    upright = turn_upright(top_down[::step, ::step], orientation)
    image = created.add(bpy.data.images.new(f"{stored.name} upright", upright.shape[1], upright.shape[0]))
    image.pixels.foreach_set(np.ascontiguousarray(upright[::-1]).ravel())
    image.pack()
    return image


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """``pixels`` (H, W, C), first row on top, as stored with this EXIF ``orientation`` (1 to 8), turned upright."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def exif_orientation(path: Path) -> int:
    """The EXIF orientation (1 to 8) of a JPEG; 1 for other files and where there is none. Blender ignores it."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 17)
    except OSError:
        return 1
    if head[:2] != b"\xff\xd8":
        return 1
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF and head[at + 1] != 0xDA:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if marker == 0xE1 and head[at + 4 : at + 10] == b"Exif\0\0":
            return _tiff_orientation(head[at + 10 : at + 2 + length])
        at += 2 + length
    return 1


def _tiff_orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG and kind == 3 and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass  # a damaged header tells nothing
    return 1
