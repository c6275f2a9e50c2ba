"""People made of simple shapes, whose geometry is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import trimesh

from phorhum_blender.engine.skeleton import JOINTS
from training.cache import Placed, make_sample
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
    return Placed(subject, vertices, distance, unit, np.zeros((len(JOINTS), 3)), 0.0)


def write_samples(folder: Path, count: int, seed: int = 1) -> Path:
    """Samples of ellipsoids whose depth can be told from their outline: as deep as they are wide."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for number in range(count):
        wide = rng.uniform(0.15, 0.5)
        mesh = trimesh.creation.icosphere(subdivisions=3).apply_scale([wide, rng.uniform(0.6, 0.85), wide])
        np.savez(folder / f"{number:07d}_0.npz", **make_sample(placed_shape(mesh), rng))
    return folder


def write_assets(folder: Path) -> Path:
    """A folder of assets with one environment map alone: bright above, dark below."""
    (folder / "hdri").mkdir()
    sky = np.linspace(1.5, 0.1, 384, dtype=np.float32)[:, None, None] * np.ones((384, 768, 3), np.float32)
    assert cv2.imwrite(str(folder / "hdri" / "sky.hdr"), sky)
    return folder
