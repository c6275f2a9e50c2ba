"""The benchmark of leans: what is left of a lean, and whose it is."""

import itertools
import math

import pytest

from benchmarks.lean import Leans, error, held_out_people, measure
from phorhum_blender.engine import stance
from phorhum_blender.engine.reconstruct import Reconstructor


def test_the_error_is_that_of_the_lean_that_is_left():
    upright, leaning = Leans(0.0, 5.0, True), Leans(5.0, 5.0, True)
    assert error([upright], 0.0) == 5.0 and error([leaning], 0.0) == 0.0
    taken = math.degrees(stance.pitch_of_lean(math.radians(5.0), 0.6))
    assert error([upright], 0.6) == pytest.approx(5.0 - taken) and error([leaning], 0.6) == pytest.approx(taken)
    assert error([upright, leaning], 0.6) == pytest.approx(2.5)


def test_the_true_lean_does_not_depend_on_the_cameras_tilt(shared_dir):
    """The same people as the camera sees them: turned back by its tilt, those who stand lean little."""
    assets = shared_dir / "assets"
    seen = [one for one in itertools.islice(held_out_people(assets), 8) if one.standing]
    leans = [measure(Reconstructor(), one, assets, seed) for seed, one in enumerate(seen)]
    assert len(leans) > 2 and all(abs(one.true) < 12 for one in leans)
    tilted = [math.degrees(stance.lean_towards_camera(one.placed.joints)) for one in seen]
    assert [t - one.true for t, one in zip(tilted, leans, strict=True)] == pytest.approx(
        [one.placed.pitch for one in seen]
    )
