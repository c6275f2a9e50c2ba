"""Posing: the engine's joints and bones of any rig, and variation of captured poses."""

from types import SimpleNamespace

import numpy as np
import pytest

from phorhum_blender.engine.skeleton import BONE, JOINT
from training.cache import random_pose
from training.cache import standing as stands
from training.retarget import JOINT as CAPTURED
from training.retarget import JOINTS as CAPTURED_JOINTS
from training.retarget import RIGS, bone_of_vertices, enliven, retarget, skeleton_joints, unbend, vary
from training.subjects import load_poses

# a standing person, metres, z up, facing -y: control joint -> head of its bone
REST = {
    "pelvis": (0, 0, 0.95), "chest": (0, 0, 1.25), "neck": (0, 0, 1.45), "head": (0, 0, 1.52),
    "lclav": (0.03, 0, 1.4), "lsho": (0.18, 0, 1.4), "lelb": (0.45, 0, 1.4), "lwri": (0.7, 0, 1.4),
    "lhand": (0.8, 0, 1.4), "lhip": (0.1, 0, 0.9), "lknee": (0.1, 0, 0.5), "lank": (0.1, 0, 0.1),
    "ltoe": (0.1, -0.15, 0.03),
}  # fmt: skip
REST |= {"r" + key[1:]: (-x, y, z) for key, (x, y, z) in REST.items() if key[0] == "l"}
PARENTS = {"chest": "pelvis", "neck": "chest", "head": "neck"}
for _side in "lr":
    PARENTS |= {_side + "clav": "chest", _side + "hip": "pelvis"}
    for _chain in (("clav", "sho", "elb", "wri", "hand"), ("hip", "knee", "ank", "toe")):
        PARENTS |= {_side + child: _side + parent for parent, child in zip(_chain, _chain[1:], strict=False)}


def person(kind, without=()):
    """A rig of control bones with one vertex at each bone's head, and one on top of the skull."""
    names = [key for key in REST if key not in without]
    controls = RIGS[kind][0]
    heads = np.array([REST[key] for key in names], float)
    top = np.array([[0, 0, 1.75]])
    weights = np.zeros((len(names) + 1, 4), np.float32)
    weights[:, 0] = 1
    return SimpleNamespace(
        kind=kind,
        vertices=np.concatenate([heads, top]),
        bone_name=tuple(controls[key] for key in names),
        bone_head=heads,
        bone_tail=heads + [0, 0, -0.1],
        bone_parent=np.array([names.index(PARENTS[key]) if key in PARENTS else -1 for key in names]),
        bone_index=np.repeat([*range(len(names)), names.index("head")], 4).reshape(-1, 4),
        bone_weight=weights,
    ), names


def still(subject):
    return np.tile(np.eye(4), (len(subject.bone_name), 1, 1))


@pytest.mark.parametrize("kind", list(RIGS))
def test_joints_of_every_rig(kind):
    subject, _ = person(kind)
    joints = skeleton_joints(subject, still(subject))
    np.testing.assert_allclose(joints[JOINT["l_elbow"]], REST["lelb"])
    np.testing.assert_allclose(joints[JOINT["r_ankle"]], REST["rank"])
    np.testing.assert_allclose(joints[JOINT["crown"]], [0, 0, 1.75])


def test_a_rig_without_hands_ends_them_at_the_wrist_s_tail():
    subject, names = person("rocketbox", without=("lhand",))
    joints = skeleton_joints(subject, still(subject))
    np.testing.assert_allclose(joints[JOINT["l_hand"]], subject.bone_tail[names.index("lwri")])


def test_joints_move_with_the_bones():
    subject, _ = person("valid")
    pose = np.array([REST.get(key, (0, 0, 0)) for key in CAPTURED_JOINTS], float)
    pose[CAPTURED["htop"]] = [0, 0, 1.75]
    pose[CAPTURED["lwri"]] = pose[CAPTURED["lelb"]] + [0, 0, -0.3]  # the left forearm hangs
    pose[CAPTURED["lhand"]] = pose[CAPTURED["lwri"]] + [0, 0, -0.1]
    transform = retarget("valid", subject.bone_name, subject.bone_head, subject.bone_parent, pose)
    joints = skeleton_joints(subject, transform)
    np.testing.assert_allclose(joints[JOINT["l_wrist"]], [0.45, 0, 1.15], atol=1e-6)  # lengths are the rig's
    np.testing.assert_allclose(joints[JOINT["r_wrist"]], REST["rwri"], atol=1e-6)


