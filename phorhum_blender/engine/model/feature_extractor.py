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

from ..camera import VIEW_CODE, unproject
from ..skeleton import BONES, JOINTS, MIRRORED_JOINTS
from .config import ModelConfig
from .first_light import HARMONICS, first_light

# name -> channels of the supervised maps, in the order in which they stand at the front of the feature map
DENSE_MAPS = {"mask": 1, "front": 1, "back": 1, "normal": 3, "normal_back": 3, "albedo": 3, "albedo_back": 3}
DENSE_CHANNELS = sum(DENSE_MAPS.values())
SLOPE = 0.1
BONE_RADIUS = 0.12  # crop units: how far a bone is felt in the picture
JOINT_FEATURES = 16  # of what is seen at each joint
HEAD_WIDTH = 32  # channels of a head of attention


class Encoding(NamedTuple):
    """What G says of one crop."""

    image: torch.Tensor  # (B, 4, S, S) the input: sRGB 0..1 and mask
    features: torch.Tensor  # (B, DENSE_CHANNELS + features, S/2, S/2)
    illumination: torch.Tensor  # (B, L)
    joints: torch.Tensor  # (B, 21, 3) of engine.skeleton: x right, y up in the picture, -1..1, and z in crop units
    heat: torch.Tensor  # (B, 21, S/4, S/4) logits of each joint's place
    parts: torch.Tensor  # (B, 16, S/2, S/2) logits of the bone that moves what is seen
    mirrored_illumination: torch.Tensor | None = None  # (B, L) of the mirror image, where G has seen it, too

    def joints_in_space(self, distance: float) -> torch.Tensor:
        """(21, 3) crop units, the first picture's joints in the order of ``skeleton.JOINTS``; ``distance`` of the
        camera."""
        joints = self.joints[0]
        return unproject(joints[:, :2], joints[:, 2], distance)

    def float(self) -> Encoding:
        """The same in 32 bits."""
        return Encoding(*(None if x is None else x.float() for x in self))


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


