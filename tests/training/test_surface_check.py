"""The error of the surface that is told while training goes on."""

import json

import numpy as np
import pytest
import torch
import trimesh

from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.surface import Surface
from tests.training.shapes import write_assets, write_samples
from training import surface_check, train
from training.surface_check import SurfaceCheck, chamfer


def ball(radius: float, subdivisions: int = 5) -> Surface:
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Surface(mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32))


def true_ball() -> tuple[np.ndarray, np.ndarray]:
    """Points of a ball of 0.4 units, as dense as samples have them, and normals."""
    direction = np.random.default_rng(0).normal(size=(3000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return direction * 0.4, direction


def test_the_error_is_the_distance_of_two_balls():
    assert chamfer(ball(0.4), *true_ball()) < 2e-3
    assert chamfer(ball(0.43), *true_ball()) == pytest.approx(0.03, abs=3e-3)
    assert chamfer(ball(0.2), *true_ball()) == pytest.approx(0.2, abs=5e-3)


def test_what_is_missing_counts():
    half = ball(0.4)
    upper = (half.vertices[half.faces][:, :, 1] > 0).all(1)
    assert chamfer(Surface(half.vertices, half.faces[upper]), *true_ball()) > 0.05


class FakeNetwork:
    """Says that everybody is a ball of 0.4 units about the origin, but sees nobody in a black photo."""

    def __init__(self, *args, **kwargs):
        pass

    def encode_crop(self, image, square, distance, pitch):
        return image

    def bounds(self, encoded):
        return np.array([[-1.0, -1, -1], [1, 1, 1]])

    def distances(self, encoded, points):
        radius = 0.4 if encoded.any() else -1.0
        return (np.linalg.norm(points, axis=1) - radius).astype(np.float32)


def test_surfaces_are_measured_in_centimetres_and_failures_counted(tmp_path, monkeypatch):
    paths = sorted(write_samples(tmp_path / "samples", 2).glob("*.npz"))
    photos = [{"image": torch.full((4, 64, 64), float(number))} for number in range(2)]
    monkeypatch.setattr(surface_check, "Reconstructor", FakeNetwork)
    check = SurfaceCheck(paths, photos)
    told = check(tmp_path, "cpu", 1)
    assert told["surface_failed"] == 1
    person = check.people[1]
    assert told["surface_cm"] == pytest.approx(chamfer(ball(0.4), person.points, person.normals) * 100, rel=0.05)
    with pytest.raises(UserError):
        surface_check.extract_surface(
            lambda p: FakeNetwork().distances(np.zeros(1), p), np.array([[-1.0] * 3, [1] * 3]), 8
        )


def test_it_takes_no_more_than_its_share_of_the_time(tmp_path):
    check = SurfaceCheck([], [])
    assert check.due(0)
    check.spent = 10
    assert not check.due(10 / surface_check.SHARE - 1) and check.due(10 / surface_check.SHARE + 1)


def test_training_tells_the_error_of_the_surface_once_f_learns(tmp_path):
    samples, assets = write_samples(tmp_path / "samples", 2), write_assets(tmp_path)
    arguments = ["--cache", str(samples), "--held-out", str(samples), "--assets", str(assets), "--minutes", "9"]
    arguments += ["--out", str(tmp_path / "run"), "--size", "64", "--batch", "1", "--workers", "0", "--threads", "1"]
    train.main([*arguments, "--stage", "maps", "--maps-only", "--steps", "1"])
    train.main([*arguments, "--stage", "all", "--no-patches", "--steps", "1"])
    maps, full = (json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    assert "surface" not in maps
    assert full["surface"]["surface_failed"] == 2 or full["surface"]["surface_cm"] > 1
