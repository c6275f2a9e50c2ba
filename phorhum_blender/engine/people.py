"""Small pictures of the persons of a photo, from which a user chooses one."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from .contracts import People
from .person import Person
from .photo import Photo

SIDE = 128  # pixels of a thumbnail
LOOK_SIDE = 256  # pixels of the picture of the person that was chosen
MARGIN = 0.05  # of the box's longer side that a person's thumbnail shows around the box
DIMMED = 0.2  # of the colour of what the mask leaves out


def picture_people(photo: Photo, persons: list[Person]) -> People:
    """Boxes and thumbnails of ``persons``, in their order, and a thumbnail of the photo."""
    image = Image.fromarray(photo.rgb)
    boxes = np.array([person.box for person in persons], np.float32).reshape(-1, 4)
    thumbnails = [_thumbnail(image.crop(_with_margin(box, image.size))) for box in boxes.tolist()]
    return People(boxes, np.stack(thumbnails), _thumbnail(image))


def picture_chosen(photo: Photo, person: Person) -> np.ndarray:
    """(LOOK_SIDE, LOOK_SIDE, 4) uint8 sRGB: the person in full colour, what its mask leaves out dimmed."""
    left, top, right, bottom = _with_margin(list(person.box), (photo.width, photo.height))
    picture = ImageOps.contain(Image.fromarray(photo.rgb[top:bottom, left:right]), (LOOK_SIDE, LOOK_SIDE))
    mask = Image.fromarray(person.mask[top:bottom, left:right]).resize(picture.size, Image.Resampling.BOX)
    share = DIMMED + (1 - DIMMED) * np.asarray(mask, np.float32)[..., None]
    return _thumbnail(Image.fromarray((np.asarray(picture) * share).astype(np.uint8)), LOOK_SIDE)


def _with_margin(box: list[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """``box`` (x0 y0 x1 y1, pixels) a little enlarged, in whole pixels of a picture of ``size`` (width, height)."""
    x0, y0, x1, y1 = box
    margin = MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(0, round(x0 - margin)), max(0, round(y0 - margin))
    right, bottom = min(size[0], round(x1 + margin)), min(size[1], round(y1 + margin))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _thumbnail(image: Image.Image, side: int = SIDE) -> np.ndarray:
    """(side, side, 4) uint8: ``image`` (RGB) as large as fits, in the middle of a transparent square."""
    image = image.copy()
    image.thumbnail((side, side))
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.array(square)
