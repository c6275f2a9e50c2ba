"""People made of simple shapes, whose geometry is known."""

from __future__ import annotations

import numpy as np
import trimesh

from phorhum_blender.engine.skeleton import JOINTS
from training.cache import Placed
from training.subjects import Subject

BLUE = (30, 60, 180, 255)


def placed_shape(
    mesh: trimesh.Trimesh, distance: float = 4.0, unit: float = 1.0, texture: np.ndarray | None = None
) -> Placed:
    """A rigless person of the triangles of ``mesh``, as they lie in crop units, of one blue ``texture``."""
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int32)
    plain = np.tile(np.array(BLUE, np.uint8), (2, 2, 1))
    subject = Subject(
        "shape", "valid", vertices.astype(np.float32), faces, np.zeros((1, 2), np.float32), np.zeros_like(faces),
        np.zeros(len(faces), int), (plain if texture is None else texture,), np.zeros((len(vertices), 4), int),
        np.eye(4, dtype=np.float32)[np.zeros(len(vertices), int)], np.zeros((1, 3)), np.zeros((1, 3)),
        np.array([-1]), ("root",),
    )  # fmt: skip
    return Placed(subject, vertices, distance, unit, np.zeros((len(JOINTS), 3)))
