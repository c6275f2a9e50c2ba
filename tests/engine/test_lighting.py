"""The light rig and the spherical harmonics fitted to known shadings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phorhum_blender.engine.contracts import DirectionalLight, LightRig
from phorhum_blender.engine.lighting import (
    HIDDEN_WEIGHT,
    eval_rig,
    eval_sh,
    fibonacci_sphere,
    fit_light_rig,
    sh_basis,
)

NORMALS = fibonacci_sphere(4000)
VISIBLE = NORMALS[NORMALS[:, 2] > 0]


def unit(*vector):
    return tuple(float(x) for x in np.array(vector) / np.linalg.norm(vector))


def angle(a, b) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(a, b), -1, 1))))


def rig_of(key, key_colour, fill=(0.0, 0.0, 1.0), fill_colour=(0.0, 0.0, 0.0), ambient=(0.0, 0.0, 0.0)) -> LightRig:
    return LightRig(DirectionalLight(unit(*key), key_colour), DirectionalLight(unit(*fill), fill_colour), ambient, ())


def assert_valid(rig: LightRig) -> None:
    for light in (rig.key, rig.fill):
        assert np.linalg.norm(light.direction) == pytest.approx(1, abs=1e-6)
        assert min(light.colour) >= 0
    assert min(rig.ambient) >= 0
    assert np.array(rig.sh).shape == (9, 3)
    assert all(type(x) is float for x in (*rig.key.direction, *rig.fill.colour, *rig.ambient, *rig.sh[8]))


@pytest.mark.parametrize(
    "truth",
    [
        rig_of((0.3, 0.8, 0.5), (1.2, 1.0, 0.8), (-0.8, 0.1, 0.6), (0.3, 0.35, 0.5), (0.2, 0.2, 0.25)),
        rig_of((-1, 0.2, 0.1), (0.9, 0.9, 0.9), (1, 0.3, 0.4), (0.6, 0.2, 0.1), (0.05, 0.05, 0.05)),
        rig_of((0, 1, 0), (2.0, 2.0, 2.0), (0, -0.4, 1), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)),
        rig_of((0.5, 0.5, -0.7), (1.5, 1.4, 1.3), (0, 0, 1), (0.4, 0.4, 0.4), (0.3, 0.3, 0.3)),
    ],
    ids=["studio", "sides", "zenith", "back light"],
)
def test_recovers_two_lights(truth):
    found = fit_light_rig(lambda n: eval_rig(truth, n))
    assert_valid(found)
    assert angle(found.key.direction, truth.key.direction) < 1
    assert angle(found.fill.direction, truth.fill.direction) < 2
    assert np.allclose(found.key.colour, truth.key.colour, atol=0.03)
    assert np.allclose(found.fill.colour, truth.fill.colour, atol=0.03)
    assert np.allclose(found.ambient, truth.ambient, atol=0.03)


@settings(max_examples=6, deadline=None)
@given(
    z=st.floats(-0.3, 1, allow_subnormal=False),
    turn=st.floats(0, 2 * np.pi, allow_subnormal=False),
    colour=st.tuples(*[st.floats(0.3, 3)] * 3),
    ambient=st.floats(0, 1, allow_subnormal=False),
)
def test_recovers_one_light(z, turn, colour, ambient):
    radius = np.sqrt(1 - z * z)
    truth = rig_of((radius * np.cos(turn), radius * np.sin(turn), z), colour, ambient=(ambient,) * 3)
    found = fit_light_rig(lambda n: eval_rig(truth, n))
    assert_valid(found)
    assert angle(found.key.direction, truth.key.direction) < 3
    assert np.abs(eval_rig(found, NORMALS) - eval_rig(truth, NORMALS)).max() < 0.05 * max(colour)


def test_lights_that_are_close_to_each_other_become_one():
    truth = rig_of((0.2, 0.5, 0.8), (1.0, 1.0, 1.0), (-0.1, 0.4, 0.9), (0.8, 0.8, 0.8), (0.1, 0.1, 0.1))
    found = fit_light_rig(lambda n: eval_rig(truth, n))
    middle = unit(*(np.array(truth.key.direction) + truth.fill.direction))
    assert angle(found.key.direction, middle) < 6
    assert max(found.fill.colour) < 0.2 * min(found.key.colour)
    assert found.key.colour == pytest.approx((1.8, 1.8, 1.8), rel=0.1)


@pytest.mark.parametrize("towards", [(0.3, 0.6, 0.74), (-0.8, 0.2, 0.5), (0.1, 0.9, -0.2)])
def test_the_key_of_a_wide_light_stands_in_its_middle(towards):
    """Two lamps come closest beside the middle, where nothing tells which is the key."""
    middle = np.array(unit(*towards))
    wide = NORMALS[NORMALS @ middle > 0.4]
    found = fit_light_rig(lambda n: 0.2 + np.maximum(n @ wide.T, 0).mean(axis=1, keepdims=True) * np.ones(3))
    assert_valid(found)
    assert angle(found.key.direction, middle) < 18


@pytest.mark.parametrize("level", [0.0, 0.7])
def test_constant_shading_is_ambient_light(level):
    found = fit_light_rig(lambda n: np.full((len(n), 3), level, np.float32))
    assert_valid(found)
    assert np.allclose(found.ambient, level, atol=1e-6)
    assert np.allclose([*found.key.colour, *found.fill.colour], 0, atol=1e-6)
    assert np.allclose(eval_sh(found.sh, NORMALS), level, atol=1e-6)


def test_lights_without_energy_face_the_camera():
    found = fit_light_rig(lambda n: np.zeros((len(n), 3)))
    assert found.key.direction == found.fill.direction == (0, 0, 1)


def random_shading(seed):
    """Diffuse shading under a random environment of many lights of all colours."""
    random = np.random.default_rng(seed)
    directions = random.standard_normal((12, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    colours = random.exponential(0.3, (12, 3))
    return lambda normals: np.maximum(normals @ directions.T, 0) @ colours


def test_random_shadings_are_met_closely_on_the_visible_side():
    rig_errors, sh_errors = [], []
    for seed in range(8):
        shading = random_shading(seed)
        found, truth = fit_light_rig(shading), shading(VISIBLE)
        rig_errors.append(np.sqrt(((eval_rig(found, VISIBLE) - truth) ** 2).mean()) / truth.mean())
        sh_errors.append(np.sqrt(((eval_sh(found.sh, VISIBLE) - truth) ** 2).mean()) / truth.mean())
    assert np.mean(rig_errors) < 0.25
    assert np.mean(sh_errors) < 0.07 and max(sh_errors) < 0.12


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_rig_is_never_worse_than_ambient_light_alone(seed):
    shading = random_shading(seed)
    found, truth = fit_light_rig(shading), shading(NORMALS)
    assert_valid(found)
    weights = np.maximum(NORMALS[:, 2:], 0) + HIDDEN_WEIGHT
    constant = (weights * truth).sum(axis=0) / weights.sum()
    assert (weights * (eval_rig(found, NORMALS) - truth) ** 2).sum() < (weights * (constant - truth) ** 2).sum()


def test_the_visible_side_counts_more():
    # two narrow lights in front and the same two behind: a rig can only meet one pair
    front = np.array([[0.8, 0, 0.6], [-0.8, 0, 0.6]])
    behind = np.array([[0, 0.8, -0.6], [0, -0.8, -0.6]])

    def shading(normals):
        return np.repeat((np.maximum(normals @ np.concatenate([front, behind]).T, 0) ** 2).sum(1)[:, None], 3, axis=1)

    found = fit_light_rig(shading)
    for light in (found.key, found.fill):
        assert min(angle(light.direction, direction) for direction in front) < 40


def test_sh_of_band_two_shading_is_exact():
    coefficients = np.random.default_rng(1).standard_normal((9, 3))
    found = fit_light_rig(lambda n: eval_sh(coefficients, n))
    assert np.allclose(found.sh, coefficients, atol=1e-5)


def test_sh_basis_is_orthonormal_and_has_the_published_constants():
    basis = sh_basis(fibonacci_sphere(20000))
    assert np.allclose(basis.T @ basis * 4 * np.pi / 20000, np.eye(9), atol=1e-3)
    x, y, z = 0.36, 0.48, 0.8
    published = [0.282095, 0.488603 * y, 0.488603 * z, 0.488603 * x]
    published += [1.092548 * x * y, 1.092548 * y * z, 0.315392 * (3 * z * z - 1), 1.092548 * x * z]
    published += [0.546274 * (x * x - y * y)]
    assert np.allclose(sh_basis(np.array([[x, y, z]]))[0], published, atol=1e-6)


def test_sh_of_a_diffuse_light_matches_the_published_series():
    # max(0, n.z) = 1/4 Y00-part + 1/2 z + 5/32 (3 z^2 - 1) + ...: Ramamoorthi and Hanrahan's A_l / pi = 1, 2/3, 1/4
    found = fit_light_rig(lambda n: np.repeat(np.maximum(n[:, 2:], 0), 3, axis=1))
    z = NORMALS[:, 2]
    series = 0.25 + z / 2 + 5 / 32 * (3 * z * z - 1)
    assert np.abs(eval_sh(found.sh, NORMALS)[:, 0] - series).max() < 0.05


def test_same_rig_every_time_and_asked_once_in_float32():
    asked = []

    def shading(normals):
        asked.append(normals)
        return np.exp(normals)

    assert fit_light_rig(shading) == fit_light_rig(shading)
    assert len(asked) == 2 and asked[0].dtype == np.float32
    assert np.allclose(np.linalg.norm(asked[0], axis=1), 1)


@pytest.mark.parametrize("bad", [lambda n: np.full((len(n), 3), np.inf), lambda n: np.ones(len(n))])
def test_refuses_a_broken_shading(bad):
    with pytest.raises(ValueError, match="one finite colour"):
        fit_light_rig(bad)
