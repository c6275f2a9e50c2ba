"""The losses, each by name. Those of PHORHUM (Alldieck et al., CVPR 2022), and dense maps beside them."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional as F

from phorhum_blender.engine.camera import project
from phorhum_blender.engine.model import Encoding, PhorhumModel
from phorhum_blender.engine.model.feature_extractor import dense_maps, picture_coordinates
from phorhum_blender.engine.model.surface_field import without_creases
from training.dataset import NEAR_TRUNCATION
from training.patches import GRADIENT_STEP, TETRAHEDRON, Perception, patch_losses, tetrahedral_gradient

WEIGHTS = {
    "mask": 0.3,
    "front": 8.0,
    "back": 8.0,
    "relief": 4.0,
    "tilt": 8.0,
    "joints": 2.0,
    "joint_heat": 0.1,
    "joint_depth": 4.0,
    "parts": 0.3,
    "normal": 0.4,
    "albedo": 1.5,
    "albedo_back": 0.7,
    "distance": 10.0,
    "sign": 0.5,
    "surface": 2.0,
    "surface_normal": 0.5,
    "eikonal": 0.05,
    "surface_albedo": 1.0,
    "off_surface_albedo": 0.5,
    "patch_albedo": 0.5,
    "patch_shaded": 0.5,
    "perceived_albedo": 0.5,
    "perceived_shaded": 0.5,
    "shading": 0.5,
    "light": 1.0,
}
GRADIENT_POINTS = 160


def compute_losses(
    model: PhorhumModel,
    batch: dict[str, torch.Tensor],
    with_field: bool = True,
    with_patches: bool = True,
    perception: Perception | None = None,
    sixteen_bits: bool = False,
) -> dict[str, torch.Tensor]:
    """The losses of one batch, unweighted, by the names of WEIGHTS; and measures that are no losses: 'depth_cm' and,
    with the field, 'point_iou' (of what f and the truth call inside, over the points that it learns from).

    Each is the mean over the pictures of the batch, so that the batch may be split among processes. Without the field
    only G and s learn: their images cost half as much, and depth, the hard part, is G's. Without patches nothing is
    rendered. ``sixteen_bits`` serve G, and f but for its finite differences, in a third to a half of the time on
    devices that are made for them.
    """
    with torch.autocast(batch["image"].device.type, torch.bfloat16, enabled=sixteen_bits):
        encoding = model.encode(batch["image"], batch["view"])
    encoding = encoding.float()
    losses = {
        **map_losses(encoding, batch),
        **skeleton_losses(encoding, batch),
        **shading_losses(model, encoding, batch),
    }
    if with_field:
        losses.update(field_losses(model, encoding, batch, sixteen_bits))
    if with_field and with_patches:
        losses.update(patch_losses(model, encoding, batch, perception))
    return losses


def total(losses: dict[str, torch.Tensor], weights: dict[str, float] = WEIGHTS) -> torch.Tensor:
    """The weighted sum that training minimises."""
    return torch.stack([losses[name] * weight for name, weight in weights.items() if name in losses]).sum()


def map_losses(encoding: Encoding, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Dense supervision of the maps at the front of G's feature map, where the person is."""
    maps, weight = dense_maps(encoding.features), batch["weight"]

    def masked(error: torch.Tensor, sure: torch.Tensor | float = 1.0) -> torch.Tensor:
        return (mean_where(error, weight) * sure).mean()

    depth = {name: (maps[name] - batch[name]).abs() for name in ("front", "back")}
    unit = batch["camera"][:, 1].view(-1, 1, 1, 1) * 100
    return {
        "mask": F.binary_cross_entropy_with_logits(maps["mask"], batch["mask"]),
        "front": masked(depth["front"]),
        "back": masked(depth["back"]),
        "relief": relief_loss(maps, batch),
        "tilt": tilt_loss(maps, batch),
        "normal": masked((maps["normal"] - batch["normal"]).abs())
        + 0.5 * masked((maps["normal_back"] - batch["normal_back"]).abs()),
        "albedo": masked((torch.sigmoid(maps["albedo"]) - batch["albedo"]).abs()),
        "albedo_back": masked((torch.sigmoid(maps["albedo_back"]) - batch["albedo_back"]).abs(), batch["back_albedo"]),
        "depth_cm": masked((depth["front"] + depth["back"]) / 2 * unit).detach(),
    }


def skeleton_losses(encoding: Encoding, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """L1 of the joints' places in the picture and of their depths, divergence of their maps from a blot at the true
    place, cross entropy of the visible parts; and the measure 'joint_cm', the mean distance in depth."""
    wanted = batch["joints"]
    place = project(wanted, batch["camera"][:, :1])
    depth = (encoding.joints[..., 2] - wanted[..., 2]).abs()
    part, weight = batch["part"][:, 0].long(), batch["weight"][:, 0]
    wrong = F.cross_entropy(encoding.parts, part, reduction="none") * weight
    heat = F.kl_div(
        encoding.heat.flatten(2).log_softmax(-1),
        blots(place, encoding.heat.shape[-1]),
        reduction="none",
        log_target=True,
    )
    return {
        "joint_heat": heat.sum(-1).mean(),
        "joints": (encoding.joints[..., :2] - place).abs().mean(),
        "joint_depth": depth.mean(),
        "parts": (wrong.sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)).mean(),
        "joint_cm": (depth.mean(1) * batch["camera"][:, 1] * 100).mean().detach(),
    }


