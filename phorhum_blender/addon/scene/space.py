"""From scene space (x right, y up, z towards the camera) to Blender's (x right, z up, the person faces -y)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mathutils import Vector


def to_blender(points: np.ndarray) -> np.ndarray:
    """``points`` (N, 3) in scene space, metres, as a new (N, 3) float32 array in Blender's axes: ``(x, -z, y)``.

    It is a rotation, so directions, normals and the winding of faces go through it unharmed.
    """
    points = np.asarray(points, dtype=np.float32)
    return np.ascontiguousarray(np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1))


def vector_to_blender(vector: Sequence[float]) -> Vector:
    """One point or direction in scene space, in Blender's axes."""
    x, y, z = vector
    return Vector((x, -z, y))
