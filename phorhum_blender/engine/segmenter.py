"""Cutting the person in a box out of the surroundings: a network like G that was taught this alone.

The detector says roughly where persons are; this says which pixels are theirs. It sees the square around a box, and the
box beside it, and what it finds gives a better box for the next look.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from .detector import PADDING_GREY
from .memory import check_square
from .model import PhorhumModel
from .model.feature_extractor import dense_maps

Box = tuple[float, float, float, float]  # x0 y0 x1 y1, pixels

SHIPPED = Path(__file__).resolve().parent.parent / "weights" / "segmenter.safetensors"
WORKING_SIDE = 512  # longer side of the grid on which masks are drawn, pixels
PADDING = 1.25  # side of the square / longer side of the box
IN_BOX, BESIDE = 0.5, 0.0  # fourth channel of what the network sees: the box
FINDING = 160  # pixels at which the network sees the square while the box is being found
DRAWING = (192, 224)  # and when it draws the mask
ROUNDS = 4  # of finding a better box, at the most
OVERSHOOT = 0.2  # of the square: how much farther a person may go on who reaches its edge
SETTLED = 0.97  # IoU of a box with the one before, at which it is found
LOOKS = 2 * ROUNDS + 2 * len(DRAWING)  # the mirror image is always looked at too


@dataclass(frozen=True)
class Square:
    """A square of a picture in whole pixels; it may reach beyond the picture."""

    x: int
    y: int
    side: int

    @classmethod
    def around(cls, box: Box) -> Square:
        side = math.ceil(max(box[2] - box[0], box[3] - box[1]) * PADDING)
        check_square(side)
        return cls(round((box[0] + box[2] - side) / 2), round((box[1] + box[3] - side) / 2), side)

    def inside(self, box: Box) -> Box:
        """``box`` in pixels of the square."""
        return box[0] - self.x, box[1] - self.y, box[2] - self.x, box[3] - self.y

    def outside(self, box: Box, side: int) -> Box:
        """``box`` in a picture of the square with ``side`` pixels, in pixels of the photo."""
        scale = self.side / side
        return (box[0] * scale + self.x, box[1] * scale + self.y, box[2] * scale + self.x, box[3] * scale + self.y)

    def cut(self, array: np.ndarray, fill: int = PADDING_GREY) -> np.ndarray:
        """(side, side, ...) of ``array`` (H, W, ...); ``fill`` beyond the picture."""
        result = np.full((self.side, self.side, *array.shape[2:]), fill, array.dtype)
        there, here = self._overlap(array.shape)
        result[here] = array[there]
        return result

    def paste(self, values: np.ndarray, height: int, width: int) -> np.ndarray:
        """(height, width) float32 of the picture's size: ``values`` (h, w), which cover the square, and 0 elsewhere."""
        result = np.zeros((height, width), np.float32)
        there, here = self._overlap(result.shape)
        result[there] = fit(values, (self.side, self.side))[here]
        return result

    def _overlap(self, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where the square lies in an array of ``shape`` (H, W, ...), and where that part lies in the square."""
        x0, x1 = max(self.x, 0), min(self.x + self.side, shape[1])
        y0, y1 = max(self.y, 0), min(self.y + self.side, shape[0])
        here = slice(y0 - self.y, y1 - self.y), slice(x0 - self.x, x1 - self.x)
        return (slice(y0, y1), slice(x0, x1)), here


def prompted(image: np.ndarray, box: Box, size: int) -> np.ndarray:
    """(4, size, size) float32: what the network sees of a square ``image`` (s, s, 3) uint8 sRGB and a ``box`` in it."""
    side = image.shape[0]
    result = np.full((4, size, size), BESIDE, np.float32)
    result[:3] = fit(image, (size, size)).transpose(2, 0, 1).astype(np.float32) / 255
    x0, y0, x1, y1 = (round(min(max(v, 0.0), side) * size / side) for v in box)
    result[3, y0:y1, x0:x1] = IN_BOX
    return result


def mask_logits(network: PhorhumModel, images: torch.Tensor) -> torch.Tensor:
    """(B, 1, S/2, S/2) logits of the masks of ``images`` (B, 4, S, S), see :func:`prompted`."""
    return dense_maps(network.encode(images).features)["mask"]


class Segmenter:
    """Says for each pixel of a square how likely it is to belong to the person in a box."""

    def __init__(self, network: PhorhumModel):
        self.network = network

    @classmethod
    def load(cls) -> Segmenter:
        """The one that ships. Raises :class:`UserError` when its file is missing or damaged."""
        return cls(PhorhumModel.load(SHIPPED))

    def find_box(self, rgb: np.ndarray, box: Box, look: Callable[[], None]) -> Box:
        """A better box of the person in ``box`` of a photo (H, W, 3) uint8 sRGB, in pixels of the photo; ``box`` itself
        where nobody is seen. ``look`` is called before each look."""
        for _ in range(ROUNDS):
            square = Square.around(box)
            chance = self.chance(rgb, box, (FINDING,), look)
            if chance.max() < 0.5:
                return box
            better = clipped(square.outside(_going_on(chance >= 0.5), chance.shape[0]), rgb.shape)
            agreement = box_iou(box, better)
            if agreement == 0:  # it lies beyond the photo
                return box
            box = better
            if agreement > SETTLED:
                break
        return box

    @torch.inference_mode()
    def chance(self, rgb: np.ndarray, box: Box, sizes: tuple[int, ...], look: Callable[[], None]) -> np.ndarray:
        """(s, s) float32 0..1 of the square around ``box``: the mean of looks at ``sizes`` and at the mirror image."""
        square = Square.around(box)
        image, inside = square.cut(rgb), square.inside(box)
        side = min(square.side, WORKING_SIDE)
        seen = []
        for size, back in itertools.product(sizes, (1, -1)):
            look()
            view = torch.from_numpy(np.ascontiguousarray(prompted(image, inside, size)[..., ::back]))
            logits = mask_logits(self.network, view[None])[0, 0].numpy()[:, ::back]
            seen.append(cv2.resize(np.ascontiguousarray(logits), (side, side), interpolation=cv2.INTER_LINEAR))
        return np.mean([sigmoid(logits) for logits in seen], axis=0, dtype=np.float32)


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes x0 y0 x1 y1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def bounds(mask: np.ndarray) -> Box:
    """Box of the true pixels of ``mask`` (H, W) bool, which has some."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def clipped(box: Sequence[float], shape: tuple[int, ...]) -> Box:
    """``box`` as far as it lies in a picture of ``shape`` (H, W, ...)."""
    x0, y0, x1, y1 = (float(v) for v in box)
    return max(x0, 0.0), max(y0, 0.0), min(x1, float(shape[1])), min(y1, float(shape[0]))


def fit(array: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """``array`` (H, W, ...) resampled to ``size`` (width, height)."""
    shrinks = array.shape[1] > size[0]
    return cv2.resize(np.ascontiguousarray(array), size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logits))


def _going_on(seen: np.ndarray) -> Box:
    """Box of the true pixels of ``seen`` (s, s) bool, which has some; it goes on where they reach the edge."""
    side, box = len(seen), bounds(seen)
    more = [OVERSHOOT * side * (value in (0, side)) for value in box]
    return box[0] - more[0], box[1] - more[1], box[2] + more[2], box[3] + more[3]