def blots(place: torch.Tensor, size: int) -> torch.Tensor:
    """(B, J, size * size) logarithms of maps that sum to one: a Gaussian a pixel wide about each ``place`` (B, J, 2) in
    -1..1."""
    away = place.unsqueeze(2) - picture_coordinates(size, place).flatten(1).T
    return (-away.square().sum(-1) * (size / 2) ** 2 / 2).log_softmax(-1)


def mean_where(error: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean (B,) of ``error`` (B, c, h, w) over the pixels that ``weight`` (B, 1, h, w) counts."""
    return (error * weight).sum((1, 2, 3)) / (weight.sum((1, 2, 3)) * error.shape[1]).clamp(min=1)


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
            loss = loss + mean_where((got - want).abs(), w).mean()
    return loss / 4


def tilt_loss(maps: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean size of the plane that fits the error of depth best, in the mean of both sides: a person who leans or turns
    wrongly as a whole, which the errors of shape at each pixel drown in ``front`` and ``back``."""
    weight = batch["weight"]
    error = sum(maps[name] - batch[name] for name in ("front", "back")) / 2 * weight
    x, y = picture_coordinates(weight.shape[-1], weight).expand(len(weight), -1, -1, -1).split(1, 1)
    basis = (torch.cat([x, y, torch.ones_like(x)], 1) * weight).flatten(2)  # (B, 3, P)
    gram = basis @ basis.transpose(1, 2) + torch.eye(3, device=basis.device)  # a pixel's worth: someone may be unseen
    slopes = torch.linalg.solve(gram, basis @ error.flatten(2).transpose(1, 2))  # (B, 3, 1)
    plane = (basis * slopes).sum(1, keepdim=True).unflatten(2, weight.shape[-2:])
    return mean_where(plane.abs(), weight).mean()


def field_losses(
    model: PhorhumModel, encoding: Encoding, batch: dict[str, torch.Tensor], sixteen_bits: bool = False
) -> dict[str, torch.Tensor]:
    """Distance, sign, surface, normals, eikonal and albedo of f."""
    smooth, camera = without_creases(encoding.features), batch["camera"][:, :1]
    sharpness = model.surface_field.sharpness.exp()
    field = partial(model.surface_field.upon, smooth, encoding, distance=camera)
    corners = TETRAHEDRON.to(batch["surface"]) * GRADIENT_STEP
    surface = batch["surface"]
    base = torch.cat([surface[:, :GRADIENT_POINTS], batch["points"][:, : GRADIENT_POINTS // 4]], 1)
    probes = (base.unsqueeze(2) + corners).flatten(1, 2)
    count, on = batch["points"].shape[1], surface.shape[1]
    with torch.autocast(surface.device.type, torch.bfloat16, enabled=sixteen_bits):
        d, albedo = field(torch.cat([batch["points"], surface, batch["off_surface"]], 1))
    d_points, d_surface, _ = d.float().split([count, on, on], 1)
    _, albedo_on, albedo_off = albedo.float().split([count, on, on], 1)
    d_probes, _ = field(probes)
    gradient = tetrahedral_gradient(d_probes.unflatten(1, (-1, 4)), corners)
    wanted = batch["surface_normal"][:, :GRADIENT_POINTS]
    cosine = F.cosine_similarity(gradient[:, :GRADIENT_POINTS], wanted, dim=-1)
    target = batch["distance"]
    clamped = d_points.clamp(-NEAR_TRUNCATION, NEAR_TRUNCATION)
    # beyond the truncation only the side matters: no gradient once it is right
    error = torch.where(target.abs() > NEAR_TRUNCATION, clamped, d_points) - target.clamp(
        -NEAR_TRUNCATION, NEAR_TRUNCATION
    )
    sure = 0.3 + 0.7 * batch["back_albedo"]

    def albedo_error(albedo: torch.Tensor) -> torch.Tensor:
        return ((torch.sigmoid(albedo) - batch["surface_albedo"]).abs().mean((1, 2)) * sure).mean()

    return {
        "distance": error.abs().mean(),
        "sign": F.binary_cross_entropy_with_logits(d_points * sharpness, (target > 0).float()),
        "surface": d_surface.abs().mean(),
        "surface_normal": (1 - cosine).mean(),
        "eikonal": (gradient.norm(dim=-1) - 1).square().mean(),
        "surface_albedo": albedo_error(albedo_on),
        "off_surface_albedo": albedo_error(albedo_off),
        "point_iou": point_iou(d_points.detach(), target),
    }


def point_iou(got: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean over pictures of shared / joint numbers of points (B, N) that the two call inside (signed distance < 0)."""
    both, either = (got < 0) & (wanted < 0), (got < 0) | (wanted < 0)
    return (both.sum(1) / either.sum(1).clamp(min=1)).mean()


def shading_losses(model: PhorhumModel, encoding: Encoding, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """L1 of s against the true shading where it is seen; and against the light from everywhere, which says on which
    side the lamps are, both at a mean of one, because how bright the light is can't be told from how dark the clothes
    are; in a gamma that the eye would use."""

    def error(got: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return ((got + 1e-3) ** 0.5 - (wanted + 1e-3) ** 0.5).abs().mean()

    seen, around = (model.shading_network(batch[f"{n}_normal"], encoding.illumination) for n in ("shaded", "sphere"))
    even = [values / values.mean((1, 2), keepdim=True) for values in (around, batch["sphere_shading"])]
    return {"shading": error(seen, batch["shading"]), "light": error(*even)}
