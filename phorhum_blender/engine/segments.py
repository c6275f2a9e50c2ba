"""Straight pieces in space: bones as the engine measures from them."""

from __future__ import annotations

import torch


def nearest_places(points: torch.Tensor, start: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """(N, S, 3) of each of ``points`` (N, 3), the nearest place on each segment from ``start`` to ``end`` (S, 3)."""
    along = end - start
    share = ((points[:, None] - start) * along).sum(-1) / along.square().sum(-1).clamp(min=1e-8)
    return start + share.clamp(0, 1)[..., None] * along
