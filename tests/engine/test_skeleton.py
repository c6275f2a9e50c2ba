"""The skeleton's names, and what G does with its joints."""

import math

import pytest
import torch

from phorhum_blender.engine.camera import unproject
from phorhum_blender.engine.model import ModelConfig
from phorhum_blender.engine.model.feature_extractor import (
    BONE_RADIUS,
    SkeletonHead,
    bone_depths,
    picture_coordinates,
)
from phorhum_blender.engine.model.surface_field import BONE_REACH, bone_nearness
from phorhum_blender.engine.skeleton import BONE, BONES, JOINT, JOINTS, MIRRORED_BONES, MIRRORED_JOINTS


def test_bones_run_outwards_and_reach_every_joint():
    assert {joint for ends in BONES.values() for joint in ends} == set(range(len(JOINTS)))
    assert BONES["l_forearm"] == (JOINT["l_elbow"], JOINT["l_wrist"])


def test_the_mirror_swaps_sides_and_nothing_else():
    assert MIRRORED_JOINTS[JOINT["l_knee"]] == JOINT["r_knee"] and MIRRORED_JOINTS[JOINT["neck"]] == JOINT["neck"]
    assert [MIRRORED_JOINTS[k] for k in MIRRORED_JOINTS] == list(range(len(JOINTS)))
    for name, (start, end) in BONES.items():
        other = list(BONES)[MIRRORED_BONES[BONE[name]]]
        assert BONES[other] == (MIRRORED_JOINTS[start], MIRRORED_JOINTS[end])


def test_a_joint_is_where_its_map_is_bright_and_as_deep_as_the_map_says_there():
    head = SkeletonHead(width=2, bottleneck=3, hidden=4, blocks=1)
    with torch.no_grad():
        for layer in (head.maps, head.together[-1]):
            layer.weight.zero_()
            layer.bias.zero_()
        head.maps.weight[: len(JOINTS), 0] = 1  # the first channel is heat
        head.maps.weight[len(JOINTS) : 2 * len(JOINTS), 1] = 1  # the second depth
    x = torch.zeros(1, 2, 8, 8)
    x[0, 0, 2, 5] = 40
    x[0, 1, 2, 5] = 0.3
    joints, heat = head(x, torch.zeros(1, 3))
    torch.testing.assert_close(heat, x[:, :1].expand(1, 21, 8, 8))
    place = picture_coordinates(8, x)[:, 2, 5]
    assert place.tolist() == pytest.approx([3 / 8, 3 / 8])  # right of the middle, and above it
    torch.testing.assert_close(joints, torch.tensor([*place.tolist(), 0.3]).expand(1, 21, 3), atol=1e-5, rtol=0)


def test_depth_along_a_bone():
    joints = torch.zeros(1, len(JOINTS), 3)
    joints[0, JOINT["l_elbow"]] = torch.tensor([-0.5, 0.0, 0.2])
    joints[0, JOINT["l_wrist"]] = torch.tensor([0.5, 0.0, -0.2])
    depth, near = (maps[0, BONE["l_forearm"]] for maps in bone_depths(joints, 64))
    x, y = picture_coordinates(64, joints)
    torch.testing.assert_close(depth, -0.4 * x.clamp(-0.5, 0.5))
    away = torch.hypot((x.abs() - 0.5).clamp(min=0), y)
    torch.testing.assert_close(near, torch.exp(-away.square() / BONE_RADIUS**2))


def test_a_bone_that_points_at_the_camera_has_a_depth_and_a_gradient():
    joints = torch.zeros(1, len(JOINTS), 3, requires_grad=True)
    depth, near = bone_depths(joints, 8)
    (depth.sum() + near.sum()).backward()
    assert torch.isfinite(joints.grad).all()


@pytest.mark.parametrize("distance", [3.0, torch.tensor([[3.0]])])
def test_points_feel_the_bones_that_they_are_near(distance):
    joints = torch.zeros(1, len(JOINTS), 3)
    joints[0, JOINT["r_knee"]] = torch.tensor([0.4, 0.2, 0.6])
    joints[0, JOINT["r_ankle"]] = torch.tensor([0.4, -0.5, -0.3])
    knee, ankle = unproject(joints[..., :2], joints[..., 2], 3.0)[0, [JOINT["r_knee"], JOINT["r_ankle"]]]
    across = torch.linalg.cross(ankle - knee, torch.tensor([1.0, 0, 0]))
    across = across / across.norm()
    points = torch.stack(
        [knee, (knee + ankle) / 2 + 0.07 * across, ankle + 0.1 * (ankle - knee) / (ankle - knee).norm()]
    )
    near = bone_nearness(joints, points[None], distance)[0, :, BONE["r_shin"]]
    wanted = torch.exp(-torch.tensor([0.0, 0.07, 0.1]).square() / BONE_REACH**2)
    torch.testing.assert_close(near, wanted, atol=1e-4, rtol=0)


def test_the_default_network_says_joints_and_parts():
    from phorhum_blender.engine.model.feature_extractor import FeatureExtractor

    encoding = FeatureExtractor(ModelConfig()).eval()(torch.rand(2, 4, 64, 64))
    assert encoding.joints.shape == (2, len(JOINTS), 3)
    assert encoding.parts.shape == (2, len(BONES), 32, 32)
    assert all(math.isfinite(x.sum().item()) for x in encoding if x is not None)
