"""How far the camera looked down, told by how the person stands.

A photo does not tell the camera's tilt from the lean of the person before it. But people stand nearly upright, while
photographers hold cameras at any tilt, so the larger part of a lean is the camera's.
"""

from __future__ import annotations

import math

import numpy as np

from .skeleton import JOINT

# Of the lean that G sees; chosen for the least error of the lean that is left (docs/results.md, "Standing upright").
CAMERA_SHARE = 0.6
LYING = math.radians(45)  # from this lean on a person does not stand, and the lean tells nothing of the camera
SOLE = 0.25  # where the weight rests, from the ankle to the toes


def camera_pitch(joints: np.ndarray) -> float:
    """Angle in radians, positive down, by which the camera looked down at a person with ``joints`` (21, 3) in camera
    axes (y up, z towards the camera), as far as the person's lean tells it."""
    return pitch_of_lean(lean_towards_camera(joints))


def pitch_of_lean(lean: float, share: float = CAMERA_SHARE) -> float:
    """The camera's part of a ``lean``, radians: ``share`` of a small one, nothing of one that is no standing."""
    return share * lean * max(0.0, 1 - (lean / LYING) ** 2)


def lean_towards_camera(joints: np.ndarray) -> float:
    """Angle in radians, positive towards the camera, between the y axis and the line from between the feet to the neck,
    as seen from the side; ``joints`` (21, 3) with y up and z towards the camera."""
    ankles, toes = ((joints[JOINT[f"l_{name}"]] + joints[JOINT[f"r_{name}"]]) / 2 for name in ("ankle", "toe"))
    _, up, forward = joints[JOINT["neck"]] - (ankles + SOLE * (toes - ankles))
    return math.atan2(forward, up)
