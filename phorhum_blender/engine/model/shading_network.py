"""s: shading of a surface point from its normal and the illumination code."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .config import ModelConfig


class ShadingNetwork(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        width = config.shading_width
        self.layers = nn.Sequential(
            nn.Linear(3 + config.illumination, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, 3),
        )

    def forward(self, normals: torch.Tensor, illumination: torch.Tensor) -> torch.Tensor:
        """``normals`` (B, N, 3) unit, ``illumination`` (B, L) -> linear shading (B, N, 3), >= 0, unbounded above;
        shaded colour = linear albedo * shading."""
        code = illumination.unsqueeze(1).expand(-1, normals.shape[1], -1)
        return F.softplus(self.layers(torch.cat([normals, code], -1)))
