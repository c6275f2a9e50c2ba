"""The camera's tilt, told by how the person stands."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phorhum_blender.engine.contracts import PhotoCamera, pitch_rotation
from phorhum_blender.engine.skeleton import JOINT, JOINTS
from phorhum_blender.engine.stance import CAMERA_SHARE, LYING, camera_pitch, lean_towards_camera


def standing(lean=0.0):
    """Joints of a person who stands straight, seen by a camera that looks down by ``lean`` radians."""
    joints = np.zeros((len(JOINTS), 3))
    joints[JOINT["neck"]] = [0.02, 1.4, 0.03]
    for side, x in (("l", 0.1), ("r", -0.1)):
        joints[JOINT[f"{side}_ankle"]] = [x, 0.08, 0.0]
        joints[JOINT[f"{side}_toe"]] = [x, 0.0, 0.12]
    return joints @ pitch_rotation(lean)  # from level axes to the camera's


def test_who_stands_upright_before_a_level_camera_does_not_lean():
    assert lean_towards_camera(standing()) == pytest.approx(0, abs=1e-9)


@given(st.floats(-1, 1))
def test_a_camera_that_looks_down_makes_people_lean_towards_it(angle):
    assert lean_towards_camera(standing(angle)) == pytest.approx(angle, abs=1e-9)


def test_most_of_a_small_lean_is_the_cameras():
    for angle in (-0.05, 0.05):
        assert camera_pitch(standing(angle)) == pytest.approx(CAMERA_SHARE * angle, rel=0.01)


@given(st.floats(LYING, math.pi))
def test_who_lies_tells_nothing_of_the_camera(angle):
    assert [camera_pitch(standing(way * angle)) for way in (-1, 1)] == pytest.approx([0, 0], abs=1e-9)


@given(st.floats(-math.pi, math.pi), st.floats(-0.01, 0.01))
def test_the_pitch_is_small_and_changes_steadily(angle, step):
    pitch, next_to_it = camera_pitch(standing(angle)), camera_pitch(standing(angle + step))
    assert abs(pitch) < math.radians(12)
    assert abs(next_to_it - pitch) <= 2 * CAMERA_SHARE * abs(step) + 1e-9


def test_straightened_people_lean_less_and_keep_their_place_in_the_photo():
    """The pitch taken for the camera's, the neck stands more nearly above the feet; the camera sees it where it was."""
    joints = standing(0.2)
    pitch = camera_pitch(joints)
    straight = joints @ pitch_rotation(pitch).T
    assert lean_towards_camera(straight) == pytest.approx(0.2 - pitch) and 0 < pitch < 0.2
    eye = np.array([[0.0, 0.5, 4.0]])
    before = PhotoCamera(tuple(eye[0]), 900.0, (300.0, 200.0), 600, 400)
    after = PhotoCamera(tuple((eye @ pitch_rotation(pitch).T)[0]), 900.0, (300.0, 200.0), 600, 400, pitch)
    np.testing.assert_allclose(after.project(straight), before.project(joints), atol=1e-6)


def test_a_camera_that_looks_down_sees_what_is_below():
    camera = PhotoCamera((0.0, 1.5, 2.0), 500.0, (200.0, 100.0), 400, 200, pitch=math.radians(30))
    (at,) = camera.project(np.array([[0.0, 1.5 - 2.0 * math.tan(math.radians(30)), 0.0]]))
    np.testing.assert_allclose(at, [200.0, 100.0], atol=1e-9)
