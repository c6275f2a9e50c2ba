"""The air between the lower legs. Where one stands behind the other f is not sure of it, and hangs a web there."""

from __future__ import annotations

import torch

from .segments import nearest_places
from .skeleton import BONES

SHINS = torch.tensor([BONES["l_shin"], BONES["r_shin"]])
DOUBT = 0.015  # crop units: f farther inside than this is believed (a long skirt)
FLESH = 0.055  # crop units around a shin that are its own
FADE = 0.03  # crop units from there to where all of the doubt counts
DETOUR = 0.05  # crop units: how much longer the way from shin to shin is by a place where none of it counts


class Gap:
    """Raises a field between the shins of one person."""

    def __init__(self, joints: torch.Tensor):
        """``joints`` (21, 3) crop units."""
        self._start, self._end = joints[SHINS.to(joints.device)].unbind(1)  # (2, 3) each

    def raised(self, field: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """``field`` (N,) signed distance at ``points`` (N, 3), crop units, outside positive: higher by up to ``DOUBT``
        where a point lies between both shins and in the flesh of neither."""
        nearest = nearest_places(points, self._start, self._end)  # (N, 2, 3)
        away = (points[:, None] - nearest).norm(dim=-1)
        detour = away.sum(1) - (nearest[:, 0] - nearest[:, 1]).norm(dim=-1)
        beyond_flesh = ((away.amin(1) - FLESH) / FADE).clamp(0, 1)
        return field + DOUBT * beyond_flesh * (1 - detour / DETOUR).clamp(0, 1)
