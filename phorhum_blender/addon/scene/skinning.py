"""Weights that bind a scanned, closed surface to bones.

Every part of the body belongs to the bone that is nearest *through the body*, measured in small cells: an arm that
hangs beside the hip is near to it in space but far away through the body. The weights are then blended along the
surface, so that nothing leaps across the gap between two limbs either. Nothing is solved for, so nothing can fail to
converge, whatever the surface.
"""

from __future__ import annotations

import itertools

import numpy as np

from .raster import covered_pixels

MOST_BONES = 4  # a vertex; what game engines allow
_CELLS = 128  # along the longest side of the body
_LEAST_WEIGHT = 0.01
_BLEND = 0.024  # standard deviation of the blend between bones, of the body's longest side
_SPREAD = 2 / 3  # variance, in squared cells, that one round of averaging over 9 cells of a surface adds


def bone_weights(
    vertices: np.ndarray, triangles: np.ndarray, edges: np.ndarray, bones: np.ndarray, radii: np.ndarray
) -> np.ndarray:
    """(V, B) float32 weights of the ``bones`` (B, 2, 3; head and tail) at the ``vertices`` (V, 3): at most
    :data:`MOST_BONES` a vertex are above 0, and they add up to 1.

    ``triangles`` (T, 3) close the surface, ``edges`` (E, 2) are its edges. Distances from a bone count in its radius
    (``radii`` (B,), metres): flesh at the edge of a thick bone is as much its own as that of a thin one.
    """
    body = _Body(vertices, triangles)
    owners = body.owners(bones, radii)
    cells, cell_of_vertex = np.unique(body.cell_of_vertex, return_inverse=True)
    weights = np.zeros((len(cells), len(bones)), dtype=np.float32)
    weights[np.arange(len(cells)), owners[cells]] = 1.0
    edge_length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1).mean()
    step = max(body.size, edge_length)  # cells are neighbours where an edge runs from one to the other
    rounds = (_BLEND * np.ptp(vertices, axis=0).max() / step) ** 2 / _SPREAD
    weights = _blended(weights, np.unique(cell_of_vertex[edges], axis=0), 1 + round(rounds))
    weights = _blended(weights[cell_of_vertex], edges, 1 + round((body.size / edge_length) ** 2))
    return _limited(weights)


def _blended(weights: np.ndarray, edges: np.ndarray, rounds: int) -> np.ndarray:
    """``weights`` (N, B) averaged ``rounds`` times with those at the other ends of the ``edges`` (E, 2)."""
    own = np.arange(len(weights))
    here = np.concatenate([edges[:, 0], edges[:, 1], own])
    there = np.concatenate([edges[:, 1], edges[:, 0], own])
    there = there[np.argsort(here, kind="stable")]
    counts = np.bincount(here, minlength=len(weights))
    starts = np.cumsum(counts) - counts
    for _ in range(rounds):
        weights = np.add.reduceat(weights[there], starts, axis=0) / counts[:, None].astype(np.float32)
    return weights


def _limited(weights: np.ndarray) -> np.ndarray:
    """Only the largest :data:`MOST_BONES` of each row, without traces, adding up to 1."""
    weights = weights.copy()
    np.put_along_axis(weights, np.argsort(weights, axis=1)[:, :-MOST_BONES], 0.0, axis=1)
    weights[weights < _LEAST_WEIGHT] = 0.0
    return weights / weights.sum(axis=1, keepdims=True)


