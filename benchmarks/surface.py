"""Calls of the field and seconds, coarse to fine against dense, on a person made of capsules.

``python benchmarks/surface.py`` prints a Markdown table. The seconds are those of grids and meshing and of a cheap
analytic field; a network's field costs far more a point, so that there the points asked decide.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from phorhum_blender.engine import surface  # noqa: E402

BOUNDS = np.array([[-1.0, -1.0, -0.75], [1.0, 1.0, 0.75]])
CAPSULES = np.array(  # start, end, radius
    [
        [0, -0.05, 0, 0, 0.45, 0, 0.14],
        [0, 0.45, 0, 0, 0.78, 0, 0.09],
        [-0.09, -0.1, 0, -0.15, -0.85, 0, 0.06],
        [0.09, -0.1, 0, 0.15, -0.85, 0, 0.06],
        [-0.15, 0.42, 0, -0.55, 0.05, 0.2, 0.035],
        [0.15, 0.42, 0, 0.55, 0.05, 0.2, 0.035],
    ],
    np.float32,
)


class CountedPerson:
    """The signed distance of the capsules' union, which counts the points it is asked."""

    def __init__(self) -> None:
        self.points = 0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        self.points += len(points)
        distance = np.full(len(points), np.inf, np.float32)
        for capsule in CAPSULES:
            start, end, radius = capsule[:3], capsule[3:6], capsule[6]
            axis = end - start
            along = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
            distance = np.minimum(distance, np.linalg.norm(points - start - along[:, None] * axis, axis=1) - radius)
        return distance


def measure(resolution: int) -> tuple[int, float, int]:
    """Points asked, seconds and vertices."""
    field = CountedPerson()
    start = time.perf_counter()
    mesh = surface.extract_surface(field, BOUNDS, resolution)
    return field.points, time.perf_counter() - start, len(mesh.vertices)


def main() -> None:
    print("| resolution | vertices | points asked | of dense | seconds | dense seconds |")
    print("|---:|---:|---:|---:|---:|---:|")
    coarse_cells = surface.COARSE_CELLS
    for resolution in (64, 96, 128, 192, 256):
        points, seconds, vertices = measure(resolution)
        surface.COARSE_CELLS = resolution  # the coarsest level is then the finest
        dense_points, dense_seconds, _ = measure(resolution)
        surface.COARSE_CELLS = coarse_cells
        part = f"{100 * points / dense_points:.1f} %"
        print(f"| {resolution} | {vertices} | {points} | {part} | {seconds:.2f} | {dense_seconds:.2f} |")


if __name__ == "__main__":
    main()
