"""The schemes that benchmarks/surface.py compares, on a shape whose surface is known."""

import numpy as np
import pytest

pytest.importorskip("igl", reason="the benchmarks write their tables as training does, which needs libigl")

from benchmarks.surface import SCHEMES, crossed_cells, different_cells, ends_of_crossed_edges, shift  # noqa: E402
from phorhum_blender.engine.surface import Grid, mesh_of  # noqa: E402

GRID = Grid.over(np.array([[-1.0, -1.0, -0.7], [1.0, 1.0, 0.7]]), 70)


class Ball:
    def __init__(self):
        self.points = 0

    def __call__(self, points):
        self.points += len(points)
        return (np.linalg.norm(points - np.float32([0.1, 0, 0.05]), axis=1) - 0.5).astype(np.float32)


@pytest.fixture(scope="module")
def dense():
    return SCHEMES["dense"](Ball(), GRID, 5000)


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_finds_the_cells_of_a_ball(name, dense):
    ball = Ball()
    level = SCHEMES[name](ball, GRID, 5000)
    assert level.stride == 1
    # a cell with all corners on one side may still be touched by the ball: Seg3dLossless does not look there
    assert different_cells(level, dense) <= (0.01 * len(crossed_cells(dense)) if name == "Seg3dLossless" else 0)
    assert (ball.points == np.prod(GRID.cells + 1)) == (name == "dense")


def test_ours_moves_no_vertex(dense):
    assert shift(mesh_of(SCHEMES["ours"](Ball(), GRID, 5000)), mesh_of(dense)) == 0


def test_nodes_beside_the_surface_are_counted():
    grid = Grid.over(np.array([[-1.0] * 3, [1.0] * 3]), 10)
    level = SCHEMES["dense"](lambda points: np.abs(points).max(1) - 0.3, grid, 5000)  # 3 nodes a side are inside
    assert ends_of_crossed_edges(level) == 3**3 - 1 + 6 * 3**2


def test_a_cell_that_is_crossed_otherwise_is_counted(dense):
    level = SCHEMES["dense"](Ball(), GRID, 5000)
    centre = tuple(np.array(level.values.shape) // 2)
    assert level.values[centre] < 0
    level.values[centre] *= -1
    assert different_cells(level, dense) == 8
    assert shift(mesh_of(level), mesh_of(dense)) < 1e-5  # a bubble is no part of the mesh
