"""What a network has to beat: a visual hull inflated from the mask, and the training set's mean body.

Both are signed fields in crop units (outside positive), so that they go through the same surface extraction as the
network's. Their few numbers are fitted on training people only and kept in a small file, a build product:

    python -m training.baselines --assets ../shared/assets --out out/baselines.npz
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from training.cache import Placed, place, pose_subject, random_pose, random_view
from training.render import pixel_rays
from training.subjects import list_subjects, load_subject

Field = Callable[[np.ndarray], np.ndarray]  # (N, 3) crop units -> (N,), outside positive

FIT_SIZE = 128  # pixels a side of the depth pictures that the baselines are fitted on
GRID = (96, 96, 72)  # cells in x, y, z of the mean body
BOX = np.array([[-1.0, -1.0, -0.75], [1.0, 1.0, 0.75]])  # crop units
SMOOTHING = 1.0  # cells
GAINS = np.arange(0.10, 0.60, 0.01)
CAPS = np.arange(0.04, 0.30, 0.01)
THRESHOLDS = np.arange(0.05, 0.80, 0.025)


@dataclass(frozen=True)
class DepthView:
    """Front and back z (S, S) of a person in crop units as the crop camera sees them; nan outside."""

    front: np.ndarray
    back: np.ndarray
    distance: float

    def contains(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool: between front and back along the camera's ray."""
        size = len(self.front)
        pixel = np.floor((project(points, self.distance) * [1, -1] + 1) / 2 * size).astype(int)
        seen = ((pixel >= 0) & (pixel < size)).all(1)
        column, row = np.clip(pixel, 0, size - 1).T
        z = points[:, 2]
        return seen & (z < self.front[row, column]) & (z > self.back[row, column])


def project(points: np.ndarray, distance: float) -> np.ndarray:
    """(N, 2) crop positions in [-1, 1], y up: ``engine.camera.project`` without torch."""
    return points[:, :2] * (distance / (distance - points[:, 2]))[:, None]


def depth_view(placed: Placed, size: int = FIT_SIZE) -> DepthView:
    scene = placed.scene()
    plane, direction = pixel_rays(size, placed.distance, (0, 0, size, size))
    far = 2 * placed.distance
    front = scene.cast(plane - placed.distance * direction, direction)
    back = scene.cast(plane + far * direction, -direction)
    both = front.hit & back.hit
    maps = (np.where(both, hits.position[:, 2], np.nan).reshape(size, size) for hits in (front, back))
    return DepthView(*maps, distance=placed.distance)


def edge_distance(mask: np.ndarray) -> np.ndarray:
    """(S, S) signed distance from each pixel to the outline of a bool mask in crop units, inside positive."""
    pixel = 2 / len(mask)
    return (distance_transform_edt(mask) - distance_transform_edt(~mask) - np.where(mask, 0.5, -0.5)) * pixel


@dataclass(frozen=True)
class InflatedHull:
    """The mask swollen to a body: half thickness = min(gain * sqrt(distance to the outline), cap), about z = 0."""

    gain: float
    cap: float

    def half_thickness(self, edge: np.ndarray) -> np.ndarray:
        return np.minimum(self.gain * np.sqrt(np.maximum(edge, 0)), self.cap)

    def field(self, mask: np.ndarray, distance: float) -> Field:
        """``mask`` (S, S) bool of the square crop, ``distance`` of its camera in crop units."""
        edge = edge_distance(mask)
        height = np.where(edge > 0, self.half_thickness(edge), edge)

        def signed(points: np.ndarray) -> np.ndarray:
            column, row = (project(points, distance) * [1, -1] + 1).T / 2 * len(mask) - 0.5
            here = map_coordinates(height, [row, column], order=1, mode="nearest")
            return (np.abs(points[:, 2]) - here).astype(np.float32)

        return signed


@dataclass(frozen=True)
class MeanBody:
    """The share of training people that fill each cell of the crop's box, and the level taken as the surface."""

    density: np.ndarray  # GRID float32
    threshold: float

    def field(self) -> Field:
        cells = np.array(self.density.shape)

        def signed(points: np.ndarray) -> np.ndarray:
            at = (points - BOX[0]) / (BOX[1] - BOX[0]) * cells - 0.5
            density = map_coordinates(self.density, at.T, order=1, mode="constant", cval=0.0)
            return (self.threshold - density).astype(np.float32)

        return signed


def grid_points() -> np.ndarray:
    """(X * Y * Z, 3) centres of the cells of GRID in BOX."""
    axes = [low + (np.arange(n) + 0.5) / n * (high - low) for n, low, high in zip(GRID, *BOX, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def fit_hull(views: list[DepthView]) -> InflatedHull:
    """The gain and cap with the least mean error of half thickness over the views' pixels."""
    edge, half = [], []
    for view in views:
        mask = np.isfinite(view.front)
        edge.append(edge_distance(mask)[mask])
        half.append((view.front - view.back)[mask] / 2)
    edges, halves = np.concatenate(edge), np.concatenate(half)
    rows = np.random.default_rng(0).permutation(len(edges))[:50_000]
    candidates = [InflatedHull(float(gain), float(cap)) for gain in GAINS for cap in CAPS]
    errors = [np.abs(c.half_thickness(edges[rows]) - halves[rows]).mean() for c in candidates]
    return candidates[int(np.argmin(errors))]


def fit_mean_body(views: list[DepthView]) -> MeanBody:
    """Averages the views' insides; the threshold is the one with the best mean IoU against the views themselves."""
    points = grid_points()
    filled = np.zeros((len(views), len(points)), bool)
    for k, view in enumerate(views):
        filled[k] = view.contains(points)
    density = gaussian_filter(filled.mean(0, dtype=np.float64).reshape(GRID), SMOOTHING).astype(np.float32)
    flat = density.reshape(-1)
    levels = THRESHOLDS[THRESHOLDS < flat.max()]
    scores = []
    for level in levels:
        body = flat > level
        common = filled[:, body].sum(1)
        scores.append((common / (filled.sum(1) + body.sum() - common)).mean())
    return MeanBody(density, float(levels[int(np.argmax(scores))]))


def training_views(assets: Path, count: int) -> list[DepthView]:
    """Modelled training people, a random pose and view each, the same ones every time."""
    people = list_subjects(assets)
    views = []
    for seed in range(count):
        rng = np.random.default_rng([1, seed])
        subject = load_subject(assets, *people[rng.integers(len(people))])
        posed, joints = pose_subject(subject, random_pose(rng, assets))
        views.append(depth_view(place(subject, posed, joints, **random_view(rng))))
    return views


@dataclass(frozen=True)
class Baselines:
    hull: InflatedHull
    body: MeanBody

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        with open(partial, "wb") as file:
            np.savez_compressed(
                file,
                density=self.body.density.astype(np.float16),
                values=np.array([self.body.threshold, self.hull.gain, self.hull.cap]),
            )
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> Baselines:
        with np.load(path) as data:
            threshold, gain, cap = data["values"].tolist()
            return cls(InflatedHull(gain, cap), MeanBody(data["density"].astype(np.float32), threshold))

    @classmethod
    def fit(cls, assets: Path, count: int = 300) -> Baselines:
        """Fits both on ``count`` training people."""
        views = training_views(assets, count)
        return cls(fit_hull(views), fit_mean_body(views))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/baselines.npz"))
    args = parser.parse_args()
    baselines = Baselines.fit(args.assets)
    baselines.save(args.out)
    print(f"hull {baselines.hull}, mean body at {baselines.body.threshold:.3f}, {args.out}")


if __name__ == "__main__":
    main()
