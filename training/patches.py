"""The rendered patch of PHORHUM (Alldieck et al., CVPR 2022): rays of a small window of the photo are traced to the
surface of f, and its colour there is compared with the window, pixel by pixel and as a network sees it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from phorhum_blender.engine.camera import unproject
from phorhum_blender.engine.detector import Detector
from phorhum_blender.engine.model import Encoding, PhorhumModel
from phorhum_blender.engine.model.first_light import srgb_to_linear
from training.dataset import PATCH

BAND = 0.08  # crop units before and behind the true surface in which a ray looks for that of f
STEPS = 8  # evaluations of f a ray
GRADIENT_STEP = 0.012  # crop units, of finite differences
# corners of a tetrahedron: four evaluations give a gradient
TETRAHEDRON = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])


class Patch(NamedTuple):
    """A window of the maps, B of them; each (B, c, rows, columns)."""

    albedo: torch.Tensor  # sRGB-encoded
    shaded: torch.Tensor  # sRGB-encoded
    weight: torch.Tensor  # 1 where there is something to compare


def cut(maps: torch.Tensor, corner: torch.Tensor) -> torch.Tensor:
    """The windows (B, c, rows, columns) of ``maps`` (B, c, h, w) at ``corner`` (B, 2) row, column."""
    rows = corner[:, 0].long()[:, None] + torch.arange(PATCH[0], device=maps.device)
    columns = corner[:, 1].long()[:, None] + torch.arange(PATCH[1], device=maps.device)
    batch = torch.arange(len(maps), device=maps.device)[:, None, None]
    return maps.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def window_rays(corner: torch.Tensor, size: int) -> torch.Tensor:
    """(B, rows * columns, 2) x right, y up in -1..1 of the pixel centres of the windows at ``corner`` in maps of
    ``size``."""
    rows = corner[:, :1] + torch.arange(PATCH[0], device=corner.device)
    columns = corner[:, 1:] + torch.arange(PATCH[1], device=corner.device)
    y = 1 - (rows + 0.5) / size * 2
    x = (columns + 0.5) / size * 2 - 1
    shape = (len(corner), *PATCH)
    return torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], -1).flatten(1, 2)


@torch.no_grad()
def trace(
    model: PhorhumModel, encoding: Encoding, xy: torch.Tensor, near: torch.Tensor, distance: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where rays through ``xy`` (B, N, 2) first enter the surface within ``BAND`` of depth ``near`` (B, N).

    Returns depths (B, N), and (B, N) whether there is such a place. The crossing lies between two of ``STEPS`` even
    steps, found by the secant.
    """
    steps = torch.linspace(BAND, -BAND, STEPS, device=xy.device)
    z = near.unsqueeze(-1) + steps
    points = unproject(xy.unsqueeze(2).expand(-1, -1, STEPS, -1), z, distance.unsqueeze(-1))
    d = model.surface_field(encoding, points.flatten(1, 2), distance)[0].unflatten(1, (-1, STEPS))
    enters = (d[..., :-1] > 0) & (d[..., 1:] <= 0)
    first = enters.float().argmax(-1, keepdim=True)
    before, after = d.gather(-1, first), d.gather(-1, first + 1)
    part = before / (before - after).clamp(min=1e-6)
    found = z.gather(-1, first) + part * (z.gather(-1, first + 1) - z.gather(-1, first))
    return found.squeeze(-1), enters.any(-1)


def tetrahedral_gradient(values: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Gradient (..., 3) from ``values`` (..., 4) at four ``corners`` (4, 3) about a point."""
    step = corners.abs().max()
    return (values.unsqueeze(-1) * corners).sum(-2) / (4 * step * step)


def render(model: PhorhumModel, encoding: Encoding, batch: dict[str, torch.Tensor]) -> Patch:
    """The window of each picture as f and s have it; its weight is 0 where a ray meets no surface near the true one."""
    corner, distance = batch["patch"], batch["camera"][:, :1]
    xy = window_rays(corner, batch["front"].shape[-1])
    near = cut(batch["front"], corner).flatten(1)
    z, met = trace(model, encoding, xy, near, distance)
    points = unproject(xy, z, distance)
    corners = TETRAHEDRON.to(points) * GRADIENT_STEP
    probes = (points.unsqueeze(2) + corners).flatten(1, 2)
    d, albedo = model.surface_field(encoding, torch.cat([points, probes], 1), distance)
    count = points.shape[1]
    gradient = tetrahedral_gradient(d[:, count:].unflatten(1, (-1, 4)), corners)
    shading = model.shading_network(F.normalize(gradient, dim=-1), encoding.illumination)
    albedo = torch.sigmoid(albedo[:, :count])
    shaded = linear_to_srgb(srgb_to_linear(albedo) * shading)

    def window(values: torch.Tensor) -> torch.Tensor:
        return values.unflatten(1, PATCH).permute(0, 3, 1, 2)

    weight = cut(batch["weight"], corner) * window(met.to(albedo).unsqueeze(-1))
    return Patch(window(albedo), window(shaded), weight)


def linear_to_srgb(x: torch.Tensor) -> torch.Tensor:
    """Linear to sRGB-encoded, both 0..1 (IEC 61966-2-1); more than 1 becomes 1."""
    x = x.clamp(0, 1)
    return torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


class Perception(nn.Module):
    """How alike two windows look to a network: distances of its normalised features, as in LPIPS (Zhang et al., CVPR
    2018), without learned weights. The network is the first levels of the person detector that we trained ourselves."""

    LEVELS = (0, 2, 4)  # strides 2, 4 and 8

    def __init__(self) -> None:
        super().__init__()
        layers = Detector.load().network.model
        self.layers = nn.ModuleList(layers[: self.LEVELS[-1] + 1])

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Mean distance of pictures ``a`` and ``b`` (B, 3, h, w), sRGB-encoded 0..1."""
        difference = a.new_zeros(())
        for level, layer in enumerate(self.layers):
            a, b = layer(a), layer(b)
            if level in self.LEVELS:
                difference = difference + (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean()
        return difference / len(self.LEVELS)


def patch_losses(
    model: PhorhumModel, encoding: Encoding, batch: dict[str, torch.Tensor], perception: Perception | None
) -> dict[str, torch.Tensor]:
    """L1 and perceptual distance of rendered albedo and shaded colour from the true window."""
    got = render(model, encoding, batch)
    losses = {}
    for name, values in (("albedo", got.albedo), ("shaded", got.shaded)):
        wanted = cut(batch[name], batch["patch"])
        error = ((values - wanted).abs() * got.weight).mean((1, 2, 3))
        losses[f"patch_{name}"] = error.mean()
        if perception is not None:
            losses[f"perceived_{name}"] = perception(values * got.weight, wanted * got.weight)
    return losses
