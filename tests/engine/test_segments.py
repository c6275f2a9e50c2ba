"""Nearest places on straight pieces."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from phorhum_blender.engine.segments import nearest_places  # noqa: E402


def test_the_nearest_place_is_beside_the_point_or_an_end():
    start = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [2.0, 2.0, 2.0]])
    end = torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [2.0, 2.0, 2.0]])  # the last has no length
    points = torch.tensor([[0.5, 1.0, -1.0], [3.0, -1.0, 0.0]])
    nearest = nearest_places(points, start, end)
    np.testing.assert_allclose(nearest[0], [[0.5, 0, 0], [0, 1, 0], [2, 2, 2]])
    np.testing.assert_allclose(nearest[1], [[2, 0, 0], [0, 1, 0], [2, 2, 2]])


def test_no_place_of_a_segment_is_nearer():
    rng = np.random.default_rng(0)
    points, start, end = (torch.from_numpy(rng.normal(size=(8, 3))) for _ in range(3))
    away = (nearest_places(points, start, end) - points[:, None]).norm(dim=-1)
    for share in np.linspace(0, 1, 21):
        there = (start + share * (end - start) - points[:, None]).norm(dim=-1)
        assert (away <= there + 1e-9).all()
