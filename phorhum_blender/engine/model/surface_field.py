"""f: signed distance and albedo of any 3D point, from the features of its pixel and its position."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from ..camera import project, unproject
from ..skeleton import BONES
from .config import ModelConfig
from .feature_extractor import DENSE_CHANNELS, Encoding

FRONT, BACK = 1, 2  # channels of the depth maps in the feature map, see DENSE_MAPS
RELATIVE_DEPTH_SCALE = 5.0  # a body is about 0.2 units deep
BONE_REACH = 0.1  # crop units: how far a bone is felt


class SurfaceField(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.octaves = config.octaves
        pixel = DENSE_CHANNELS + config.features + 4
        point = 3 * (1 + 2 * config.octaves) + 2 + len(BONES)
        width = config.field_width
        self.skip = config.field_layers // 2
        self.first_pixel = nn.Linear(pixel, width)
        self.first_point = nn.Linear(point, width, bias=False)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(config.field_layers - 1))
        self.skip_point = nn.Linear(point, width, bias=False)
        self.distance = nn.Linear(width, 1)
        self.albedo = nn.Linear(width, 3)
        self.sharpness = nn.Parameter(torch.tensor(math.log(50.0)))  # log of k in sigmoid(k d), a training aid
        self._initialise()

    def _initialise(self) -> None:
        for layer in (self.first_pixel, self.first_point, *self.hidden):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(self.skip_point.weight)
        nn.init.normal_(self.distance.weight, std=0.01)
        nn.init.constant_(self.distance.bias, 0.05)

    def forward(
        self, encoding: Encoding, points: torch.Tensor, distance: torch.Tensor | float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``points`` (B, N, 3) crop units; ``distance`` of the camera: float or (B, 1).

        Returns signed distance (B, N) in crop units, outside positive, and albedo (B, N, 3) as **sRGB logits**
        (sigmoid gives sRGB-encoded 0..1).
        """
        at = project(points, distance) * points.new_tensor([1.0, -1.0])  # picture rows run downwards
        grid = at.unsqueeze(1)
        z_x = F.grid_sample(encoding.features, grid, padding_mode="border", align_corners=False)
        colour = F.grid_sample(encoding.image, grid, padding_mode="border", align_corners=False)
        z_x = torch.cat([z_x, colour], 1).squeeze(2).transpose(1, 2)  # (B, N, pixel)
        relative = points[..., 2:] - z_x[..., FRONT : BACK + 1]
        # tanh keeps the query well-behaved far from the surface, where only the sign and rough size matter
        bones = bone_nearness(encoding.joints, points, distance)
        here = torch.cat([self.encode_position(points), torch.tanh(relative * RELATIVE_DEPTH_SCALE), bones], -1)
        x = F.silu(self.first_pixel(z_x) + self.first_point(here))
        for index, layer in enumerate(self.hidden):
            y = layer(x)
            x = F.silu(y + self.skip_point(here) if index + 1 == self.skip else y)
        return self.distance(x).squeeze(-1), self.albedo(x)

    def encode_position(self, points: torch.Tensor) -> torch.Tensor:
        """Fourier encoding (..., 3 (1 + 2 octaves)) of points (Mildenhall et al., NeRF, 2020, eq. 4)."""
        scale = 2.0 ** torch.arange(self.octaves, device=points.device, dtype=points.dtype) * math.pi / 2
        angle = (points.unsqueeze(-1) * scale).flatten(-2)
        return torch.cat([points, torch.sin(angle), torch.cos(angle)], -1)


def bone_nearness(joints: torch.Tensor, points: torch.Tensor, distance: torch.Tensor | float) -> torch.Tensor:
    """exp(-(d / BONE_REACH)^2) of the distance d of ``points`` (B, N, 3) from each bone: (B, N, 16), 1 on the bone.

    ``joints`` (B, 21, 3) as in :class:`Encoding`.
    """
    with torch.autocast(points.device.type, enabled=False):
        at, points = unproject(joints[..., :2], joints[..., 2], distance).float(), points.float()
        start, end = (at[:, [ends[k] for ends in BONES.values()]] for k in (0, 1))
        along = (end - start).transpose(1, 2)  # (B, 3, 16)
        length = along.square().sum(1, keepdim=True).clamp(min=1e-4)
        # |p - a|^2 and (p - a).(b - a) by products of matrices, without an array of differences
        away = (
            points.square().sum(-1, keepdim=True)
            - 2 * points @ start.transpose(1, 2)
            + start.square().sum(-1).unsqueeze(1)
        )
        ahead = points @ along - (start.transpose(1, 2) * along).sum(1, keepdim=True)
        share = (ahead / length).clamp(0, 1)
        return torch.exp(-(away - share * (2 * ahead - share * length)).clamp(min=0) / BONE_REACH**2)
