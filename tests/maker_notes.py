"""Maker notes as iPhones write them, made byte by byte."""

from __future__ import annotations

import math
import struct

from phorhum_blender.engine.gravity import ACCELERATION, FRONT_CAMERA, SIGNATURE

STEP = 10_000  # of the fractions that hold the acceleration
SIGNED_FRACTION, SIGNED = 10, 9  # TIFF's numbers of types


def held(tilt: float, turn: float = 0.0) -> tuple[float, float, float]:
    """What a phone feels, in g, that looks down by ``tilt`` radians with the camera at its back, turned by ``turn``
    about that camera's axis."""
    up = math.cos(tilt)
    return (up * math.sin(turn), -up * math.cos(turn), -math.sin(tilt))


def note(acceleration: tuple[float, float, float], front_camera: int | None = None) -> bytes:
    """A note whose directory holds the acceleration, in g, and which camera took the photo."""
    entries = [] if front_camera is None else [(FRONT_CAMERA, SIGNED, 1, front_camera)]
    behind = len(SIGNATURE) + 2 + 12 * (len(entries) + 1) + 4
    entries.insert(0, (ACCELERATION, SIGNED_FRACTION, 3, behind))
    directory = struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHIi", *entry) for entry in entries)
    fractions = b"".join(struct.pack(">ii", round(part * STEP), STEP) for part in acceleration)
    return SIGNATURE + directory + struct.pack(">I", 0) + fractions
