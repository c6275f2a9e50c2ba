"""The benchmark of heads: what it measures is of the head alone."""

import dataclasses

import numpy as np
import pytest

from benchmarks.heads import measure
from phorhum_blender.engine.head import HeadFrame
from phorhum_blender.engine.skeleton import JOINT, JOINTS
from training.evaluate import Prediction
from training.held_out import held_out_cases, make_truth, place_case
from training.metrics import Mesh


@pytest.fixture(scope="module")
def truth(shared_dir):
    return make_truth(held_out_cases(shared_dir / "assets")[0], shared_dir / "assets")


@pytest.fixture(scope="module")
def frame(truth, shared_dir):
    joints = place_case(truth.case, shared_dir / "assets").joints.astype(np.float64)
    assert joints.shape == (len(JOINTS), 3) and joints[JOINT["crown"], 1] > joints[JOINT["neck"], 1]
    return HeadFrame.of_joints(joints, truth.distance)


def prediction(mesh):
    grey = np.full(mesh.vertices.shape, 0.2, np.float32)
    return Prediction(mesh, grey, grey, grey)


def test_the_true_head_is_perfect_whatever_the_body_is(truth, frame):
    scores = measure(prediction(truth.outer), truth, frame)
    assert scores["to_true"] < 0.15 and scores["to_predicted"] < 0.15 and scores["normals"] > 0.98
    body = frame.inwards(truth.outer.vertices)[:, 1] < -1.5
    wrong = truth.outer.vertices + np.where(body, 0.3, 0.0)[:, None] * [1, 0, 0]
    assert measure(prediction(Mesh(wrong, truth.outer.faces)), truth, frame)["normals"] > 0.98


def test_a_head_that_stands_elsewhere_or_has_no_face_is_worse(truth, frame):
    moved = Mesh(truth.outer.vertices + frame.turn[2] * 0.02, truth.outer.faces)
    scores = measure(prediction(moved), truth, frame)
    assert 0.8 < scores["to_true"] < 2.1 * truth.unit and scores["normals"] < 0.97
    black = dataclasses.replace(prediction(truth.outer), albedo=np.zeros(truth.outer.vertices.shape))
    assert measure(black, truth, frame)["albedo_front"] < measure(prediction(truth.outer), truth, frame)["albedo_front"]
