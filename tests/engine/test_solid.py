"""What makes f whole, on fields whose shape is known and depth maps made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phorhum_blender.engine.model import Encoding
from phorhum_blender.engine.model.feature_extractor import DENSE_CHANNELS, picture_coordinates
from phorhum_blender.engine.silhouette import Silhouette
from phorhum_blender.engine.solid import MOST, ROUND, Solid, spread

SIZE, DISTANCE = 80, 4.0
RADIUS = 0.2  # of an upright pillar in the middle of the picture


def encoding(front: float, back: float) -> Encoding:
    features = torch.zeros(1, DENSE_CHANNELS + 4, SIZE, SIZE)
    features[:, 0], features[:, 1], features[:, 2] = 5.0, front, back
    rest = torch.zeros(1, 4), torch.zeros(1, 21, 3), torch.zeros(1, 21, 4, 4), torch.zeros(1, 16, 16, 16)
    return Encoding(torch.zeros(1, 4, 32, 32), features, *rest)


def pillar(radius: float):
    """The field of an upright pillar."""
    return lambda points: points[:, [0, 2]].norm(dim=1) - radius


def outline(half_width: float) -> Silhouette:
    x = (np.arange(2 * SIZE) + 0.5) / SIZE - 1
    return Silhouette(np.tile(np.abs(x) < half_width, (2 * SIZE, 1)).astype(np.float32), DISTANCE)


def solid(field, half_width: float = RADIUS, thickness: float = 2 * RADIUS) -> Solid:
    silhouette = outline(half_width)
    made = Solid(field, encoding(thickness / 2, -thickness / 2), silhouette, DISTANCE)
    return lambda points: made.distances(points, silhouette.bound(points))


def edge(distances, axis: int) -> float:
    """How far from the middle the solid ends, to the right (0) or towards the camera (2)."""
    away = torch.linspace(0, 0.4, 4001)
    points = torch.zeros(len(away), 3)
    points[:, axis] = away
    return float(away[(distances(points) > 0).nonzero()[0, 0]])


def test_a_field_as_wide_as_the_outline_stays():
    made, points = solid(pillar(RADIUS)), (torch.rand(4000, 3) * 2 - 1) * torch.tensor([0.2, 0.8, 0.22])
    true = pillar(RADIUS)(points)
    near = (points[:, 0].abs() < 0.9 * RADIUS) & (true < 0.02)
    axis = true < -0.15  # where the way inwards turns round: a crease, deep inside
    error = (made(points) - true).abs()
    assert error[near & ~axis].max() < 2e-3
    assert error[axis].max() < 1e-2


@pytest.mark.parametrize("lacking", [0.01, 0.03])
def test_a_field_that_ends_short_of_the_outline_is_stretched_to_it_and_no_deeper(lacking):
    made = solid(pillar(RADIUS - lacking))
    assert RADIUS - 0.4 * lacking < edge(made, 0) < RADIUS + 1e-3
    assert edge(made, 2) == pytest.approx(RADIUS - lacking, abs=2e-3)


def test_what_lies_beyond_the_outline_is_cut_off_without_a_crease():
    made = solid(pillar(RADIUS + 0.03))
    assert edge(made, 0) == pytest.approx(RADIUS, abs=ROUND)
    z = torch.linspace(-0.1, 0.1, 2001)
    across = torch.linspace(0.15, 0.25, 1001)
    points = torch.stack(torch.meshgrid(across, torch.zeros(1), z, indexing="ij"), -1).reshape(-1, 3)
    inside = (made(points) < 0).reshape(len(across), len(z))
    ends = across[inside.sum(0).clamp(max=len(across) - 1)]
    assert np.abs(np.diff(ends.numpy(), 2)).max() < 3e-4  # a crease would turn by more within 0.1 mm


def test_a_limb_that_the_field_has_lost_has_a_core_and_others_have_none():
    """An arm 0.04 wide beside the pillar, of which f knows nothing."""
    arm = torch.tensor([[0.5, 0.0, 0.0]])
    x = (np.arange(2 * SIZE) + 0.5) / SIZE - 1
    mask = (np.abs(x) < RADIUS) | (np.abs(x - 0.5) < 0.04)
    silhouette = Silhouette(np.tile(mask, (2 * SIZE, 1)).astype(np.float32), DISTANCE)
    made = Solid(pillar(RADIUS), encoding(0.05, -0.05), silhouette, DISTANCE)
    beside = torch.tensor([[0.35, 0.0, 0.0]])
    for place, inside in ((arm, True), (beside, False)):
        assert bool(made.distances(place, silhouette.bound(place)) < 0) is inside
    # the pillar reaches farther than the depth maps, and no slab in their middle stands out of it
    at = torch.tensor([[0.0, 0.0, RADIUS + 1e-3], [0.0, 0.0, RADIUS - 1e-3]])
    assert (made.distances(at, silhouette.bound(at)) > 0).tolist() == [True, False]


def test_without_a_background_there_is_no_outline_to_stretch_to():
    silhouette = Silhouette(np.ones((2 * SIZE, 2 * SIZE), np.float32), DISTANCE)
    points = (torch.rand(2000, 3) * 2 - 1) * torch.tensor([0.12, 0.8, 0.22])
    made = Solid(pillar(RADIUS), encoding(RADIUS, -RADIUS), silhouette, DISTANCE)
    true = pillar(RADIUS)(points)
    difference = made.distances(points, silhouette.bound(points)) - true
    assert difference[true < 0.02].abs().max() < 5e-3


def test_no_more_is_stretched_than_allowed():
    made = solid(pillar(0.05))
    assert 0.05 + 0.5 * MOST < edge(made, 0) < RADIUS + 1e-3


def test_outwards_is_away_from_the_person():
    there = outline(RADIUS).outwards(SIZE)
    x, _ = picture_coordinates(SIZE, there)
    beside = (x.abs() > 0.1) & (x.abs() < 0.4)
    torch.testing.assert_close(there[0, 0][beside], x.sign()[beside], atol=0.05, rtol=0)
    assert there[0, 1].abs().max() < 1e-5


def test_values_are_spread_to_unknown_pixels():
    known = torch.zeros(32 * 32, dtype=torch.bool)
    known[[16 * 32 + 15, 16 * 32 + 16]] = True
    made = spread(torch.tensor([0.3, 0.3]), known, 32)
    assert made.shape == (1, 1, 64, 64)
    torch.testing.assert_close(made[0, 0, 31:35, 31:35], torch.full((4, 4), 0.3), atol=1e-3, rtol=0)
    assert made[0, 0, 0, 0] == 0
