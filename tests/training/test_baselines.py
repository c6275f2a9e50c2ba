"""The baselines on people made of balls, where their fits have a known answer."""

import numpy as np
import pytest

pytest.importorskip("igl")
pytest.importorskip("embreex")

from training import baselines  # noqa: E402
from training.baselines import Baselines, DepthView, InflatedHull, MeanBody  # noqa: E402

DISTANCE = 1e4  # as good as parallel rays


def ball_view(radius: float, size: int = 64, distance: float = DISTANCE) -> DepthView:
    line = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(line, -line)
    with np.errstate(invalid="ignore"):
        z = np.sqrt(radius**2 - x**2 - y**2)
    return DepthView(z, -z, distance)


def test_edge_distance_of_a_disc():
    mask = np.isfinite(ball_view(0.5, 128).front)
    edge = baselines.edge_distance(mask)
    assert edge[64, 64] == pytest.approx(0.5, abs=0.02)
    assert edge[64, 0] == pytest.approx(-0.5, abs=0.02)
    assert ((edge > 0) == mask).all()


def test_depth_view_contains_what_lies_between_front_and_back():
    view = ball_view(0.5)
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (2000, 3))
    radius = np.linalg.norm(points, axis=1)
    clear = np.abs(radius - 0.5) > 0.1
    assert (view.contains(points)[clear] == (radius < 0.5)[clear]).all()
    assert not view.contains(np.array([[3.0, 0, 0]])).any()


def test_hull_field_follows_the_outline_and_the_perspective():
    mask = np.isfinite(ball_view(0.5, 128).front)
    signed = InflatedHull(gain=0.3, cap=0.2).field(mask, distance=4.0)
    assert signed(np.array([[0, 0, 0.19], [0, 0, 0.21], [0, 0, -0.19], [0, 0, -0.21]])).tolist() == pytest.approx(
        [-0.01, 0.01, -0.01, 0.01], abs=1e-3
    )
    assert (signed(np.array([[0.55, 0, 0.0], [0, -0.55, 0.05], [0.9, 0.9, 0.0]])) > 0).all()
    # nearer to the camera the same ray lies nearer to the axis
    ray = np.array([[0.49 * (4 - z) / 4, 0, z] for z in (0.02, -0.02)])
    assert signed(ray)[0] == pytest.approx(signed(ray)[1], abs=1e-6)


def test_hull_is_upright():
    mask = np.zeros((64, 64), bool)
    mask[4:16, 40:60] = True  # upper right
    signed = InflatedHull(0.3, 0.2).field(mask, 4.0)
    assert signed(np.array([[0.55, 0.7, 0.0]])) < 0 < signed(np.array([[0.55, -0.7, 0.0]]))


def test_fit_hull_finds_the_parameters_that_made_the_views():
    truth = InflatedHull(0.31, 0.17)
    views = []
    for radius in (0.2, 0.5, 0.8):
        mask = np.isfinite(ball_view(radius, 96).front)
        half = np.where(mask, truth.half_thickness(baselines.edge_distance(mask)), np.nan)
        views.append(DepthView(half, -half, DISTANCE))
    found = baselines.fit_hull(views)
    assert (found.gain, found.cap) == pytest.approx((0.31, 0.17))


def test_mean_of_equal_balls_is_the_ball():
    body = baselines.fit_mean_body([ball_view(0.5)] * 3)
    signed = body.field()
    points = np.random.default_rng(0).uniform(-0.7, 0.7, (2000, 3))
    radius = np.linalg.norm(points, axis=1)
    clear = np.abs(radius - 0.5) > 0.06
    assert ((signed(points) < 0)[clear] == (radius < 0.5)[clear]).all()
    assert signed(np.array([[1.5, 0, 0]]))[0] == pytest.approx(body.threshold)


def test_baselines_survive_the_file(tmp_path):
    density = np.random.default_rng(0).random(baselines.GRID).astype(np.float16).astype(np.float32)
    before = Baselines(InflatedHull(0.25, 0.15), MeanBody(density, 0.4))
    before.save(tmp_path / "deep" / "b.npz")
    after = Baselines.load(tmp_path / "deep" / "b.npz")
    assert after.hull == before.hull and after.body.threshold == 0.4
    assert (after.body.density == density).all()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["b.npz"]


def test_fit_on_real_training_people_is_repeatable(shared_dir):
    a, b = (baselines.training_views(shared_dir / "assets", 2) for _ in range(2))
    for one, other in zip(a, b, strict=True):
        assert np.array_equal(one.front, other.front, equal_nan=True)
        assert 0.05 < np.isfinite(one.front).mean() < 0.5
        assert 0.02 < np.nanmean(one.front - one.back) < 0.6
