"""Poses a rigged person by motion-capture joint positions.

Only directions are taken from the capture, never lengths: the pelvis and chest get orthonormal frames from hips and
shoulders, the spine is interpolated between them, and each limb bone is swung so that it points as the captured one.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

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


def retarget(
    kind: str, bone_name: tuple[str, ...], bone_head: np.ndarray, bone_parent: np.ndarray, pose: np.ndarray
) -> np.ndarray:
    """Bone transforms (B, 4, 4) that act on rest vertices, for ``pose`` (22, 3) joint positions in the order JOINTS.

    Raises ``KeyError`` when the rig lacks its pelvis, chest or head.
    """
    index = {name.replace("Bip02", "Bip01"): i for i, name in enumerate(bone_name)}
    controls, spine_names = RIGS[kind]
    bone = {key: index[name] for key, name in controls.items() if name in index}
    rest = {key: bone_head[i] for key, i in bone.items()}
    goal = {key: pose[i] for key, i in JOINT.items()}
    turned: dict[int, np.ndarray] = {}

    pelvis = _frame(goal["rhip"] - goal["lhip"], goal["chest"] - goal["pelvis"])
    pelvis = pelvis @ _frame(rest["rhip"] - rest["lhip"], rest["chest"] - rest["pelvis"]).T
    chest = _frame(goal["rsho"] - goal["lsho"], goal["neck"] - (goal["pelvis"] + goal["chest"]) / 2)
    chest = chest @ _frame(rest["rsho"] - rest["lsho"], rest["neck"] - (rest["pelvis"] + rest["chest"]) / 2).T
    turned[bone["pelvis"]], turned[bone["chest"]] = pelvis, chest
    spine = [index[name] for name in spine_names if name in index]
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
