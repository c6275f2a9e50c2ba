"""How far the camera looked down, as iPhones write it into their photos.

Their maker note keeps the acceleration that the phone feels while the photo is taken, which points up while it is held
still; in units of g along axes that, seen from the front of the phone, point to the left, to the bottom and into it
(ExifTool's documentation, "Apple Tags").
"""

from __future__ import annotations

import io
import math

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

SIGNATURE = b"Apple iOS\0\0\1MM"  # then a directory of big-endian fields, counted from the note's first byte
EMPTY_TIFF = b"MM\0*\0\0\0\0"  # the byte order, for Pillow
ACCELERATION, FRONT_CAMERA = 0x0008, 0x0045  # fields of the note
STILL = 0.1  # g: who moves the phone more than this while it takes the photo leaves its tilt open


def camera_tilt(image: Image.Image) -> float | None:
    """Radians by which the camera looked down; None where the photo does not tell."""
    try:
        note = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.MakerNote)
        return _tilt(_fields(note)) if isinstance(note, bytes) and note.startswith(SIGNATURE) else None
    except Exception:  # broken metadata of an intact picture
        return None


def _fields(note: bytes) -> ImageFileDirectory_v2:
    fields = ImageFileDirectory_v2(EMPTY_TIFF)
    file = io.BytesIO(note)
    file.seek(len(SIGNATURE))
    fields.load(file)
    return fields


def _tilt(fields: ImageFileDirectory_v2) -> float | None:
    acceleration = [float(value) for value in fields[ACCELERATION]]
    size = math.hypot(*acceleration)
    if len(acceleration) != 3 or not abs(size - 1) <= STILL:  # nor where it is no number
        return None
    into_the_phone = math.asin(acceleration[2] / size)  # the way in which the camera at the back looks
    return into_the_phone if fields.get(FRONT_CAMERA) == 1 else -into_the_phone
