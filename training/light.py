"""Light of training pictures: environment maps and drawn lights as spherical harmonics, and backgrounds.

Real spherical harmonics, bands 0..2, in the order and with the constants of Ramamoorthi and Hanrahan (2001), "An
efficient representation for irradiance environment maps". Axes: x right, y up, z towards the camera.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np

os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # read by cv2 when it is imported
import cv2  # noqa: E402

from phorhum_blender.engine.harmonics import harmonics  # noqa: E402

ENVIRONMENT_SIZE = (384, 768)  # rows, columns of the kept maps
ENVIRONMENT_SUFFIXES = (".hdr", ".exr")


def sh_basis(n: np.ndarray) -> np.ndarray:
    """(N, 9) real spherical harmonics of unit vectors (N, 3)."""
    return np.stack(harmonics(*n.T), 1)


def directional_light(direction: np.ndarray, spread: float) -> np.ndarray:
    """(9,) harmonics of a light of unit irradiance at normal incidence; ``spread`` in 0..1 damps the upper bands."""
    bands = np.array([1] + [1 - 0.3 * spread] * 3 + [1 - 0.6 * spread] * 5)
    return np.pi * sh_basis(direction[None] / np.linalg.norm(direction))[0] * bands


@cache
def load_environments(assets: Path) -> tuple[np.ndarray, ...]:
    """All environment maps as linear float32 (384, 768, 3) lat-long pictures, row 0 up."""
    maps = []
    for path in sorted((assets / "hdri").iterdir()):
        if path.suffix in ENVIRONMENT_SUFFIXES:
            maps.append(read_environment(path))
    return tuple(maps)


def read_environment(path: Path) -> np.ndarray:
    """One environment map (.hdr, .exr) as a linear float32 (384, 768, 3) lat-long picture, row 0 up."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., :3][..., ::-1].astype(np.float32)
    rows, columns = ENVIRONMENT_SIZE
    return np.maximum(cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA), 0)


def latlong_directions(rows: int, columns: int, turn: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (rows * columns, 3) of the texels of a lat-long map, and their solid angles (rows * columns,).

    Row 0 is up; columns run to the right, and the middle one looks to -z, away from the camera, unless the map is
    turned to the right by ``turn`` in 0..1.
    """
    theta = (np.arange(rows) + 0.5) / rows * np.pi
    phi = ((np.arange(columns) + 0.5) / columns - 0.5 + turn) * 2 * np.pi
    t, p = np.meshgrid(theta, phi, indexing="ij")
    direction = np.stack([np.sin(t) * np.sin(p), np.cos(t), -np.sin(t) * np.cos(p)], -1).reshape(-1, 3)
    return direction, (np.sin(t) * (np.pi / rows) * (2 * np.pi / columns)).reshape(-1)


def environment_sh(environment: np.ndarray, turn: float) -> np.ndarray:
    """(9, 3) harmonics of a lat-long map turned about the vertical by ``turn`` in 0..1.

    The middle column of the turned map lies behind the person (-z), so a background cut out of
    its middle belongs to the light.
    """
    small = cv2.resize(environment, (64, 32), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    direction, solid = latlong_directions(32, 64, turn)
    return np.einsum("nb,n,nc->bc", sh_basis(direction), solid, small)


def irradiance(normals: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Shading (N, 3) of unshadowed surfaces with unit ``normals`` (N, 3) under ``light`` (9, 3).

    Irradiance over pi (Ramamoorthi and Hanrahan 2001, eq. 12): an even sky of radiance 1 gives 1.
    """
    cosine_lobe = np.array([1, *[2 / 3] * 3, *[1 / 4] * 5])
    return np.maximum((sh_basis(normals) * cosine_lobe) @ light, 0.01).astype(np.float32)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear to sRGB-encoded, both 0..1 (IEC 61966-2-1)."""
    x = np.clip(linear, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(np.maximum(x, 1e-9), 1 / 2.4) - 0.055)


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB-encoded to linear, both 0..1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, np.power((srgb + 0.055) / 1.055, 2.4))
