"""Which pixels lie inside of which triangles, in numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_CHUNK = 1 << 21  # candidate pixels looked at in one go, which bounds the memory


@dataclass(frozen=True)
class Covered:
    """Pixels inside of triangles; a pixel comes once for each triangle that holds its centre."""

    triangle: np.ndarray  # (N,) number of the triangle
    column: np.ndarray  # (N,)
    row: np.ndarray  # (N,)
    weights: np.ndarray  # (N, 3) barycentric coordinates of the pixel's centre


def covered_pixels(corners: np.ndarray) -> Iterator[Covered]:
    """The pixels of ``corners`` (T, 3, 2), in pixels: (column, row), centres at halves. Edges count as inside.

    Triangles without area hold no pixel.
    """
    corners = np.asarray(corners, dtype=np.float64)
    low = np.ceil(corners.min(axis=1) - 0.5).astype(np.int64)
    size = np.maximum(np.floor(corners.max(axis=1) - 0.5).astype(np.int64) - low + 1, 0)
    to_weights, usable = _barycentric_maps(corners)
    counts = np.where(usable, size[:, 0] * size[:, 1], 0)
    ends = np.cumsum(counts)
    first = 0
    while first < len(corners):
        before = ends[first] - counts[first]
        last = max(int(np.searchsorted(ends, before + _CHUNK, side="right")), first + 1)
        triangle = np.repeat(np.arange(first, last), counts[first:last])
        place = np.arange(len(triangle)) - (ends - counts - before)[triangle]
        column = low[triangle, 0] + place % size[triangle, 0]
        row = low[triangle, 1] + place // size[triangle, 0]
        offset = np.stack([column + 0.5, row + 0.5], axis=1) - corners[triangle, 0]
        second_third = np.einsum("nij,nj->ni", to_weights[triangle], offset)
        weights = np.column_stack([1 - second_third.sum(axis=1), second_third])
        inside = (weights >= -1e-9).all(axis=1)
        yield Covered(triangle[inside], column[inside], row[inside], weights[inside])
        first = last


def _barycentric_maps(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2, 2) from an offset to the first corner to the weights of the others, and (T,) which triangles have area."""
    second, third = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = second[:, 0] * third[:, 1] - second[:, 1] * third[:, 0]
    usable = np.abs(area) > 1e-12
    rows = np.stack([third[:, 1], -third[:, 0], -second[:, 1], second[:, 0]], axis=1).reshape(-1, 2, 2)
    return rows / np.where(usable, area, 1.0)[:, None, None], usable
