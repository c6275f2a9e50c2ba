"""Poses a rigged person by motion-capture joint positions.

Only directions are taken from the capture, never lengths: the pelvis and chest get orthonormal frames from hips and
shoulders, the spine is interpolated between them, and each limb bone is swung so that it points as the captured one.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from phorhum_blender.engine.skeleton import BONE
from phorhum_blender.engine.skeleton import JOINTS as SKELETON_JOINTS
from training.subjects import Subject

JOINTS = (
    "pelvis lhip rhip lknee rknee lank rank ltoe rtoe spine chest neck head htop "
    "lsho rsho lelb relb lwri rwri lhand rhand"
).split()
JOINT = {name: i for i, name in enumerate(JOINTS)}


def _sided(pairs: dict[str, str], left: str, right: str) -> dict[str, str]:
    return {side + key: name.format(word) for side, word in (("l", left), ("r", right)) for key, name in pairs.items()}


_LIMBS_VALID = {
    "clav": "{}Shoulder", "sho": "{}Arm", "elb": "{}ForeArm", "wri": "{}Hand", "hand": "{}HandMiddle1",
    "hip": "{}UpLeg", "knee": "{}Leg", "ank": "{}Foot", "toe": "{}ToeBase",
}  # fmt: skip
_LIMBS_ROCKETBOX = {
    "clav": "Bip01 {} Clavicle", "sho": "Bip01 {} UpperArm", "elb": "Bip01 {} Forearm", "wri": "Bip01 {} Hand",
    "hand": "Bip01 {} Finger2", "hip": "Bip01 {} Thigh", "knee": "Bip01 {} Calf", "ank": "Bip01 {} Foot",
    "toe": "Bip01 {} Toe0",
}  # fmt: skip
_LIMBS_MAKEHUMAN = {
    "clav": "clavicle.{}", "sho": "upperarm01.{}", "elb": "lowerarm01.{}", "wri": "wrist.{}", "hand": "finger3-1.{}",
    "hip": "upperleg01.{}", "knee": "lowerleg01.{}", "ank": "foot.{}", "toe": "toe1-1.{}",
}  # fmt: skip
# Bone of each control joint, and the spine bones between pelvis and chest, lowest first.
RIGS: dict[str, tuple[dict[str, str], list[str]]] = {
    "valid": (
        {"pelvis": "Hips", "chest": "Spine2", "neck": "Neck", "head": "Head", **_sided(_LIMBS_VALID, "Left", "Right")},
        ["Spine", "Spine1"],
    ),
    "rocketbox": (
        {
            "pelvis": "Bip01 Pelvis", "chest": "Bip01 Spine2", "neck": "Bip01 Neck", "head": "Bip01 Head",
            **_sided(_LIMBS_ROCKETBOX, "L", "R"),
        },
        ["Bip01 Spine", "Bip01 Spine1"],
    ),
    "makehuman": (
        {"pelvis": "root", "chest": "spine02", "neck": "neck01", "head": "head", **_sided(_LIMBS_MAKEHUMAN, "L", "R")},
        ["spine05", "spine04", "spine03"],
    ),
}  # fmt: skip


def _unit(v: np.ndarray) -> np.ndarray:
    return v / max(float(np.linalg.norm(v)), 1e-9)


def swing(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) that takes the direction ``source`` to the direction ``target``."""
    a, b = _unit(source), _unit(target)
    axis, cosine = np.cross(a, b), float(a @ b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-8:
        if cosine > 0:
            return np.eye(3)
        other = np.eye(3)[int(np.argmin(np.abs(a)))]
        return Rotation.from_rotvec(np.pi * _unit(np.cross(a, other))).as_matrix()
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine)).as_matrix()


