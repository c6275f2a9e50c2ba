"""Made-up assets and samples for what learns from drawn scenes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.cache import SIZE
from training.detector_scenes import HELD_OUT_EVERY
from training.render import sphere_directions


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of assets with two small environment maps."""
    folder = tmp_path_factory.mktemp("assets")
    (folder / "hdri").mkdir()
    rng = np.random.default_rng(0)
    for name in ("city.hdr", "field.hdr"):
        cv2.imwrite(str(folder / "hdri" / name), rng.uniform(0, 2, (64, 128, 3)).astype(np.float32))
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Upright ellipses with a head, of the arrays that a scene needs."""
    folder = tmp_path_factory.mktemp("cache")
    y, x = np.mgrid[:SIZE, :SIZE]
    body = ((x - 128) / 40) ** 2 + ((y - 150) / 90) ** 2 < 1
    head = np.hypot(x - 128, y - 45) < 22
    pixel = np.flatnonzero((body | head).ravel()).astype(np.int32)
    normal = np.full((len(pixel), 3), (0, 0, 127), np.int8)
    visible = np.full((len(pixel), 16), 255, np.uint8)
    directions = sphere_directions(128).astype(np.float32)
    for person in range(2 * HELD_OUT_EVERY + 1):
        albedo = np.where(head.ravel()[pixel, None], (210, 170, 150), (20 + 5 * person, 60, 200)).astype(np.uint8)
        alpha = np.full(len(pixel), 255, np.uint8)
        shape = {"size": SIZE, "pixel": pixel, "alpha": alpha, "hit": alpha > 0, "normal": normal}
        np.savez(folder / f"{person:07d}_0.npz", **shape, albedo=albedo, visible=visible, directions=directions)
    return folder
