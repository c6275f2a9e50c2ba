"""G: a U-Net that turns the crop into pixel-aligned features and an illumination code.

Follows PHORHUM (Alldieck et al., CVPR 2022): encoder, bottleneck that gives the illumination code, decoder with skip
connections, anti-aliased sampling, Leaky ReLU. Ours ends at half resolution, and its map begins with dense maps (front
and back depth, normal, albedo, mask) that training supervises at every pixel; the surface field reads them like any
other feature.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from .config import ModelConfig

# name -> channels of the supervised maps, in the order in which they stand at the front of the feature map
DENSE_MAPS = {"mask": 1, "front": 1, "back": 1, "normal": 3, "normal_back": 3, "albedo": 3, "albedo_back": 3}
DENSE_CHANNELS = sum(DENSE_MAPS.values())
SLOPE = 0.1


class Encoding(NamedTuple):
    """What G says of one crop."""

    image: torch.Tensor  # (B, 4, S, S) the input: sRGB 0..1 and mask
    features: torch.Tensor  # (B, DENSE_CHANNELS + features, S/2, S/2)
    illumination: torch.Tensor  # (B, L)


class Convolution(nn.Sequential):
    """A convolution, normalised and activated, so that every level starts with signals of the same size."""

    def __init__(self, before: int, after: int, size: int, stride: int = 1):
        super().__init__(
            nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False),
            nn.GroupNorm(8, after),
            nn.LeakyReLU(SLOPE, inplace=True),
        )


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.first = Convolution(width, width, 3)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(self.first(x))


def _stack(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*[Residual(width) for _ in range(count)])


class FeatureExtractor(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        widths = config.widths
        self.stem = Convolution(6, widths[0], 5, stride=2)
        self.down_blocks = nn.ModuleList(_stack(w, n) for w, n in zip(widths, config.blocks, strict=True))
        self.widen = nn.ModuleList(Convolution(a, b, 3) for a, b in zip(widths, widths[1:], strict=False))
        up_widths = (config.features + 8, *widths[1:])
        self.lateral = nn.ModuleList(Convolution(a, b, 1) for a, b in zip(widths[:-1], up_widths[:-1], strict=True))
        self.narrow = nn.ModuleList(Convolution(b, a, 1) for a, b in zip(up_widths, up_widths[1:], strict=False))
        self.up_blocks = nn.ModuleList(_stack(w, 1) for w in up_widths[:-1])
        self.head = nn.Conv2d(up_widths[0], DENSE_CHANNELS + config.features, 1)
        self.illumination = nn.Sequential(
            nn.Linear(widths[-1], 128), nn.LeakyReLU(SLOPE), nn.Linear(128, config.illumination)
        )
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
            if isinstance(module, Residual):
                with torch.no_grad():
                    module.second.weight.mul_(0.3)  # starts near the identity, so depth does not hinder learning
        with torch.no_grad():
            self.head.weight.mul_(0.1)

    def forward(self, image: torch.Tensor) -> Encoding:
        """``image`` (B, 4, S, S): sRGB-encoded colour 0..1 and the person's mask 0..1; S a multiple of 32.

        The mask may be 0.5 everywhere where nothing is known of it.
        """
        x = self.stem(torch.cat([image * 2 - 1, _pixel_coordinates(image)], 1))
        skips = []
        for level, blocks in enumerate(self.down_blocks):
            x = blocks(x)
            if level < len(self.widen):
                skips.append(x)
                x = self.widen[level](F.avg_pool2d(x, 2))
        illumination = self.illumination(x.mean((2, 3)))
        for level in reversed(range(len(skips))):
            x = F.interpolate(self.narrow[level](x), scale_factor=2, mode="bilinear", align_corners=False)
            x = self.up_blocks[level](x + self.lateral[level](skips[level]))
        return Encoding(image, self.head(F.leaky_relu(x, SLOPE)), illumination)


def _pixel_coordinates(image: torch.Tensor) -> torch.Tensor:
    """(B, 2, S, S) x and y of the pixel centres in -1..1, y up."""
    size = image.shape[-1]
    axis = (torch.arange(size, device=image.device, dtype=image.dtype) + 0.5) / size * 2 - 1
    x = axis.expand(size, size)
    return torch.stack([x, -x.T]).expand(image.shape[0], 2, size, size)


def dense_maps(features: torch.Tensor) -> dict[str, torch.Tensor]:
    """Splits the supervised maps off a feature map (B, C, h, w): name -> (B, c, h, w), as predicted (logits for
    'mask', 'albedo' and 'albedo_back')."""
    parts = torch.split(features[:, :DENSE_CHANNELS], list(DENSE_MAPS.values()), dim=1)
    return dict(zip(DENSE_MAPS, parts, strict=True))