class ResidualLinear(nn.Sequential):
    """A residual block on vectors (..., width)."""

    def __init__(self, width: int):
        super().__init__(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


class Attention(nn.Module):
    """A block of a transformer on a feature map: each pixel looks at all others (Vaswani et al., 2017; normalised first
    as by Xiong et al., 2020), then at itself."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.feed_forward = ResidualLinear(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = x.flatten(2).transpose(1, 2)  # (B, P, width)
        vectors = self.query_key_value(self.norm(pixels)).unflatten(2, (3, -1, min(HEAD_WIDTH, x.shape[1])))
        heads = F.scaled_dot_product_attention(*vectors.permute(2, 0, 3, 1, 4))
        pixels = self.feed_forward(pixels + self.projection(heads.transpose(1, 2).flatten(2)))
        return pixels.transpose(1, 2).unflatten(2, x.shape[2:])


def _stack(width: int, count: int, attention: int = 0) -> nn.Sequential:
    return nn.Sequential(*[Residual(width) for _ in range(count)], *[Attention(width) for _ in range(attention)])


class SkeletonHead(nn.Module):
    """Joints from a feature map: where each is in the picture and how deep, then all of them considered together.

    The place is the mean over a map of probabilities, the depth the mean of a second map under the same probabilities
    (integral regression; Sun et al., ECCV 2018). Which depth goes with which outline depends on the whole body, so a
    small network looks at all joints, at what is seen at each, and at the bottleneck, and corrects them.
    """

    def __init__(self, width: int, bottleneck: int, hidden: int, blocks: int):
        super().__init__()
        count = len(JOINTS)
        self.maps = nn.Conv2d(width, 2 * count + JOINT_FEATURES, 1)
        self.together = nn.Sequential(
            nn.Linear((3 + JOINT_FEATURES) * count + bottleneck, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            *[ResidualLinear(hidden) for _ in range(blocks)],
            nn.Linear(hidden, 3 * count),
        )

    def forward(self, x: torch.Tensor, bottleneck: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``x`` (B, width, h, w), ``bottleneck`` (B, C) -> joints (B, 21, 3) and heat (B, 21, h, w) as in
        :class:`Encoding`."""
        maps = self.maps(x)
        heat, depth, seen = maps.float().flatten(2).split([len(JOINTS), len(JOINTS), JOINT_FEATURES], 1)
        chance = heat.softmax(-1)
        values = [*picture_coordinates(x.shape[-1], depth).flatten(1), depth]
        first = torch.stack([(chance * value).sum(-1) for value in values], -1)
        at_joints = torch.einsum("bjp,bcp->bjc", chance, seen)
        everything = torch.cat([first.flatten(1), at_joints.flatten(1), bottleneck], 1)
        return first + self.together(everything).float().unflatten(1, (-1, 3)), maps[:, : len(JOINTS)]


def bone_depths(joints: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Depth of the nearest place of each bone at each pixel, and how near it is.

    ``joints`` (B, 21, 3) as in :class:`Encoding`; returns two maps (B, 16, size, size): z in crop units, and
    exp(-(distance in the picture / BONE_RADIUS)^2).
    """
    ends = joints[:, list(BONES.values())]  # (B, 16, 2, 3)
    start, along = ends[:, :, 0, :, None], (ends[:, :, 1] - ends[:, :, 0])[..., None]
    at = picture_coordinates(size, joints).flatten(1)  # (2, P)
    away = at - start[:, :, :2]  # (B, 16, 2, P)
    length = along[:, :, :2].square().sum(2).clamp(min=1e-4)
    share = ((away * along[:, :, :2]).sum(2) / length).clamp(0, 1)
    nearest = (away - share.unsqueeze(2) * along[:, :, :2]).square().sum(2)
    depth = start[:, :, 2] + share * along[:, :, 2]
    return depth.unflatten(2, (size, size)), torch.exp(-nearest / BONE_RADIUS**2).unflatten(2, (size, size))


class FeatureExtractor(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        widths = config.widths
        self.stem = Convolution(6, widths[0], 5, stride=2)
        levels = zip(widths, config.blocks, config.attention, strict=True)
        self.down_blocks = nn.ModuleList(_stack(*level) for level in levels)
        self.widen = nn.ModuleList(Convolution(a, b, 3) for a, b in zip(widths, widths[1:], strict=False))
        self.view = nn.Linear(VIEW_CODE, widths[-1], bias=False)
        up_widths = (config.features + 8, *widths[1:])
        self.lateral = nn.ModuleList(Convolution(a, b, 1) for a, b in zip(widths[:-1], up_widths[:-1], strict=True))
        self.narrow = nn.ModuleList(Convolution(b, a, 1) for a, b in zip(up_widths, up_widths[1:], strict=False))
        self.up_blocks = nn.ModuleList(_stack(w, n) for w, n in zip(up_widths[:-1], config.up_blocks, strict=True))
        self.skeleton = SkeletonHead(up_widths[1], widths[-1], config.skeleton_width, config.skeleton_blocks)
        self.skeleton_lateral = Convolution(2 * len(BONES), up_widths[1], 1)
        self.parts = nn.Conv2d(up_widths[0], 2 * len(BONES), 1)  # of the visible side, of the far side
        self.head = nn.Conv2d(up_widths[0], DENSE_CHANNELS + config.features, 1)
        self.illumination = nn.Sequential(
            nn.Linear(widths[-1] + 3 * HARMONICS, 128), nn.LeakyReLU(SLOPE), nn.Linear(128, config.illumination)
        )
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
        with torch.no_grad():
            for module in self.modules():  # blocks start near the identity, so depth does not hinder learning
                if isinstance(module, Residual):
                    module.second.weight.mul_(0.3)
                elif isinstance(module, ResidualLinear):
                    module[-1].weight.mul_(0.3)
                elif isinstance(module, Attention):
                    module.projection.weight.mul_(0.3)
            self.head.weight.mul_(0.1)
            self.parts.weight.mul_(0.1)
            self.skeleton.maps.weight.mul_(0.1)
            self.skeleton.together[-1].weight.mul_(0.1)
            self.view.weight.zero_()  # at first, what is told changes nothing

    def forward(
        self, image: torch.Tensor, view: torch.Tensor | None = None, other_joints: torch.Tensor | None = None
    ) -> Encoding:
        """``image`` (B, 4, S, S): sRGB-encoded colour 0..1 and the person's mask 0..1; S a multiple of 32.

        The mask may be 0.5 everywhere where nothing is known of it. ``view`` (B, 4) is what is known of each camera,
        see :func:`phorhum_blender.engine.camera.view_code`; None: nothing. ``other_joints`` (B, 21, 3), as in
        :class:`Encoding`, are a second opinion of the joints: the mean of both counts.
        """
        size = image.shape[-1]
        place = picture_coordinates(size, image).expand(len(image), 2, size, size)
        x = self.stem(torch.cat([image * 2 - 1, place], 1))
        skips = []
        for blocks, widen in zip(self.down_blocks, self.widen, strict=False):
            x = blocks(x)
            skips.append(x)
            x = widen(F.avg_pool2d(x, 2))
        if view is not None:
            x = x + self.view(view)[..., None, None]
        x = self.down_blocks[-1](x)
        bottleneck = x.mean((2, 3))
        for level in reversed(range(1, len(skips))):
            x = self._up(level, x, skips)
        joints, heat = self.skeleton(x, bottleneck)
        if other_joints is not None:
            joints = (joints + other_joints) / 2
        x = x + self.skeleton_lateral(torch.cat(bone_depths(joints, size // 4), 1))
        x = F.leaky_relu(self._up(0, x, skips), SLOPE)
        parts = self.parts(x)
        features = _upon_the_skeleton(self.head(x), parts, bone_depths(joints, size // 2)[0])
        light = first_light(image, dense_maps(features)).flatten(1)
        illumination = self.illumination(torch.cat([bottleneck, light.to(bottleneck.dtype)], 1))
        return Encoding(image, features, illumination, joints, heat, parts[:, : len(BONES)])

    def _up(self, level: int, x: torch.Tensor, skips: list[torch.Tensor]) -> torch.Tensor:
        x = F.interpolate(self.narrow[level](x), scale_factor=2, mode="bilinear", align_corners=False)
        return self.up_blocks[level](x + self.lateral[level](skips[level]))


def _upon_the_skeleton(features: torch.Tensor, parts: torch.Tensor, depths: torch.Tensor) -> torch.Tensor:
    """``features`` with their depth maps counted from the bones: each pixel's mean of the bones' ``depths`` (B, 16, h,
    w), weighed by what it says it belongs to (``parts``, logits of both sides)."""
    sides = [(chance.softmax(1) * depths).sum(1, keepdim=True) for chance in parts.float().split(len(BONES), 1)]
    mask, depth_maps, rest = features.float().split([1, 2, features.shape[1] - 3], 1)
    return torch.cat([mask, depth_maps + torch.cat(sides, 1), rest], 1)


def mirrored_joints(joints: torch.Tensor) -> torch.Tensor:
    """The ``joints`` (B, 21, 3) of :class:`Encoding` of the mirror image, or back again."""
    return joints[:, list(MIRRORED_JOINTS)] * joints.new_tensor([-1.0, 1.0, 1.0])


def picture_coordinates(size: int, like: torch.Tensor) -> torch.Tensor:
    """(2, size, size) x right and y up of the pixel centres in -1..1, of the type and device of ``like``."""
    axis = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / size * 2 - 1
    x = axis.expand(size, size)
    return torch.stack([x, -x.T])


def dense_maps(features: torch.Tensor) -> dict[str, torch.Tensor]:
    """Splits the supervised maps off a feature map (B, C, h, w): name -> (B, c, h, w), as predicted (logits for
    'mask', 'albedo' and 'albedo_back')."""
    parts = torch.split(features[:, :DENSE_CHANNELS], list(DENSE_MAPS.values()), dim=1)
    return dict(zip(DENSE_MAPS, parts, strict=True))
