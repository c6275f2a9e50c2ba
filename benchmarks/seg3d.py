"""Seg3dLossless, the coarse-to-fine scheme for occupancy fields, written anew from its description, for comparison.

Li et al., Monocular Real-Time Volumetric Performance Capture, ECCV 2020. Each level starts from the coarser one,
interpolated. Nodes at which the interpolated binary occupancy is neither 0 nor 1 are evaluated; where the answer
contradicts the interpolation, the nodes around are evaluated too, until none does.
"""

from __future__ import annotations

import numpy as np

from phorhum_blender.engine.surface import (
    Field,
    Grid,
    Level,
    _any_corner,
    _between,
    _cells_at,
    _corners,
    _interleaved,
    _mean,
)


def finest_level(field: Field, grid: Grid, chunk: int, wider: int = 0) -> Level:
    """What the scheme finds out about the field; the same coarsest level as our own. What is evaluated first on a level
    is made ``wider`` by so many nodes."""
    level = Level.coarsest(grid)
    level.ask(~level.known, field, chunk, _silent)
    while level.stride > 1:
        level = _finer(level, field, chunk, wider)
    return level


def _finer(coarse: Level, field: Field, chunk: int, wider: int) -> Level:
    cells = _cells_at(coarse.grid, coarse.stride // 2)
    occupancy, values, known = (coarse.values < 0).astype(np.float32), coarse.values, coarse.known
    for axis in range(3):
        occupancy = _between(occupancy, axis, cells[axis], _mean)
        values = _between(values, axis, cells[axis], _mean)
        known = _interleaved(known, axis, cells[axis])
    level = Level(coarse.grid, coarse.stride // 2, np.zeros(3, np.int64), values, known, np.zeros(0, np.float32))
    nodes = (occupancy > 0) & (occupancy < 1)
    for _ in range(wider):
        nodes = _and_around(nodes)
    nodes &= ~known
    while nodes.any():
        guessed_inside = level.values < 0
        level.ask(nodes, field, chunk, _silent)
        conflicts = nodes & (guessed_inside != (level.values < 0))
        nodes = _and_around(conflicts) & ~level.known
    return level


def _and_around(nodes: np.ndarray) -> np.ndarray:
    """``nodes`` (bool) and their 26 neighbours."""
    return _corners(_any_corner(nodes))


def _silent(fraction: float) -> None:
    pass
