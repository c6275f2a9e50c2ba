"""The head, which the body's networks see in twenty pixels: a second, smaller set of networks looks at it alone.

They are G and f as the body's are, taught on heads (``training.cache --heads``), and see the photo through a camera
that is turned towards the head. Around the head their field takes the place of the body's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from .camera import project, unproject
from .model import Encoding, PhorhumModel
from .model.feature_extractor import dense_maps, picture_coordinates
from .segments import nearest_places
from .silhouette import Silhouette
from .skeleton import BONES, JOINT
from .solid import Solid

SHIPPED = Path(__file__).resolve().parent.parent / "weights" / "head.safetensors"
MIDDLE = 0.56  # of the way from the neck to the crown lies the middle of the square
HALF_SIDE = 0.62  # of that way, half the side of the square
THROAT = (-0.04, 0.14)  # of that way: from where to where the body's field becomes the head's
RIM = (0.8, 1.0)  # head units from the middle, to the sides and up, where the head's field becomes the body's again
DEPTH = (1.0, 1.3)  # likewise along the view
ARMS = [BONES[f"{side}_{bone}"] for side in "lr" for bone in ("forearm", "hand")]
ARM = (0.05, 0.1)  # crop units from the middle of an arm, where the body's field becomes the head's
ARM_NEAR = 1.5  # head units from the middle: an arm that is farther away is in nobody's way
LENGTHS = 0.4  # of a body's, where its field is made whole
LEAST_HALF = 0.05  # crop units: no head is smaller, whatever the joints say
CHIN = -0.5  # head units: what lies lower in the picture tells little of the head's depth
LEAST_SEEN = 0.1  # of the square: less person in it, and it holds no head


Body = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class HeadFrame:
    """Head units in crop units: the square in which the head's networks see it spans [-1, 1] at its plane z = 0.

    Its camera is the body's, turned until its axis runs through the middle of the head.
    """

    centre: np.ndarray  # (3,) crop units
    half: float  # crop units a head unit
    turn: np.ndarray  # (3, 3) rows: the head camera's x, y and z axis in crop space
    distance: float  # of the camera, head units

    @classmethod
    def of_joints(cls, joints: np.ndarray, distance: float) -> HeadFrame:
        """``joints`` (21, 3) crop units, in the order of ``skeleton.JOINTS``; ``distance`` of the camera."""
        neck, crown = joints[JOINT["neck"]], joints[JOINT["crown"]]
        half = max(HALF_SIDE * float(np.linalg.norm(crown - neck)), LEAST_HALF)
        return cls.looking_at(neck + MIDDLE * (crown - neck), half, distance)

    @classmethod
    def looking_at(cls, centre: np.ndarray, half: float, distance: float) -> HeadFrame:
        """``centre`` (3,) and ``half``, crop units; ``distance`` of the camera, crop units."""
        towards = np.array([0.0, 0.0, distance]) - centre
        away = float(np.linalg.norm(towards))
        z = towards / away
        x = np.cross([0.0, 1.0, 0.0], z)
        x /= np.linalg.norm(x)
        return cls(centre, half, np.stack([x, np.cross(z, x), z]), away / half)

    @property
    def pitch(self) -> float:
        """Radians by which its camera looks down farther than the body's."""
        return float(np.arcsin(self.turn[2, 1]))

    def nearer(self, step: float) -> HeadFrame:
        """The same picture of what stands ``step`` head units nearer to the camera."""
        scale = 1 - step / self.distance
        return HeadFrame(self.centre + self.turn[2] * self.half * step, self.half * scale, self.turn, self.distance)

    def inwards(self, points: np.ndarray) -> np.ndarray:
        """``points`` (N, 3) of crop units in head units."""
        return (points - self.centre) @ self.turn.T / self.half

    def outwards(self, points: np.ndarray) -> np.ndarray:
        """``points`` (N, 3) of head units in crop units."""
        return points @ self.turn * self.half + self.centre


