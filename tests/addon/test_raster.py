"""Pixels in triangles."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("bpy")

from phorhum_blender.addon.scene import raster  # noqa: E402
from phorhum_blender.addon.scene.raster import covered_pixels  # noqa: E402


def gather(corners):
    found = list(covered_pixels(np.asarray(corners, dtype=np.float64)))
    return [
        np.concatenate([getattr(part, name) for part in found]) for name in ("triangle", "column", "row", "weights")
    ]


def test_a_square_of_two_triangles_covers_each_pixel():
    square = [[[0, 0], [4, 0], [4, 3]], [[0, 0], [4, 3], [0, 3]]]
    _, column, row, _ = gather(square)
    assert set(zip(column.tolist(), row.tolist(), strict=True)) == {(x, y) for x in range(4) for y in range(3)}


def test_weights_give_the_pixels_centre():
    corners = np.random.default_rng(0).uniform(-5, 25, (40, 3, 2))
    triangle, column, row, weights = gather(corners)
    assert len(triangle) > 500 and (weights >= -1e-9).all()
    centres = np.einsum("nk,nkd->nd", weights, corners[triangle])
    assert np.allclose(centres, np.stack([column + 0.5, row + 0.5], axis=1))


def test_winding_makes_no_difference_and_flat_triangles_cover_nothing():
    corners = np.array([[[0.2, 0.1], [7, 1], [3, 6]]])
    forth, back = gather(corners), gather(corners[:, ::-1])
    assert sorted(zip(forth[1], forth[2], strict=True)) == sorted(zip(back[1], back[2], strict=True))
    assert len(gather([[[0, 0.5], [5, 0.5], [9, 0.5]]])[0]) == 0


def test_chunks_give_the_same_as_one_piece(monkeypatch):
    corners = np.random.default_rng(1).uniform(0, 30, (50, 3, 2))
    whole = gather(corners)
    monkeypatch.setattr(raster, "_CHUNK", 100)
    assert len(list(covered_pixels(corners))) > 10
    assert all(np.array_equal(a, b) for a, b in zip(whole, gather(corners), strict=True))