def test_every_vertex_has_the_bone_that_moves_it():
    subject, names = person("makehuman")
    bones = dict(zip([*names, "top"], bone_of_vertices(subject), strict=True))
    wanted = {"lsho": "l_upper_arm", "rwri": "r_hand", "lank": "l_foot", "rclav": "chest", "top": "head"}
    assert {key: bones[key] for key in wanted} == {key: BONE[name] for key, name in wanted.items()}
    assert bones["pelvis"] == BONE["spine"]


@pytest.fixture
def standing():
    pose = np.array([REST.get(key, (0, 0, 1.0)) for key in CAPTURED_JOINTS], float)
    pose[CAPTURED["htop"]] = [0, 0, 1.75]
    return pose


def lengths(pose):
    pairs = [
        (s + a, s + b) for s in "lr" for a, b in (("sho", "elb"), ("elb", "wri"), ("hip", "knee"), ("knee", "ank"))
    ]
    return np.array([np.linalg.norm(pose[CAPTURED[b]] - pose[CAPTURED[a]]) for a, b in pairs])


def test_a_varied_pose_keeps_lengths_and_trunk(standing):
    varied = vary(standing, standing, np.random.default_rng(0))
    np.testing.assert_allclose(lengths(varied), lengths(standing))
    for key in ("pelvis", "chest", "neck", "lsho", "rhip"):
        np.testing.assert_array_equal(varied[CAPTURED[key]], standing[CAPTURED[key]])
    moved = np.linalg.norm(varied - standing, axis=1)
    assert 0.005 < moved[CAPTURED["lwri"]] < 0.4


def test_arms_of_another_pose_lie_to_the_chest_as_there(standing):
    """The other person lies on his back with raised arms: a standing one raises them too."""
    other = standing.copy()
    for side in "lr":
        steps = np.array([[0, 0, 0.27], [0, 0, 0.25], [0, 0, 0.1]])
        chain = [CAPTURED[side + key] for key in ("sho", "elb", "wri", "hand")]
        other[chain[1:]] = other[chain[0]] + np.cumsum(steps, 0)
    lying = other @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T
    varied = vary(standing, lying, np.random.default_rng(1))
    assert varied[CAPTURED["lwri"], 2] > standing[CAPTURED["lsho"], 2] + 0.35
    assert varied[CAPTURED["rwri"], 2] > standing[CAPTURED["rsho"], 2] + 0.35


def with_bent_knees(pose, degrees):
    """Both knees bent: half of it the thighs forward, half of it the shins back."""
    out, half = pose.copy(), np.radians(degrees / 2)
    for side in "lr":
        hip, knee, ankle, toe = (CAPTURED[side + key] for key in ("hip", "knee", "ank", "toe"))
        out[knee] = out[hip] + 0.4 * np.array([0, -np.sin(half), -np.cos(half)])
        out[ankle] = out[knee] + 0.4 * np.array([0, np.sin(half), -np.cos(half)])
        out[toe] = out[ankle] + pose[toe] - pose[ankle]
    return out


def knee_bends(pose):
    """Degrees; negative where a knee bends forward."""
    thigh, shin = (
        np.array([pose[CAPTURED[s + b]] - pose[CAPTURED[s + a]] for s in "lr"])
        for a, b in (("hip", "knee"), ("knee", "ank"))
    )
    hinge = np.cross(thigh, shin)
    return np.degrees(np.arctan2(np.linalg.norm(hinge, axis=1), (thigh * shin).sum(1))) * np.sign(hinge[:, 0])


@pytest.mark.parametrize("bend, low, high", [(35, 8, 12), (20, 2.9, 3.1), (90, 75, 85), (130, 129.9, 130.1)])
def test_who_was_captured_with_bent_knees_stands_straight_and_who_squats_goes_on(standing, bend, low, high):
    bent = with_bent_knees(standing, bend)
    straight = unbend(bent, 1.0)
    np.testing.assert_allclose(knee_bends(bent), bend)
    assert (knee_bends(straight) > low).all() and (knee_bends(straight) < high).all()
    np.testing.assert_allclose(lengths(straight), lengths(bent))
    for side in "lr":
        foot = [CAPTURED[side + key] for key in ("ank", "toe")]
        np.testing.assert_allclose(np.diff(straight[foot], axis=0), np.diff(bent[foot], axis=0))


