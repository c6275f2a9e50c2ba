"""The body's core: what lies in the middle of a limb. It takes the place of thin limbs that f loses."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .camera import seen_at
from .model import Encoding
from .model.feature_extractor import dense_maps
from .model.surface_field import without_creases

LIMB = 0.12  # crop units: a limb's greatest depth
SHARE = 0.4  # of the depth that is taken for the limb's
ROUNDNESS = 0.06  # crop units from the outline over which the core rounds off
LEAST = 0.009  # crop units, half the least depth of the core
STEEPNESS = 0.6
STEEPEST = 4.5  # units of depth a unit sideways: where the front leaps farther, one limb ends before another
LEAP_END = 0.01  # crop units a unit of steepness: how fast the core ends there
EDGE = 0.002  # crop units a logit of the mask: how fast the core ends at the outline
LOST = 0.008  # crop units that f is outside where it should be inside: from there on the core counts
LOST_END = 4.0  # crop units a unit of that: how fast the core ends where less is lost
BLEND = 0.02  # crop units over which core and f run into each other


class Core:
    """Roughly the signed distance from the core, crop units, outside positive.

    Where front and back depth map are nearer to each other than a limb is deep, the core lies in the middle; elsewhere
    half a limb behind the front. It ends where the front leaps from one limb to the next. Wherever the maps are about
    right it is inside of the body, and no part of the person that is seen gets lost. What lies farther behind, f alone
    knows: one leg may stand behind the other, with nothing between them.
    """

    def __init__(self, encoding: Encoding, distance: float, scale: float = 1.0):
        """``distance`` of the camera, crop units. All lengths are ``scale`` times those of a body's core."""
        self._scale = scale
        maps = dense_maps(encoding.features)
        front = maps["front"]
        self._maps = without_creases(torch.cat([front, front - maps["back"], maps["mask"], steepness(front)], 1))
        self._distance = distance

    def distances(self, points: torch.Tensor, hull: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
        """(N,) of ``points`` (N, 3), of which ``hull`` (N,) is the signed distance from the mask's outline and ``lost``
        (N,) says how far f is outside where it should be inside."""
        front, thickness, seen, steep = seen_at(self._maps, points, self._distance)
        depth = thickness.clamp(max=LIMB * self._scale)
        inwards = (-hull / (ROUNDNESS * self._scale)).clamp(0, 1)
        half = depth / 2 * SHARE * (inwards * (2 - inwards)).sqrt()  # an ellipse: a slab would end in a flat strip
        away = (points[:, 2] - (front - depth / 2)).abs() - half.clamp(min=LEAST * self._scale)
        leap = (steep - STEEPEST) * LEAP_END * self._scale
        # depth maps are steep at limbs, so a difference in depth is more than the distance
        ends = torch.maximum(leap, torch.maximum(-seen * EDGE * self._scale, (LOST * self._scale - lost) * LOST_END))
        return torch.maximum(away * STEEPNESS, ends)

    def united(self, field: torch.Tensor, points: torch.Tensor, hull: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
        """Signed distance (N,) of the union with a ``field`` (N,) at ``points`` (N, 3), ``hull`` and ``lost`` as in
        :meth:`distances`."""
        return smooth_minimum(field, self.distances(points, hull, lost), BLEND * self._scale)


def steepness(depth: torch.Tensor) -> torch.Tensor:
    """(B, 1, S, S): how fast ``depth`` (B, 1, S, S), which spans -1..1 sideways, changes on the steeper side of each
    pixel."""
    padded = F.pad(depth, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 1:-1, :].diff(dim=3).abs()
    down = padded[..., 1:-1].diff(dim=2).abs()
    steeper = torch.maximum(across[..., 1:], across[..., :-1]), torch.maximum(down[:, :, 1:], down[:, :, :-1])
    return torch.hypot(*steeper) * (depth.shape[-1] / 2)


def smooth_minimum(a: torch.Tensor, b: torch.Tensor, width: float) -> torch.Tensor:
    """The minimum with the crease rounded where the two differ by less than ``width``: a union without a seam."""
    near = (width - (a - b).abs()).clamp(min=0)
    return torch.minimum(a, b) - near * near / (4 * width)
