"""A mask of the user's own: a picture of the photo's size, white where the person is.

It takes the place of the photo's alpha, so whatever holds for a photo with the background cut away holds for it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from .errors import UserError
from .photo import Photo, load_photo

LEAST_PIXELS = 512  # what a mask must mark at least


def with_mask(photo: Photo, path: str) -> Photo:
    """``photo`` with the mask at ``path`` for its alpha; as it is where ``path`` is "". Raises :class:`UserError`."""
    return replace(photo, alpha=load_mask(path, photo)) if path else photo


def load_mask(path: str, photo: Photo) -> np.ndarray:
    """(H, W) uint8 of the photo's size, 255 where the person is: the picture's alpha if that cuts somebody out, else
    how bright it is. Raises :class:`UserError` where it can't be read, does not fit the photo or marks nobody."""
    if not os.path.isfile(path):
        raise UserError(f"There is no mask at {path}.", "Choose another one, or leave it empty.")
    picture = load_photo(path)
    name = Path(path).name
    if (picture.width, picture.height) != (photo.width, photo.height):
        raise UserError(
            f"The mask {name} has {picture.width} x {picture.height} pixels, the photo {photo.width} x {photo.height}.",
            "Both must have the same size.",
        )
    mask = cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY) if picture.alpha is None else picture.alpha
    if np.count_nonzero(mask >= 128) < LEAST_PIXELS:
        raise UserError(f"The mask {name} marks nobody.", "Paint the person white.")
    return mask
