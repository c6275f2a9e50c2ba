"""The crop camera: the pinhole camera in which the networks see the person.

Crop units: the square crop spans [-1, 1] in x and y at the plane z = 0, where the person stands. A standing adult in a
crop with the usual padding is about 1.7 units tall, so a unit is about a metre. The camera sits on the z axis at
``distance`` and looks along -z. x right, y up, z towards the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

DEFAULT_DISTANCE = 4.0  # crop units: a photo taken from about four metres
VIEW_CODE = 4  # length of :func:`view_code`
MOST_PITCH = math.radians(20)  # of which G is told: training shows hardly more
PADDING = 1.18  # side of the square crop / longer side of the person's box


@dataclass(frozen=True)
class CropSquare:
    """The square of the photo that the networks see, in upright photo pixels (y down)."""

    centre_x: float
    centre_y: float
    side: float

    @classmethod
    def around(cls, box: tuple[float, float, float, float], padding: float = PADDING) -> CropSquare:
        x0, y0, x1, y1 = box
        return cls((x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) * padding)


def project(points: torch.Tensor, distance: torch.Tensor | float) -> torch.Tensor:
    """Perspective projection of ``points`` (..., 3) in crop units to (..., 2) in [-1, 1], x right, **y up**.

    ``distance`` is a float or a tensor that broadcasts against ``points[..., 0]``.
    """
    depth = (distance - points[..., 2]) / distance
    return points[..., :2] / depth.unsqueeze(-1)


def seen_at(maps: torch.Tensor, points: torch.Tensor, distance: float) -> torch.Tensor:
    """(C, N) bilinear samples of the crop's ``maps`` (1, C, S, S), rows from the top, where the camera sees ``points``
    (N, 3) in crop units; the border goes on outside."""
    grid = (project(points, distance) * points.new_tensor([1.0, -1.0]))[None, None]
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)[0, :, 0]


def unproject(xy: torch.Tensor, z: torch.Tensor, distance: torch.Tensor | float) -> torch.Tensor:
    """Inverse of :func:`project`: ``xy`` (..., 2) in [-1, 1] and ``z`` (...) in crop units give points (..., 3)."""
    depth = (distance - z) / distance
    return torch.cat([xy * depth.unsqueeze(-1), z.unsqueeze(-1)], dim=-1)


def distance_from_focal(focal_pixels: float, crop_side: float) -> float:
    """Distance in crop units of a camera with this focal length whose crop of ``crop_side`` pixels spans 2 units."""
    return 2.0 * focal_pixels / crop_side


def pitch_of_crop(tilt: float, square: CropSquare, distance: float, height: int) -> float:
    """Radians by which the crop camera looks down, whose axis goes through the middle of ``square``, where that of the
    photo, of ``height`` pixels, whose axis goes through the photo's middle, looks down by ``tilt``."""
    return tilt + math.atan2(square.centre_y - height / 2, distance * square.side / 2)


def view_code(distance: float | None, pitch: float | None) -> tuple[float, float, float, float]:
    """What G is told of the camera: its ``distance`` in crop units and its ``pitch``, radians downwards, each brought
    to about -1..1 and followed by whether it is known. None: not known. All zeros say nothing."""
    near = (DEFAULT_DISTANCE / distance - 1.0, 1.0) if distance is not None else (0.0, 0.0)
    down = (10.0 * math.sin(min(max(pitch, -MOST_PITCH), MOST_PITCH)), 1.0) if pitch is not None else (0.0, 0.0)
    return (*near, *down)