def test_unbending_by_nothing_changes_nothing_and_straight_knees_stay(standing):
    bent = with_bent_knees(standing, 40)
    np.testing.assert_allclose(unbend(bent, 0.0), bent, atol=1e-12)
    legs = [CAPTURED[s + key] for s in "lr" for key in ("knee", "ank", "toe")]
    np.testing.assert_allclose(unbend(standing, 1.3)[legs], standing[legs], atol=1e-12)


def forward_tilt(pose, below, above):
    """Degrees by which the line from one joint to another leans forward."""
    along = pose[CAPTURED[above]] - pose[CAPTURED[below]]
    return np.degrees(np.arctan2(-along[1], along[2]))


def test_an_unbent_trunk_leans_back_at_the_waist_and_forward_above_with_the_head_up(standing):
    standing[CAPTURED["htop"]] = [0, -0.1, 1.74]
    before, after = ([forward_tilt(pose, *ends) for ends in (("pelvis", "chest"), ("neck", "htop"))]
                     for pose in (standing, unbend(standing, 1.0)))  # fmt: skip
    np.testing.assert_allclose(np.subtract(after, before), [-11, -10])
    upper = unbend(standing, 1.0)
    assert forward_tilt(upper, "chest", "neck") > forward_tilt(standing, "chest", "neck") + 8
    for side in "lr":
        arm = [CAPTURED[side + key] for key in ("sho", "elb", "wri", "hand")]
        np.testing.assert_allclose(np.diff(upper[arm], axis=0), np.diff(standing[arm], axis=0), atol=1e-12)


def test_captured_people_who_stand_come_out_straight(shared_dir):
    poses = load_poses(shared_dir / "assets", held_out=False)
    upright = poses[stands(poses)][::5]
    before, after = ([unbend(pose, amount) for pose in upright] for amount in (0.0, 1.0))
    assert np.median([knee_bends(pose) for pose in before]) > 30
    assert 5 < np.median([knee_bends(pose) for pose in after]) < 15
    for ends, captured, natural in ((("pelvis", "chest"), 8, -3), (("neck", "htop"), 14, 5)):
        assert np.median([forward_tilt(pose, *ends) for pose in before]) == pytest.approx(captured, abs=3)
        assert np.median([forward_tilt(pose, *ends) for pose in after]) == pytest.approx(natural, abs=3)


def test_a_lively_pose_lifts_legs_bends_knees_backwards_and_throws_arms_outward(standing):
    lively = [enliven(standing, np.random.default_rng(seed)) for seed in range(300)]
    ends = {key: np.array([pose[CAPTURED[key]] for pose in lively]) for key in CAPTURED}
    for pose in lively:
        np.testing.assert_allclose(lengths(pose), lengths(standing))
        assert np.linalg.norm(pose[CAPTURED["lsho"]] - pose[CAPTURED["neck"]]) == pytest.approx(0.1868, abs=1e-4)
        assert (knee_bends(standing) - knee_bends(pose) < 1e-6).all()  # never forward
    for key in ("pelvis", "lhip", "rhip"):
        np.testing.assert_array_equal(ends[key], np.tile(standing[CAPTURED[key]], (300, 1)))
    for side, outward in (("l", 1), ("r", -1)):
        thigh = ends[side + "knee"] - ends[side + "hip"]
        forward = np.degrees(np.arctan2(-thigh[:, 1], -thigh[:, 2]))
        assert forward.min() > -1e-6 and 0.2 < (forward > 45).mean() < 0.35
        assert (thigh[:, 0] * outward > -1e-9).all()
        arm = ends[side + "elb"] - ends[side + "sho"]
        assert (arm[:, 0] * outward > -1e-9).all() and 0.05 < (arm[:, 2] > 0.15).mean() < 0.3
    stoop = [forward_tilt(pose, "pelvis", "chest") for pose in lively]
    assert min(stoop) > -1e-6 and 50 < max(stoop) < 60 and np.isclose(stoop, 0).mean() == pytest.approx(0.5, abs=0.1)


def test_how_many_poses_are_lively_is_chosen(shared_dir):
    def lifted(share):
        poses = [random_pose(np.random.default_rng(seed), shared_dir / "assets", lively=share) for seed in range(200)]
        thigh = np.array([[pose[CAPTURED[s + "knee"]] - pose[CAPTURED[s + "hip"]] for s in "lr"] for pose in poses])
        down = thigh[..., 2] / np.linalg.norm(thigh, axis=-1)
        return (np.ptp(np.degrees(np.arccos(-down)), axis=1) > 40).mean()

    assert lifted(0.0) < 0.12 and lifted(1.0) > 0.35
