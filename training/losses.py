"""The losses, each by name. Those of PHORHUM (Alldieck et al., CVPR 2022), and dense maps beside them."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from phorhum_blender.engine.model import Encoding, PhorhumModel
from phorhum_blender.engine.model.feature_extractor import dense_maps
from training.dataset import NEAR_TRUNCATION

WEIGHTS = {
    "mask": 0.3,
    "front": 8.0,
    "back": 8.0,
    "relief": 4.0,
    "normal": 0.4,
    "albedo": 1.5,
    "albedo_back": 0.7,
    "distance": 10.0,
    "sign": 0.5,
    "surface": 2.0,
    "surface_normal": 0.2,
    "eikonal": 0.05,
    "surface_albedo": 1.0,
    "shading": 0.5,
}
GRADIENT_STEP = 0.012  # crop units, of finite differences
GRADIENT_POINTS = 160
# corners of a tetrahedron: four evaluations give a gradient
TETRAHEDRON = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])


def compute_losses(
    model: PhorhumModel, batch: dict[str, torch.Tensor], with_field: bool = True
) -> dict[str, torch.Tensor]:
    """The losses of one batch, unweighted, by the names of WEIGHTS; and 'depth_cm', a measure, not a loss.

    Without the field only G and s learn: their images cost half as much, and depth, the hard part, is G's.
    """
    encoding = model.encode(batch["image"])
    losses = {**map_losses(encoding, batch), "shading": shading_loss(model, encoding, batch)}
    return {**losses, **field_losses(model, encoding, batch)} if with_field else losses


def total(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    """The weighted sum that training minimises."""
    return torch.stack([losses[name] * weight for name, weight in WEIGHTS.items() if name in losses]).sum()


def map_losses(encoding: Encoding, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Dense supervision of the maps at the front of G's feature map, where the person is."""
    maps, weight = dense_maps(encoding.features), batch["weight"]

    def masked(error: torch.Tensor, w: torch.Tensor = weight) -> torch.Tensor:
        return (error * w).sum() / (w.sum() * error.shape[1]).clamp(min=1)

    unseen = weight * batch["back_albedo"].view(-1, 1, 1, 1)
    depth = {name: (maps[name] - batch[name]).abs() for name in ("front", "back")}
    unit = batch["camera"][:, 1].view(-1, 1, 1, 1) * 100
    return {
        "mask": F.binary_cross_entropy_with_logits(maps["mask"], batch["mask"]),
        "front": masked(depth["front"]),
        "back": masked(depth["back"]),
        "relief": relief_loss(maps, batch),
        "normal": masked((maps["normal"] - batch["normal"]).abs())
        + 0.5 * masked((maps["normal_back"] - batch["normal_back"]).abs()),
        "albedo": masked((torch.sigmoid(maps["albedo"]) - batch["albedo"]).abs()),
        "albedo_back": masked((torch.sigmoid(maps["albedo_back"]) - batch["albedo_back"]).abs(), unseen),
        "depth_cm": masked((depth["front"] + depth["back"]) / 2 * unit).detach(),
    }


def relief_loss(maps: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """L1 of depth differences between pixels four apart: shape, whatever the offset in depth."""
    weight = batch["weight"]
    loss = weight.new_zeros(())
    for name in ("front", "back"):
        for axis in (2, 3):
            size = weight.shape[axis]
            a, b = (slice(4, size), slice(0, size - 4))
            pick = (lambda x, s: x[:, :, s]) if axis == 2 else (lambda x, s: x[..., s])
            w = pick(weight, a) * pick(weight, b)
            got = pick(maps[name], a) - pick(maps[name], b)
            want = pick(batch[name], a) - pick(batch[name], b)
            loss = loss + ((got - want).abs() * w).sum() / w.sum().clamp(min=1)
    return loss / 4


def field_losses(model: PhorhumModel, encoding: Encoding, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Distance, sign, surface, normals, eikonal and albedo of f."""
    field, camera = model.surface_field, batch["camera"][:, :1]
    corners = TETRAHEDRON.to(batch["surface"]) * GRADIENT_STEP
    surface = batch["surface"]
    base = torch.cat([surface[:, :GRADIENT_POINTS], batch["points"][:, : GRADIENT_POINTS // 4]], 1)
    probes = (base.unsqueeze(2) + corners).flatten(1, 2)
    count, on = batch["points"].shape[1], surface.shape[1]
    d, albedo = field(encoding, torch.cat([batch["points"], surface, probes], 1), camera)
    d_points, d_surface, d_probes = d[:, :count], d[:, count : count + on], d[:, count + on :]
    gradient = tetrahedral_gradient(d_probes.unflatten(1, (-1, 4)), corners)
    wanted = batch["surface_normal"][:, :GRADIENT_POINTS]
    cosine = F.cosine_similarity(gradient[:, :GRADIENT_POINTS], wanted, dim=-1)
    target = batch["distance"]
    clamped = d_points.clamp(-NEAR_TRUNCATION, NEAR_TRUNCATION)
    # beyond the truncation only the side matters: no gradient once it is right
    error = torch.where(target.abs() > NEAR_TRUNCATION, clamped, d_points) - target.clamp(
        -NEAR_TRUNCATION, NEAR_TRUNCATION
    )
    albedo_error = (torch.sigmoid(albedo[:, count : count + on]) - batch["surface_albedo"]).abs().mean((1, 2))
    return {
        "distance": error.abs().mean(),
        "sign": F.binary_cross_entropy_with_logits(d_points * field.sharpness.exp(), (target > 0).float()),
        "surface": d_surface.abs().mean(),
        "surface_normal": (1 - cosine).mean(),
        "eikonal": (gradient.norm(dim=-1) - 1).square().mean(),
        "surface_albedo": (albedo_error * (0.3 + 0.7 * batch["back_albedo"])).mean(),
    }


def tetrahedral_gradient(values: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Gradient (..., 3) from ``values`` (..., 4) at four ``corners`` (4, 3) about a point."""
    step = corners.abs().max()
    return (values.unsqueeze(-1) * corners).sum(-2) / (4 * step * step)


def shading_loss(model: PhorhumModel, encoding: Encoding, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """L1 of s at visible surface points against the true shading, in a gamma that the eye would use."""
    shading = model.shading_network(batch["shaded_normal"], encoding.illumination)
    return ((shading + 1e-3) ** 0.5 - (batch["shading"] + 1e-3) ** 0.5).abs().mean()
