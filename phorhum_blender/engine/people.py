"""Small pictures of the persons of a photo, from which a user chooses one."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .contracts import People
from .person import Person
from .photo import Photo

SIDE = 128  # pixels of a thumbnail
MARGIN = 0.05  # of the box's longer side that a person's thumbnail shows around the box


def picture_people(photo: Photo, persons: list[Person]) -> People:
    """Boxes and thumbnails of ``persons``, in their order, and a thumbnail of the photo."""
    image = Image.fromarray(photo.rgb)
    boxes = np.array([person.box for person in persons], np.float32).reshape(-1, 4)
    thumbnails = [_thumbnail(image.crop(_with_margin(box, image.size))) for box in boxes.tolist()]
    return People(boxes, np.stack(thumbnails), _thumbnail(image))


def _with_margin(box: list[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """``box`` (x0 y0 x1 y1, pixels) a little enlarged, in whole pixels of a picture of ``size`` (width, height)."""
    x0, y0, x1, y1 = box
    margin = MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(0, round(x0 - margin)), max(0, round(y0 - margin))
    right, bottom = min(size[0], round(x1 + margin)), min(size[1], round(y1 + margin))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _thumbnail(image: Image.Image) -> np.ndarray:
    """(SIDE, SIDE, 4) uint8: ``image`` (RGB) as large as fits, in the middle of a transparent square."""
    image = image.copy()
    image.thumbnail((SIDE, SIDE))
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return np.array(square)
