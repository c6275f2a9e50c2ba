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
from .first_light import srgb_to_linear

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
        return self.upon(without_creases(encoding.features), encoding, points, distance)

    def upon(
        self, smooth: torch.Tensor, encoding: Encoding, points: torch.Tensor, distance: torch.Tensor | float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As :meth:`forward`, upon a feature map that is ``smooth`` already, see :func:`without_creases`."""
        at = project(points, distance) * points.new_tensor([1.0, -1.0])  # picture rows run downwards
        grid = at.unsqueeze(1)
        z_x = F.grid_sample(smooth, grid, padding_mode="border", align_corners=False)
        colour = F.grid_sample(encoding.image, grid, padding_mode="border", align_corners=False)
        z_x = torch.cat([z_x, colour], 1).squeeze(2).transpose(1, 2)  # (B, N, pixel)
        relative = points[..., 2:] - z_x[..., FRONT : BACK + 1]
        here = self.seen_from(points, relative, bone_nearness(encoding.joints, points, distance))
        x = self.through(self.first_pixel(z_x), here)
        return self.distance(x).squeeze(-1), self.albedo(x)

    def seen_from(self, points: torch.Tensor, relative: torch.Tensor, bones: torch.Tensor) -> torch.Tensor:
        """What f sees of the points (..., 3) but for their pixels; ``relative`` (..., 2) to the two depth maps."""
        # tanh keeps the query well-behaved far from the surface, where only the sign and rough size matter
        return torch.cat([self.encode_position(points), torch.tanh(relative * RELATIVE_DEPTH_SCALE), bones], -1)

    def through(self, pixel: torch.Tensor, here: torch.Tensor) -> torch.Tensor:
        """All layers but the heads: (..., width) of ``pixel`` (..., width), the first layer's sum over the pixel, and
        ``here``, what :meth:`seen_from` gives."""
        x = F.silu(pixel + self.first_point(here))
        for index, layer in enumerate(self.hidden):
            y = layer(x)
            x = F.silu(y + self.skip_point(here) if index + 1 == self.skip else y)
        return x

    def encode_position(self, points: torch.Tensor) -> torch.Tensor:
        """Fourier encoding (..., 3 (1 + 2 octaves)) of points (Mildenhall et al., NeRF, 2020, eq. 4)."""
        scale = 2.0 ** torch.arange(self.octaves, device=points.device, dtype=points.dtype) * math.pi / 2
        angle = (points.unsqueeze(-1) * scale).flatten(-2)
        return torch.cat([points, torch.sin(angle), torch.cos(angle)], -1)


class PreparedField:
    """f of one photo, for many points: what its first layer makes of the feature map is summed once per pixel.

    The layer is linear, so to smooth and interpolate its sums between pixels is to sum what is smoothed and
    interpolated.
    """

    def __init__(self, field: SurfaceField, encoding: Encoding, distance: float):
        self._field = field
        self._joints = encoding.joints
        self._distance = distance  # of the camera, crop units
        features = encoding.features
        map_weight, image_weight = field.first_pixel.weight.split([features.shape[1], encoding.image.shape[1]], 1)
        sums = F.conv2d(features, map_weight[..., None, None], field.first_pixel.bias)
        self._map = PixelRows(without_creases(torch.cat([sums, features[:, FRONT : BACK + 1]], 1)))
        self._image = PixelRows(encoding.image)
        self._image_weight = image_weight.T

    def distances(self, points: torch.Tensor) -> torch.Tensor:
        """Signed distance (N,) of ``points`` (N, 3), crop units, outside positive."""
        return self._field.distance(self._before_heads(points)).squeeze(-1)

    def albedo(self, points: torch.Tensor) -> torch.Tensor:
        """Albedo (N, 3) of ``points`` (N, 3), linear 0..1."""
        return srgb_to_linear(torch.sigmoid(self._field.albedo(self._before_heads(points))))

    def _before_heads(self, points: torch.Tensor) -> torch.Tensor:
        at = project(points, self._distance)
        pixel, depths = self._map.at(at).split([self._image_weight.shape[1], 2], 1)
        bones = bone_nearness(self._joints, points.unsqueeze(0), self._distance)[0]
        here = self._field.seen_from(points, points[:, 2:] - depths, bones)
        return self._field.through(torch.addmm(pixel, self._image.at(at), self._image_weight), here)


def without_creases(maps: torch.Tensor) -> torch.Tensor:
    """``maps`` (B, C, S, S) at twice the size, smoothed by a triangle a pixel to each side: what is bilinear between
    these pixels is nearly smooth, as between B-splines, where what is bilinear between the former has creases, which
    show as a grid on plain cloth."""
    fine = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
    return F.avg_pool2d(F.avg_pool2d(F.pad(fine, (1, 1, 1, 1), mode="replicate"), 2, stride=1), 2, stride=1)


class PixelRows:
    """A map of which each pixel's channels lie side by side, to be interpolated at many places: several times faster
    than ``grid_sample``, which gathers each channel by itself."""

    def __init__(self, maps: torch.Tensor):
        """``maps`` (1, C, S, S)."""
        self._size = maps.shape[-1]
        self._rows = maps[0].flatten(1).T.contiguous()

    def at(self, places: torch.Tensor) -> torch.Tensor:
        """(N, C) bilinear samples at ``places`` (N, 2) in -1..1, x right and **y up**; the border goes on outside."""
        size = self._size
        pixels = ((places * places.new_tensor([1.0, -1.0]) + 1) * (size / 2) - 0.5).clamp(0, size - 1)
        corner = pixels.floor().clamp(max=size - 2)
        right, down = (pixels - corner).unbind(1)
        both = right * down
        share = torch.stack([1 - right - down + both, right - both, down - both, both], 1)
        column, row = corner.long().unbind(1)
        first = row * size + column
        index = torch.stack([first, first + 1, first + size, first + size + 1], 1)
        return F.embedding_bag(index, self._rows, per_sample_weights=share, mode="sum")


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