class _Body:
    """The inside of a closed surface as cubic cells of side ``size``, and which of them each vertex lies in."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray):
        self.size = float(np.ptp(vertices, axis=0).max()) / _CELLS
        # Off the round numbers on which marching cubes puts vertices: no edge shall run through a cell's centre.
        self._origin = vertices.min(axis=0) - self.size * np.array([1.237, 1.381, 1.113])
        places = (vertices - self._origin) / self.size
        shape = np.floor(places.max(axis=0)).astype(np.int64) + 2
        solid = _filled(places[triangles], shape)
        touched = np.floor(places).astype(np.int64)
        solid[tuple(touched.T)] = True  # limbs thinner than a cell hold no centre of one
        self._cells = np.argwhere(solid)
        self._numbers = np.full(shape + 2, -1)  # a rim of none, so that every cell has neighbours
        self._numbers[tuple((self._cells + 1).T)] = np.arange(len(self._cells))
        self.cell_of_vertex = self._numbers[tuple((touched + 1).T)]

    def owners(self, bones: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """(C,) which bone each cell belongs to: the one with the shortest way through the cells, in its radii."""
        cost = np.full(len(self._cells) + 1, np.inf)  # the last one stands for what is no cell
        owner = np.zeros(len(self._cells) + 1, dtype=np.int64)
        for number, (bone, radius) in enumerate(zip(bones, radii, strict=True)):
            for point in np.linspace(bone[0], bone[1], 2 + int(np.linalg.norm(bone[1] - bone[0]) / self.size)):
                cell, away = self._nearest_cell(point)
                if away / radius < cost[cell]:
                    cost[cell], owner[cell] = away / radius, number
        self._spread(cost, owner, self.size / radii)
        lost = np.isinf(cost[:-1])  # pieces that no bone runs through
        owner[:-1][lost] = _nearest_bone(self._origin + (self._cells[lost] + 0.5) * self.size, bones, radii)
        return owner[:-1]

    def _nearest_cell(self, point: np.ndarray) -> tuple[int, float]:
        """The cell nearest to ``point`` and how far its centre is from it, metres."""
        place = (point - self._origin) / self.size
        inside = (place >= 0).all() and (place < np.array(self._numbers.shape) - 2).all()
        cell = self._numbers[tuple(np.floor(place).astype(np.int64) + 1)] if inside else -1
        if cell < 0:  # the bone leaves the surface here
            cell = np.linalg.norm(self._cells + 0.5 - place, axis=1).argmin()
        return int(cell), float(np.linalg.norm(self._cells[cell] + 0.5 - place) * self.size)

    def _spread(self, cost: np.ndarray, owner: np.ndarray, step: np.ndarray) -> None:
        """Passes ``cost`` and ``owner`` on from cell to cell until no way is shorter; a step costs the owner's."""
        offsets = [np.array(o) for o in itertools.product((-1, 0, 1), repeat=3) if any(o)]
        ways = [(self._numbers[tuple((self._cells + 1 + o).T)], np.linalg.norm(o)) for o in offsets]
        changed = True
        while changed:
            changed = False
            for neighbours, length in ways:
                offered = cost[neighbours] + length * step[owner[neighbours]]
                better = np.flatnonzero(offered < cost[:-1] - 1e-9)
                if len(better):
                    cost[better], owner[better] = offered[better], owner[neighbours[better]]
                    changed = True


def _filled(corners: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Bool array of ``shape``: cells whose centre lies inside the closed surface of ``corners`` (T, 3, 3), in cells.

    Along each row of cells the surface is entered and left; rows where that does not come out even are left empty.
    """
    crossings = np.zeros(shape + (0, 1, 0), dtype=np.int32)
    flat = corners[:, :, [0, 2]]
    first, second = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    side = np.sign(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).astype(np.int32)
    for covered in covered_pixels(flat):
        depth = (covered.weights * corners[covered.triangle, :, 1]).sum(axis=1)
        at = np.ceil(depth - 0.5).astype(np.int64)
        np.add.at(crossings, (covered.column, at, covered.row), side[covered.triangle])
    inside = np.cumsum(crossings, axis=1)
    even = inside[:, -1:, :] == 0
    return (inside[:, :-1, :] != 0) & even


def _nearest_bone(points: np.ndarray, bones: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """(N,) the bone with the least straight distance, in its radii, from each of ``points`` (N, 3)."""
    distances = []
    for (head, tail), radius in zip(bones, radii, strict=True):
        along = tail - head
        t = np.clip((points - head) @ along / max(along @ along, 1e-12), 0.0, 1.0)
        distances.append(np.linalg.norm(points - head - t[:, None] * along, axis=1) / radius)
    return np.argmin(distances, axis=0)
