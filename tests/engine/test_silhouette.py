"""The outline as a bound on the signed distance."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from phorhum_blender.engine.silhouette import Silhouette  # noqa: E402


def test_the_silhouette_bounds_the_distance_from_below():
    """Against a disc of radius 0.5 on the plane z = 0, whose hull is a cone from the camera."""
    axis = (np.arange(256) + 0.5) / 128 - 1
    disc = (axis[None] ** 2 + axis[:, None] ** 2 < 0.25).astype(np.float32)
    silhouette = Silhouette(disc, 4.0)
    points = torch.tensor([[0, 0, 0], [0.4, 0, 0.3], [0.9, 0, 0], [0, -0.8, 0], [0.9, 0, -0.5]], dtype=torch.float32)
    bound = silhouette.bound(points)
    radius = np.hypot(*points[:, :2].numpy().T)
    true = radius - 0.5 * (4 - points[:, 2].numpy()) / 4
    assert bound[0] < -0.45 and bound[1] < 0 < bound[2]
    np.testing.assert_allclose(bound.numpy(), true, atol=0.02)


def test_an_unknown_mask_bounds_nothing():
    bound = Silhouette(np.full((8, 8), 0.5, np.float32), 4.0).bound(torch.zeros(1, 3))
    assert bound.item() < -100


def test_the_hull_s_outline_runs_within_pixels():
    """A disc whose edge pixels are partly covered: the bound is its distance to a twentieth of a pixel, not to half."""
    size, radius = 64, 0.53
    axis = (np.arange(size * 8) + 0.5) / size / 8 * 2 - 1
    fine = (np.hypot(*np.meshgrid(axis, axis)) < radius).astype(np.float32)
    mask = fine.reshape(size, 8, size, 8).mean((1, 3))
    angle = np.linspace(0, 2 * np.pi, 200)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], 1).astype(np.float32)
    bound = Silhouette(mask, 4.0).bound(torch.from_numpy(points)).numpy()
    assert np.abs(bound).mean() < 0.1 * 2 / size


@pytest.mark.parametrize("slope", [0.3, 0.7])
def test_a_slanted_outline_shows_no_pixels(slope):
    """The bound along a straight edge varies by an eighth of a pixel at the most; a ladder on the flank otherwise."""
    size = 64
    axis = (np.arange(size * 8) + 0.5) / size / 8 * 2 - 1
    normal = np.array([1, slope]) / np.hypot(1, slope)
    x, y = np.meshgrid(axis, -axis)
    mask = (normal[0] * x + normal[1] * y < 0.1).astype(np.float32).reshape(size, 8, size, 8).mean((1, 3))
    along = np.linspace(-0.7, 0.7, 1000)[:, None] * [-normal[1], normal[0]]
    points = np.pad(0.1 * normal + along, [(0, 0), (0, 1)]).astype(np.float32)
    bound = Silhouette(mask, 1e6).bound(torch.from_numpy(points)).numpy()
    assert np.ptp(bound) < 0.125 * 2 / size
