"""A first estimate of the light: the one that explains the photo best, given what G says of normals and albedo."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..harmonics import harmonics

HARMONICS = 9
RIDGE = 0.02  # share of the mean diagonal: leaves what the visible side can't tell near zero
BRIGHTEST = 0.97  # sRGB-encoded: brighter pixels may be clipped and tell nothing


def first_light(image: torch.Tensor, maps: dict[str, torch.Tensor]) -> torch.Tensor:
    """Spherical harmonics (B, 9, 3) of the shading, in the order of ``lighting.sh_basis``.

    ``image`` (B, 4, S, S) is G's input, ``maps`` its dense maps at S/2. Each channel is a weighted ridge regression of
    photo = albedo * sum_k Y_k(normal) light_k over the person's pixels, in linear colour. No gradient flows back: the
    maps have losses of their own.
    """
    colour = F.avg_pool2d(image[:, :3].float(), 2).detach()
    weight = torch.sigmoid(maps["mask"].detach()) * (colour.amax(1, keepdim=True) < BRIGHTEST)
    x, y, z = F.normalize(maps["normal"].detach(), dim=1).unbind(1)
    basis = torch.stack(harmonics(x, y, z), 1)  # (B, 9, h, w)
    albedo = srgb_to_linear(torch.sigmoid(maps["albedo"].detach()))
    seen = (basis.unsqueeze(1) * albedo.unsqueeze(2) * weight.unsqueeze(1).sqrt()).flatten(3)  # (B, 3, 9, P)
    target = (srgb_to_linear(colour) * weight.sqrt()).flatten(2).unsqueeze(-1)  # (B, 3, P, 1)
    gram = seen @ seen.transpose(2, 3)
    ridge = RIDGE * gram.diagonal(dim1=2, dim2=3).mean(-1)[..., None, None] + 1e-4
    light = torch.linalg.solve(gram + ridge * torch.eye(HARMONICS, device=gram.device), seen @ target)
    return light.squeeze(-1).transpose(1, 2)


def srgb_to_linear(x: torch.Tensor) -> torch.Tensor:
    """sRGB-encoded 0..1 to linear 0..1 (IEC 61966-2-1)."""
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)
