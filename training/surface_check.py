"""How far the surface of a few held-out people is from the truth while training goes on.

The surface is made as the engine makes it (``training.evaluate`` does so at full size for the table of results), on few
cells, and compared with the points of the outer surface that the samples carry.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import NamedTuple

import igl
import numpy as np
import torch
from scipy.spatial import cKDTree

from phorhum_blender.engine.camera import CropSquare
from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.reconstruct import Reconstructor
from phorhum_blender.engine.surface import Surface, extract_surface
from training.cache import load_sample

PEOPLE = 4
CELLS = 64  # along the longest side
SHARE = 0.05  # of the time of training that may go into this
TANGENT = 0.05  # crop units: nearer than this, a point's distance is that from the tangent plane


class Person(NamedTuple):
    """A held-out photo and its true surface."""

    image: np.ndarray  # (S, S, 4) float32 0..1: sRGB-encoded colour and mask
    distance: float  # crop units, of the camera
    pitch: float  # radians by which it looks down
    unit: float  # metres a crop unit
    points: np.ndarray  # (Q, 3) of the outer surface, crop units
    normals: np.ndarray  # (Q, 3)


class SurfaceCheck:
    """Measures a few people now and then, within its share of the time."""

    def __init__(self, paths: list[Path], photos: list[dict[str, torch.Tensor]]):
        """``photos``, as :func:`training.dataset.make_photo` makes them, of the samples at ``paths``, not mirrored."""
        self.people = [person(path, photo) for path, photo in zip(paths[:PEOPLE], photos[:PEOPLE], strict=True)]
        self.spent = 0.0  # seconds

    def due(self, seconds: float) -> bool:
        """Whether another measurement, as long as those before, keeps within SHARE of the ``seconds`` of training."""
        return self.spent <= SHARE * seconds

    def __call__(self, weights: Path, device: str, threads: int) -> dict[str, float]:
        """'surface_cm', the mean over the people whose surface was found, and 'surface_failed', how many had none."""
        started = time.perf_counter()
        errors = measure(Reconstructor(str(weights), device=device, threads=threads), self.people)
        self.spent += time.perf_counter() - started
        measures = {"surface_failed": float(len(self.people) - len(errors))}
        return {**measures, "surface_cm": float(np.mean(errors))} if errors else measures


def person(path: Path, photo: dict[str, torch.Tensor]) -> Person:
    sample = load_sample(path)
    distance, unit = sample["camera"].tolist()
    image = photo["image"].permute(1, 2, 0).numpy()
    return Person(image, distance, math.radians(sample["pitch"]), unit, sample["surface"], sample["surface_normal"])


@torch.inference_mode()
def measure(network: Reconstructor, people: list[Person]) -> list[float]:
    """Error in cm of each of the ``people`` that the network finds a surface of."""
    errors = []
    for one in people:
        encoded = network.encode_crop(one.image, CropSquare(0.0, 0.0, 2.0), one.distance, one.pitch)
        try:
            surface = extract_surface(lambda p, e=encoded: network.distances(e, p), network.bounds(encoded), CELLS)
        except UserError:  # there is none
            continue
        errors.append(chamfer(surface, one.points, one.normals) * one.unit * 100)
    return errors


def chamfer(surface: Surface, points: np.ndarray, normals: np.ndarray) -> float:
    """Mean of both ways' mean distances between a mesh and ``points`` (Q, 3) with ``normals`` of the true surface.

    From a vertex near to a point the distance is that from the point's tangent plane, as points lie apart.
    """
    away, nearest = cKDTree(points).query(surface.vertices)
    plane = np.abs(((surface.vertices - points[nearest]) * normals[nearest]).sum(1))
    there = np.where(away < TANGENT, plane, away).mean()
    squared = igl.point_mesh_squared_distance(
        points.astype(np.float64), surface.vertices.astype(np.float64), surface.faces.astype(np.int64)
    )[0]
    return float(there + np.sqrt(squared).mean()) / 2