def _frame(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    x = _unit(across)
    y = _unit(np.cross(up, x))
    return np.stack([x, y, np.cross(x, y)], 1)


def _between(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    return Slerp([0, 1], Rotation.from_matrix(np.stack([a, b])))(t).as_matrix()


def control_bones(kind: str, bone_name: tuple[str, ...]) -> tuple[dict[str, int], list[int]]:
    """Numbers of the bones that the rig has of each control joint, and of the spine between pelvis and chest."""
    index = {name.replace("Bip02", "Bip01"): i for i, name in enumerate(bone_name)}
    controls, spine = RIGS[kind]
    found = {key: index[name] for key, name in controls.items() if name in index}
    return found, [index[name] for name in spine if name in index]


def retarget(
    kind: str, bone_name: tuple[str, ...], bone_head: np.ndarray, bone_parent: np.ndarray, pose: np.ndarray
) -> np.ndarray:
    """Bone transforms (B, 4, 4) that act on rest vertices, for ``pose`` (22, 3) joint positions in the order JOINTS.

    Raises ``KeyError`` when the rig lacks its pelvis, chest or head.
    """
    bone, spine = control_bones(kind, bone_name)
    rest = {key: bone_head[i] for key, i in bone.items()}
    goal = {key: pose[i] for key, i in JOINT.items()}
    turned: dict[int, np.ndarray] = {}

    pelvis = _frame(goal["rhip"] - goal["lhip"], goal["chest"] - goal["pelvis"])
    pelvis = pelvis @ _frame(rest["rhip"] - rest["lhip"], rest["chest"] - rest["pelvis"]).T
    chest = _frame(goal["rsho"] - goal["lsho"], goal["neck"] - (goal["pelvis"] + goal["chest"]) / 2)
    chest = chest @ _frame(rest["rsho"] - rest["lsho"], rest["neck"] - (rest["pelvis"] + rest["chest"]) / 2).T
    turned[bone["pelvis"]], turned[bone["chest"]] = pelvis, chest
    for k, i in enumerate(spine):
        turned[i] = _between(pelvis, chest, (k + 1) / (len(spine) + 1))

    head = swing(chest @ np.array([0, 0, 1.0]), goal["htop"] - goal["neck"]) @ chest
    turned[bone["head"]] = head
    if "neck" in bone:
        turned[bone["neck"]] = _between(chest, head, 0.5)

    for side in "lr":
        if side + "clav" in bone:
            turned[bone[side + "clav"]] = chest
        for start, keys in ((chest, ("sho", "elb", "wri", "hand")), (pelvis, ("hip", "knee", "ank", "toe"))):
            rotation = start
            for here, there in zip(keys, keys[1:], strict=False):
                a, b = side + here, side + there
                if a not in rest or b not in rest:
                    break
                rotation = swing(rotation @ (rest[b] - rest[a]), goal[b] - goal[a]) @ rotation
                turned[bone[a]] = rotation
    return _chain(bone_head, bone_parent, turned, pelvis)


def _chain(head: np.ndarray, parent: np.ndarray, turned: dict[int, np.ndarray], root: np.ndarray) -> np.ndarray:
    count = len(head)
    rotation, position = np.zeros((count, 3, 3)), np.zeros((count, 3))
    done = np.zeros(count, bool)

    def solve(i: int) -> None:
        if done[i]:
            return
        up = int(parent[i])
        if up < 0:
            rotation[i], position[i] = turned.get(i, root), head[i]
        else:
            solve(up)
            rotation[i] = turned.get(i, rotation[up])
            position[i] = position[up] + rotation[up] @ (head[i] - head[up])
        done[i] = True

    for i in range(count):
        solve(i)
    transform = np.zeros((count, 4, 4))
    transform[:, :3, :3], transform[:, 3, 3] = rotation, 1
    transform[:, :3, 3] = position - np.einsum("bij,bj->bi", rotation, head)
    return transform


def skin(vertices: np.ndarray, bone_index: np.ndarray, bone_weight: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """Linear blend skinning: (V, 3) rest vertices to (V, 3) posed ones."""
    blended = np.einsum("vk,vkij->vij", bone_weight.astype(np.float64), transform[bone_index][:, :, :3])
    return np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]


# ---------------------------------------------------------------------------------------------------------------------
# The engine's skeleton, of any rig


# joint of engine.skeleton -> control of RIGS; those of the sides without their l or r
_CONTROL_OF_JOINT = {
    "shoulder": "sho", "elbow": "elb", "wrist": "wri", "hand": "hand", "hip": "hip", "knee": "knee", "ankle": "ank",
    "toe": "toe",
}  # fmt: skip
# control of RIGS -> bone of engine.skeleton, likewise
_BONE_OF_CONTROL = {
    "pelvis": "spine", "chest": "chest", "neck": "neck", "head": "head", "clav": "chest", "sho": "upper_arm",
    "elb": "forearm", "wri": "hand", "hand": "hand", "hip": "thigh", "knee": "shin", "ank": "foot", "toe": "foot",
}  # fmt: skip


def bone_of_vertices(subject: Subject) -> np.ndarray:
    """(V,) uint8: number of the bone of engine.skeleton.BONES that moves each vertex most."""
    controls = {bone: key for key, bone in control_bones(subject.kind, subject.bone_name)[0].items()}
    number = np.zeros(len(subject.bone_name), np.uint8)
    for bone in range(len(number)):
        up = bone
        while up >= 0 and up not in controls:
            up = int(subject.bone_parent[up])
        key = controls.get(up, "pelvis")
        sided = key not in _BONE_OF_CONTROL
        name = f"{key[0]}_{_BONE_OF_CONTROL[key[1:]]}" if sided else _BONE_OF_CONTROL[key]
        number[bone] = BONE.get(name, BONE["chest"])  # a clavicle's is the chest's
    strongest = np.take_along_axis(subject.bone_index, subject.bone_weight.argmax(1)[:, None], 1)[:, 0]
    return number[strongest]


def skeleton_joints(subject: Subject, transform: np.ndarray) -> np.ndarray:
    """(21, 3) positions of engine.skeleton.JOINTS where ``transform`` (B, 4, 4) of :func:`retarget` takes them.

    A rig that lacks a hand's or toe's bone has that joint at the tail of the bone before it.
    """
    controls, _ = control_bones(subject.kind, subject.bone_name)
    bones = bone_of_vertices(subject)

    def moved(bone: int, point: np.ndarray) -> np.ndarray:
        return transform[bone, :3, :3] @ point + transform[bone, :3, 3]

    def joint(name: str) -> np.ndarray:
        if name == "crown":
            top = subject.vertices[bones == BONE["head"], 2].max()
            return moved(controls["head"], np.array([*subject.bone_head[controls["head"], :2], top]))
        key = name if name in controls else name[0] + _CONTROL_OF_JOINT[name[2:]]
        if key in controls:
            return moved(controls[key], subject.bone_head[controls[key]])
        before = controls[key[0] + {"hand": "wri", "toe": "ank"}[key[1:]]]
        return moved(before, subject.bone_tail[before])

    return np.stack([joint(name) for name in SKELETON_JOINTS])


# ---------------------------------------------------------------------------------------------------------------------
# Variation of captured poses

_ARMS = {side: [JOINT[side + key] for key in ("sho", "elb", "wri", "hand")] for side in "lr"}
_LEGS = {side: [JOINT[side + key] for key in ("hip", "knee", "ank", "toe")] for side in "lr"}
_SWING = np.radians(9.0)  # standard deviation of a limb bone's random swing
_HEAD = [JOINT[key] for key in ("head", "htop")]
_WAIST = [JOINT[key] for key in ("spine", "chest")]
_UPPER = [JOINT["neck"], *_HEAD, JOINT["lsho"], JOINT["rsho"]]
# of captured people who stand, beyond what is natural; the head's against the chest
_KNEES_BENT, _PELVIS_FORWARD, _CHEST_BACK, _HEAD_BENT = np.radians([27.0, 11.0, 8.0, 18.0])
_KNEES_LEAST, _SQUAT = np.radians([3.0, 120.0])  # bends that stay as they are
_THIGH_SHARE = 0.4  # of what a knee is unbent; the rest is the shin's
_LIVELY = 0.5  # chance of each leg, each arm and the trunk to be lively
_LIFT, _KNEE, _FOLD, _STOOP = np.radians([100.0, 120.0, 140.0, 60.0])  # most: thighs, knees, elbows, the trunk forward
_ASTRIDE = np.radians(20.0)  # standard deviation of how far a lively thigh swings out


def _chest(pose: np.ndarray) -> np.ndarray:
    at = {key: pose[i] for key, i in JOINT.items()}
    return _frame(at["rsho"] - at["lsho"], at["neck"] - (at["pelvis"] + at["chest"]) / 2)


def vary(pose: np.ndarray, arms_of: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A pose (22, 3) with the arms of ``arms_of`` as they lie to the chest, and every limb bone and the head swung a
    little, about 9 degrees. Lengths stay."""
    out = pose.copy()
    turn = _chest(pose) @ _chest(arms_of).T
    for side in "lr":
        for chain, source in ((_ARMS[side], arms_of), (_LEGS[side], pose)):
            steps = np.diff(source[chain], axis=0)
            if source is not pose:
                steps = steps @ turn.T
            swings = Rotation.from_rotvec(_swings(rng, len(steps)))
            out[chain[1:]] = out[chain[0]] + np.cumsum(swings.apply(steps), 0)
    out[_HEAD] = _tilted(pose[_HEAD], pose[JOINT["neck"]], _swings(rng, 1)[0])
    return out


def enliven(pose: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A pose (22, 3) as photos like them and captures hardly hold them: legs lifted, knees bent far, arms anywhere, the
    trunk bent forward, each at times. Lengths stay.

    Of the captures, one in sixteen has one thigh lifted by 40 degrees more than the other.
    """
    out = pose.copy()
    at = {key: pose[i] for key, i in JOINT.items()}
    right, ahead, _ = _frame(at["rhip"] - at["lhip"], at["chest"] - at["pelvis"]).T
    for side, outward in (("l", 1), ("r", -1)):
        if rng.random() < _LIVELY:
            # turns about an axis to the person's right take a hanging leg forward, about one ahead to the left
            _lift_leg(out, _LEGS[side], right, ahead * outward, rng)
        if rng.random() < _LIVELY:
            _throw_arm(out, _ARMS[side], right * -outward, rng)
    if rng.random() < _LIVELY:
        upper = [*_WAIST, JOINT["neck"], *_HEAD, *_ARMS["l"], *_ARMS["r"]]
        out[upper] = _tilted(out[upper], out[JOINT["pelvis"]], right * -rng.uniform(0, _STOOP))
    return out


def _lift_leg(
    pose: np.ndarray, leg: list[int], right: np.ndarray, astride: np.ndarray, rng: np.random.Generator
) -> None:
    hip, knee = leg[:2]
    lift = right * rng.uniform(0, _LIFT) + astride * abs(rng.normal(0, _ASTRIDE))
    pose[leg[2:]] = _tilted(pose[leg[2:]], pose[knee], right * -rng.uniform(0, _KNEE))
    pose[leg[1:]] = _tilted(pose[leg[1:]], pose[hip], lift)


def _throw_arm(pose: np.ndarray, arm: list[int], outward: np.ndarray, rng: np.random.Generator) -> None:
    shoulder, elbow = arm[:2]
    anywhere = _unit(rng.normal(size=3))
    anywhere -= outward * min(0.0, 2 * (anywhere @ outward))  # not through the trunk
    pose[arm[2:]] = _tilted(pose[arm[2:]], pose[elbow], _unit(rng.normal(size=3)) * rng.uniform(0, _FOLD))
    turn = swing(pose[elbow] - pose[shoulder], anywhere)
    pose[arm[1:]] = pose[shoulder] + (pose[arm[1:]] - pose[shoulder]) @ turn.T


def unbend(pose: np.ndarray, amount: float) -> np.ndarray:
    """A pose (22, 3) held straighter: 0 as captured, 1 as people stand in photos.

    The captures' people stand, in the median, with knees bent by 35 degrees and shins sloping backwards; and against
    the rigs' rest poses, which stand naturally, with the pelvis tilted forward by 11 degrees, the chest back by 8 and
    the head bent by 15. A knee that is bent far, as in a squat, is what was meant. Arms hang as they hung.
    """
    out = pose.copy()
    for leg in _LEGS.values():
        _unbend_leg(out, leg, amount)
    _unbend_trunk(out, amount)
    return out


def _unbend_leg(pose: np.ndarray, leg: list[int], amount: float) -> None:
    hip, knee, ankle, toe = leg
    thigh, shin, foot = np.diff(pose[leg], axis=0)
    hinge = np.cross(thigh, shin)
    bend = np.arctan2(np.linalg.norm(hinge), thigh @ shin)
    less = amount * _KNEES_BENT * max(0.0, 1 - (bend / _SQUAT) ** 2)
    turn = _unit(hinge) * min(less, max(0.0, bend - _KNEES_LEAST))
    pose[knee] = pose[hip] + Rotation.from_rotvec(turn * _THIGH_SHARE).apply(thigh)
    pose[ankle] = pose[knee] + Rotation.from_rotvec(turn * (_THIGH_SHARE - 1)).apply(shin)
    pose[toe] = pose[ankle] + foot


def _unbend_trunk(pose: np.ndarray, amount: float) -> None:
    before = pose.copy()
    pelvis, chest, neck = (JOINT[key] for key in ("pelvis", "chest", "neck"))
    # turns about an axis to the person's right tilt backwards
    hips, shoulders = (_unit(before[JOINT["r" + key]] - before[JOINT["l" + key]]) for key in ("hip", "sho"))
    pose[_WAIST] = _tilted(before[_WAIST], before[pelvis], hips * amount * _PELVIS_FORWARD)
    middle = (before[pelvis] + before[chest]) / 2
    pose[_UPPER] = _tilted(before[_UPPER], middle, shoulders * -amount * _CHEST_BACK)
    pose[_UPPER] += (pose[chest] - before[chest]) / 2
    for shoulder, *arm in _ARMS.values():
        pose[arm] += pose[shoulder] - before[shoulder]
    pose[_HEAD] = _tilted(pose[_HEAD], pose[neck], shoulders * amount * _HEAD_BENT)


def _tilted(points: np.ndarray, centre: np.ndarray, turn: np.ndarray) -> np.ndarray:
    return centre + Rotation.from_rotvec(turn).apply(points - centre)


def _swings(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.normal(0, _SWING, (count, 3))
