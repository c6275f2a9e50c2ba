"""A photo looked at both ways: what G makes of it, averaged with what it makes of the mirrored photo."""

from __future__ import annotations

import torch

from ..skeleton import MIRRORED_JOINTS
from .feature_extractor import DENSE_CHANNELS, DENSE_MAPS, Encoding


def averaged_with_mirrored(both: Encoding) -> Encoding:
    """``both`` (B = 2) of a photo and of its mirror image -> that of the photo (B = 1), its dense maps and joints the
    means of the two.

    A person and his mirror image have mirrored depth, but a network that learned from few pictures errs differently
    about the two. All else is the photo's own: learned features have no known mirror image.
    """
    one, other = (Encoding(*parts) for parts in zip(*(part.split(1) for part in both), strict=True))
    features = one.features.clone()
    features[:, :DENSE_CHANNELS] += mirrored_maps(other.features[:, :DENSE_CHANNELS])
    features[:, :DENSE_CHANNELS] /= 2
    return one._replace(features=features, joints=(one.joints + mirrored_joints(other.joints)) / 2)


def mirrored_maps(maps: torch.Tensor) -> torch.Tensor:
    """The dense maps (B, DENSE_CHANNELS, h, w) with left and right exchanged; normals turn their x."""
    signs = [sign for name, count in DENSE_MAPS.items() for sign in _signs(name, count)]
    return maps.flip(3) * maps.new_tensor(signs).view(1, -1, 1, 1)


def _signs(name: str, count: int) -> list[float]:
    return [-1.0, 1.0, 1.0] if name.startswith("normal") else [1.0] * count


def mirrored_joints(joints: torch.Tensor) -> torch.Tensor:
    """The joints (B, 21, 3) of the mirrored body, x right."""
    return joints[:, list(MIRRORED_JOINTS)] * joints.new_tensor([-1.0, 1.0, 1.0])
