"""A user's own photos as backgrounds of training pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from phorhum_blender.engine.photo import load_photo

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
KEPT_SIDE = 320  # pixels of the shorter side of a kept photo: more than a background shows
LEAST_CROP = 0.4  # of the shorter side


@cache
def background_photos(folder: Path) -> tuple[Path, ...]:
    """All photos in ``folder``, by name. Raises ``ValueError`` where there is none."""
    found = tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES))
    if not found:
        raise ValueError(f"{folder} holds no photo ({', '.join(PHOTO_SUFFIXES)}).")
    return found


@cache
def load_background(path: Path) -> np.ndarray:
    """A photo (H, W, 3) uint8 sRGB, upright, its shorter side KEPT_SIDE at the most. Raises
    :class:`phorhum_blender.engine.errors.UserError`, which names the file, where it is none."""
    rgb = load_photo(path).rgb
    height, width = rgb.shape[:2]
    scale = min(1.0, KEPT_SIDE / min(height, width))
    return cv2.resize(rgb, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)


def photo_background(folder: Path, rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) float32 sRGB-encoded 0..1: a random square of a random photo in ``folder``."""
    paths = background_photos(folder)
    photo = load_background(paths[rng.integers(len(paths))])
    height, width = photo.shape[:2]
    side = int(min(height, width) * rng.uniform(LEAST_CROP, 1))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    square = photo[top : top + side, left : left + side]
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return cv2.resize(square, (size, size), interpolation=way).astype(np.float32) / 255