class Head:
    """Signed distance and albedo around the head, and where they are to be believed. Points are in crop units."""

    def __init__(self, model: PhorhumModel, picture: np.ndarray, encoding: Encoding, distance: float):
        """``picture`` (S, S, 4) float32 0..1, the crop in many pixels: sRGB-encoded colour and mask; ``encoding`` and
        ``distance`` are the body's."""
        joints = encoding.joints_in_space(distance)
        found = joints.cpu().double().numpy()
        frame = HeadFrame.of_joints(found, distance)
        image = seen_through(frame, picture, distance, model.config.image_size)
        self.seen = float((image[..., 3] > 0.5).mean())  # share of the square
        tensor = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].to(joints.device)
        own = model.encode(tensor)
        frame = frame.nearer(depth_error(own, encoding, frame, distance))
        self._field = model.field(own, frame.distance)
        self._silhouette = Silhouette(image[..., 3], frame.distance, joints.device)
        self._solid = Solid(self._field.distances, own, self._silhouette, frame.distance, LENGTHS / frame.half)
        like = {"dtype": torch.float32, "device": joints.device}
        self._centre, self._turn = torch.tensor(frame.centre, **like), torch.tensor(frame.turn, **like)
        self._half = frame.half
        self._neck, crown = (self._inwards(torch.tensor(found[JOINT[name]], **like)) for name in ("neck", "crown"))
        self._up = (crown - self._neck) / (crown - self._neck).square().sum().clamp(min=1e-6)
        arms = torch.tensor(found[np.array(ARMS)], **like)  # (A, 2, 3)
        away = (nearest_places(self._centre[None], *arms.unbind(1))[0] - self._centre).norm(dim=-1)
        self._arms = arms[away < ARM_NEAR * self._half].unbind(1)

    def _inwards(self, points: torch.Tensor) -> torch.Tensor:
        return (points - self._centre) @ self._turn.T / self._half

    def share(self, points: torch.Tensor) -> torch.Tensor:
        """(N,) 0..1: how far the head's field takes the place of the body's at ``points`` (N, 3)."""
        at = self._inwards(points)
        beside = torch.maximum(at[:, 0].abs(), at[:, 1])
        along = (at - self._neck) @ self._up
        share = smooth(along, *THROAT) * (1 - smooth(beside, *RIM)) * (1 - smooth(at[:, 2].abs(), *DEPTH))
        if len(self._arms[0]):
            away = (nearest_places(points, *self._arms) - points[:, None]).norm(dim=-1).amin(1)
            share = share * smooth(away, *ARM)
        return share

    def joined(self, points: torch.Tensor, hull: torch.Tensor, body: Body) -> torch.Tensor:
        """Signed distance (N,) of ``points`` (N, 3), crop units, outside positive: that of ``body``, which maps points
        and their share of ``hull`` (N,) to it, and around the head the head's."""
        share = self.share(points)
        own, others = share > 0, share < 1
        result = points.new_zeros(len(points))
        result[others] = body(points[others], hull[others])
        at = self._inwards(points[own])
        distance = self._solid.distances(at, self._silhouette.bound(at)) * self._half
        result[own] = torch.lerp(result[own], distance, share[own])
        return result

    def joined_albedo(self, points: torch.Tensor, body: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Albedo (N, 3) of ``points`` (N, 3), linear 0..1: that of ``body``, and around the head the head's."""
        share = self.share(points)
        own, others = share > 0, share < 1
        result = torch.zeros_like(points)
        result[others] = body(points[others])
        result[own] = torch.lerp(result[own], self._field.albedo(self._inwards(points[own])), share[own, None])
        return result


def seen_through(frame: HeadFrame, picture: np.ndarray, distance: float, size: int) -> np.ndarray:
    """(size, size, C) of ``picture`` (S, S, C), the crop seen from ``distance``, as the head's camera sees it."""
    places = _body_places(frame, distance, size)
    pixels = ((places * [1, -1] + 1) * (len(picture) / 2) - 0.5).astype(np.float32)
    image = cv2.remap(picture, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    image[np.abs(places).max(-1) > 1, 3:] = 0  # of what lies beyond the crop nothing is the person
    return image


def depth_error(own: Encoding, body: Encoding, frame: HeadFrame, distance: float) -> float:
    """How much nearer than the head's networks the body's see what both see above the throat, head units: the median
    of the means of front and back."""
    maps, body_maps = dense_maps(own.features), dense_maps(body.features)
    size = own.features.shape[-1]
    places = _body_places(frame, distance, size).reshape(-1, 2)
    at = torch.from_numpy(places.astype(np.float32)).to(own.features.device)
    grid = (at * at.new_tensor([1.0, -1.0]))[None, None]
    there = torch.cat([body_maps[name] for name in ("mask", "front", "back")], 1)
    mask, *sides = F.grid_sample(there, grid, padding_mode="border", align_corners=False)[0, :, 0]
    above = picture_coordinates(size, mask)[1].flatten() > CHIN
    both = ((mask > 0) & (maps["mask"].flatten() > 0) & above).cpu().numpy()
    if not both.any():
        return 0.0
    errors = [
        frame.inwards(unproject(at, z, distance).cpu().double().numpy())[:, 2] - maps[name].flatten().cpu().numpy()
        for name, z in zip(("front", "back"), sides, strict=True)
    ]
    return float(np.median(np.mean(errors, 0)[both]))


def _body_places(frame: HeadFrame, distance: float, size: int) -> np.ndarray:
    """(size, size, 2) where in the crop, -1..1, x right and y up, the pixels of the head's picture lie."""
    plane = picture_coordinates(size, torch.zeros((), dtype=torch.float64)).permute(1, 2, 0)
    plane = torch.cat([plane, torch.zeros_like(plane[..., :1])], -1).numpy().reshape(-1, 3)
    return project(torch.from_numpy(frame.outwards(plane)), distance).numpy().reshape(size, size, 2)


def smooth(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """0 up to ``low``, 1 from ``high`` on, between them a cubic without a kink."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
