"""The armature, and what a pose does to people of capsules."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.scene import rig as rig_module  # noqa: E402
from phorhum_blender.addon.scene.build import build  # noqa: E402
from phorhum_blender.addon.scene.decimate import decimate  # noqa: E402
from phorhum_blender.addon.scene.person import find_person, positions, stored_joints  # noqa: E402
from phorhum_blender.addon.scene.rig import add_rig, body_bones, rig_of  # noqa: E402
from phorhum_blender.addon.scene.skinning import bone_weights  # noqa: E402
from phorhum_blender.engine.contracts import Request  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from phorhum_blender.engine.skeleton import JOINT, JOINTS  # noqa: E402
from tests.addon import synthetic  # noqa: E402
from tests.addon.snapshot import scene_state  # noqa: E402


@pytest.fixture(autouse=True)
def weigh_once(monkeypatch):
    """The same surface is weighed once for all tests."""
    monkeypatch.setattr(rig_module, "bone_weights", remembered_weights)


_known: dict[bytes, np.ndarray] = {}


def remembered_weights(vertices, *others):
    key = vertices.tobytes()
    if key not in _known:
        _known[key] = bone_weights(vertices, *others)
    return _known[key]


def make(arms="away"):
    return build(bpy.context, synthetic.person(arms=arms), Request(photo="jo.jpg")).object


def turn(rig, bone, degrees, axis=0):
    posed = rig.pose.bones[bone]
    posed.rotation_mode = "XYZ"
    posed.rotation_euler[axis] = math.radians(degrees)


def shown(person):
    """(V, 3) where the modifiers put the vertices, in the world."""
    bpy.context.view_layer.update()
    there = person.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = positions(there.to_mesh())
    matrix = np.array(there.matrix_world)
    there.to_mesh_clear()
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def nearest_bones(person):
    """(V,) name of the bone whose flesh each vertex is nearest to at rest."""
    bones = body_bones(stored_joints(person))
    points = positions(person.data)
    distances = []
    for bone in bones:
        along = bone.tail - bone.head
        t = np.clip((points - bone.head) @ along / (along @ along), 0, 1)
        flesh = synthetic.RADII.get(bone.name.removesuffix(".L").removesuffix(".R"), 0.05)
        distances.append(np.linalg.norm(points - bone.head - t[:, None] * along, axis=1) - flesh)
    return np.array([bone.name for bone in bones])[np.argmin(distances, axis=0)]


def stretch(person, before, after):
    """(E,) by how much the edges grew; those below 3 mm, which marching cubes makes, left out; and their middles."""
    edges = np.array([edge.vertices[:] for edge in person.data.edges])
    old, new = (np.linalg.norm(p[edges[:, 0]] - p[edges[:, 1]], axis=1) for p in (before, after))
    long = old > 0.003
    return (new / np.maximum(old, 1e-9))[long], before[edges].mean(axis=1)[long]


def test_adding_a_rig_moves_nothing(person):
    person.location, person.rotation_euler, person.scale = (1, 2, 3), (0.1, 0.2, 0.3), (1.1, 1.1, 1.1)
    bpy.context.view_layer.update()
    before = shown(person)
    rig = add_rig(bpy.context, person)
    assert np.abs(shown(person) - before).max() < 1e-4
    assert person.parent == rig and rig_of(person) == rig and find_person(rig) == person
    assert bpy.context.object == person and bpy.context.selected_objects == [person]
    rig.location.x += 1
    bpy.context.view_layer.update()
    assert np.allclose(shown(person), before + (1, 0, 0), atol=1e-4)


def test_bones_form_one_tree_and_start_at_the_joints(person):
    rig = add_rig(bpy.context, person)
    bones, joints = rig.data.bones, stored_joints(person)
    assert [bone.name for bone in bones if bone.parent is None] == ["hips"]
    for bone, joint in {
        "upper_arm.L": "l_shoulder", "forearm.R": "r_elbow", "hand.L": "l_wrist", "thigh.R": "r_hip",
        "shin.L": "l_knee", "foot.R": "r_ankle", "chest": "chest", "head": "head", "hips": "pelvis",
    }.items():  # fmt: skip
        assert np.allclose(bones[bone].head_local, joints[JOINT[joint]], atol=1e-5), bone
    assert bones["upper_arm.L"].parent == bones["clavicle.L"] and bones["clavicle.L"].parent == bones["chest"]
    assert bones["thigh.L"].parent == bones["hips"] and bones["head"].parent == bones["neck"]
    assert bones["forearm.L"].use_connect and bones["shin.R"].use_connect
    assert bones["upper_arm.L"].head_local.x > 0  # the person faces -Y: its left is at +X


def test_names_and_rolls_mirror(person):
    bones = add_rig(bpy.context, person).data.bones
    mirror = np.diag([-1, 1, 1])
    sided = [bone for bone in bones if bone.name.endswith(".L")]
    assert len(sided) == 7
    for bone in sided:
        other = bones[bpy.utils.flip_name(bone.name)]
        assert other.name.endswith(".R")
        # A mirrored frame is left-handed until its X is turned round.
        expected = mirror @ np.array(bone.matrix_local.to_3x3()) @ mirror
        assert np.allclose(np.array(other.matrix_local.to_3x3()), expected, atol=1e-4), bone.name


@pytest.mark.parametrize("bone, joint", [("thigh.L", "l_knee"), ("upper_arm.R", "r_elbow"), ("forearm.L", "l_wrist")])
def test_a_turn_about_x_swings_forward(person, bone, joint):
    rig = add_rig(bpy.context, person)
    tip = rig.pose.bones[bone].tail.copy()
    turn(rig, bone, 30)
    bpy.context.view_layer.update()
    assert rig.pose.bones[bone].tail.y < tip.y - 0.05


@pytest.mark.parametrize("arms, reach", [("away", 0.15), ("down", 0.2)])
def test_a_raised_arm_follows_and_the_rest_stays(blender, arms, reach):
    """The arm is swung forward by 60 degrees about its shoulder; elbow and hand keep their shape.

    The flesh of arm and chest is one within ``reach`` of the shoulder, in metres.
    """
    person = make(arms)
    rig = add_rig(bpy.context, person)
    before, part = shown(person), nearest_bones(person)
    turn(rig, "upper_arm.L", 60)
    after = shown(person)
    bone = rig.pose.bones["upper_arm.L"]
    rigid = np.array(bone.matrix @ bone.bone.matrix_local.inverted())
    moved = before @ rigid[:3, :3].T + rigid[:3, 3]
    lower_arm = np.isin(part, ["forearm.L", "hand.L"])
    assert lower_arm.sum() > 100 and np.abs(after - moved)[lower_arm].max() < 1e-3
    legs_and_head = np.char.endswith(part, ".R") | np.isin(part, ["thigh.L", "shin.L", "foot.L", "hips", "head"])
    assert np.linalg.norm(after - before, axis=1)[legs_and_head].max() < 1e-3
    ratio, middle = stretch(person, before, after)
    shoulder = stored_joints(person)[JOINT["l_shoulder"]]
    far = np.linalg.norm(middle - shoulder, axis=1) > reach
    assert ratio[far].max() < 1.1
    assert np.percentile(ratio, 99.5) < 2 and ratio.max() < 4


def test_an_action_is_played(person):
    rig = add_rig(bpy.context, person)
    rest = shown(person)
    for frame, degrees in ((1, 0), (11, 60)):
        turn(rig, "upper_arm.L", degrees)
        rig.pose.bones["upper_arm.L"].keyframe_insert("rotation_euler", frame=frame)
    raised = shown(person)
    frames = {}
    for frame in (1, 6, 11):
        bpy.context.scene.frame_set(frame)
        frames[frame] = shown(person)
    assert np.abs(frames[1] - rest).max() < 1e-5 and np.abs(frames[11] - raised).max() < 1e-5
    hand = nearest_bones(person) == "hand.L"
    ways = [np.linalg.norm(frames[frame] - rest, axis=1)[hand].min() for frame in (6, 11)]
    assert 0.1 < ways[0] < ways[1]


def test_an_arm_grown_to_the_hip_lets_go_of_the_rest(blender):
    """Where the surface itself joins hand and hip nothing can be right, but the other side and the head stay."""
    person = make("touching")
    rig = add_rig(bpy.context, person)
    before, part = shown(person), nearest_bones(person)
    turn(rig, "upper_arm.L", 60)
    moves = np.linalg.norm(shown(person) - before, axis=1)
    still = np.char.endswith(part, ".R") | np.isin(part, ["head", "shin.L", "foot.L"])
    assert moves[still].max() < 1e-3 and np.median(moves[part == "hand.L"]) > 0.3


def test_a_bent_knee_moves_the_shin_alone(person):
    rig = add_rig(bpy.context, person)
    before, part = shown(person), nearest_bones(person)
    turn(rig, "shin.R", -80)
    moves = np.linalg.norm(shown(person) - before, axis=1)
    assert moves[part == "foot.R"].min() > 0.3
    assert moves[~np.isin(part, ["shin.R", "foot.R", "thigh.R"])].max() < 1e-3


def test_every_vertex_hangs_on_one_to_four_bones(person):
    add_rig(bpy.context, person)
    names = {group.index: group.name for group in person.vertex_groups}
    for vertex in person.data.vertices:
        weights = [entry.weight for entry in vertex.groups]
        assert 1 <= len(weights) <= 4 and abs(sum(weights) - 1) < 1e-4
    assert set(names.values()) == {bone.name for bone in rig_of(person).data.bones}


def test_a_decimated_person_is_bent_after_it_is_decimated(person):
    add_rig(bpy.context, person)
    decimate(person, 2000)
    assert [modifier.type for modifier in person.modifiers] == ["DECIMATE", "ARMATURE"]


def test_joints_that_coincide_still_make_every_bone(blender):
    joints = synthetic.JOINTS.copy()
    joints[JOINT["l_hand"]] = joints[JOINT["l_wrist"]]
    result = dataclasses.replace(synthetic.blob(8, 8), joints=joints)
    person = build(bpy.context, result, Request(photo="jo.jpg")).object
    assert len(add_rig(bpy.context, person).data.bones) == 19


def test_joints_lie_where_the_result_has_them(person):
    x, y, z = synthetic.person().joints.T
    assert np.allclose(stored_joints(person), np.stack([x, -z, y], axis=1), atol=1e-6)


def test_without_joints_one_sentence_says_what_to_do(blender):
    nothing = np.full((len(JOINTS), 3), np.nan, np.float32)
    result = dataclasses.replace(synthetic.person(), joints=nothing)
    person = build(bpy.context, result, Request(photo="jo.jpg")).object
    before = scene_state()
    with pytest.raises(UserError, match="made by an older version.*Reconstruct it again"):
        add_rig(bpy.context, person)
    assert scene_state() == before


def test_a_bug_leaves_the_scene_alone(person, monkeypatch):
    before = scene_state()

    def fails(edit_bones, bone):
        raise ZeroDivisionError

    monkeypatch.setattr(rig_module, "_add_bone", fails)
    with pytest.raises(ZeroDivisionError):
        add_rig(bpy.context, person)
    assert scene_state() == before and bpy.context.mode == "OBJECT"
    assert not person.modifiers and not person.vertex_groups and person.parent is None
