"""Our shading against Cycles' under a small environment: axes, scale, shadows."""

import numpy as np
import pytest
import trimesh

pytest.importorskip("bpy", reason="needs Blender as a Python module")

from benchmarks.light_check import Check, Studio, difference, shrink, table  # noqa: E402
from tests.training.shapes import placed_shape  # noqa: E402
from training.held_out import render  # noqa: E402
from training.light import Environment, Light, latlong_directions  # noqa: E402

TURN = 0.25


@pytest.fixture(scope="module")
def ball_on_a_block():
    """Something that shadows itself: a ball before a leaning block."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.3).apply_translation([0.3, 0.35, 0.4])
    block = trimesh.creation.box([1.2, 1.4, 0.3]).apply_transform(
        trimesh.transformations.rotation_matrix(-0.4, [1, 0.5, 0])
    )
    block.unmerge_vertices()  # sharp edges
    return placed_shape(trimesh.util.concatenate([ball, block]))


@pytest.fixture(scope="module")
def sample(ball_on_a_block):
    return render(ball_on_a_block, 0)


@pytest.fixture(scope="module")
def by_cycles(ball_on_a_block):
    studio = Studio(ball_on_a_block)
    studio.light(np.roll(graded_sky(), round(TURN * 64), axis=1))
    return studio.render(64)


def graded_sky(rows=32, columns=64):
    """Red grows to the right, green upwards, blue towards the camera: once it is turned by TURN."""
    directions, _ = latlong_directions(rows, columns)
    sky = (1 + 0.95 * directions).reshape(rows, columns, 3).astype(np.float32)
    return np.roll(sky, -round(TURN * columns), axis=1)


def sky_light():
    return Environment(graded_sky()).light.turned(TURN)


def test_shading_is_that_of_cycles(sample, by_cycles):
    error, brightness = difference(sample, sky_light(), by_cycles)
    assert error < 0.02
    assert brightness == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("axis", range(3))
def test_a_mirrored_axis_would_be_told(sample, by_cycles, axis):
    mirror = np.where(np.arange(3) == axis, -1, 1).astype(np.float32)
    wrong = Light(sky_light().direction * mirror, sky_light().colour)
    assert difference(sample, wrong, by_cycles)[0] > 0.05


def test_the_person_is_where_the_crop_shows_him(sample, by_cycles):
    assert np.abs(by_cycles[..., 3] - shrink(sample["alpha"] / 255.0, len(by_cycles))).mean() < 2e-3


def test_the_background_is_the_middle_of_the_map(ball_on_a_block):
    """As in training's pictures: what the map has right of its middle lies on the right, not mirrored."""
    studio = Studio(ball_on_a_block, 32)
    bands = np.zeros((64, 128, 3), np.float32)
    bands[:, 64:, 0], bands[:, :64, 2], bands[:32, :, 1] = 1, 1, 1
    studio.light(bands)
    studio.scene.render.film_transparent = False
    picture = studio.render(1)
    np.testing.assert_allclose(picture[1, 1, :3], [0, 1, 1], atol=1e-3)
    np.testing.assert_allclose(picture[1, -2, :3], [1, 1, 0], atol=1e-3)
    np.testing.assert_allclose(picture[-2, -2, :3], [1, 0, 0], atol=1e-3)


def test_the_table_has_a_row_an_environment():
    lines = table({"sunny": [Check(0.1, 0.2, 1.0), Check(0.2, 0.2, 1.1)], "even": [Check(0.01, 0, 1)]})
    assert [line.split(" | ")[:3] for line in lines.splitlines()[2:4]] == [
        ["| even", "0.010", "0.010"],
        ["| sunny", "0.150", "0.200"],
    ]
