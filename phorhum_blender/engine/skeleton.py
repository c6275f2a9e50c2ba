"""The body's joints and the bones between them, by name and number. Plain tuples, free of torch and of Blender."""

from __future__ import annotations

_SIDED = ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe")
# 'hand' is the middle finger's knuckle, 'toe' where the toes begin, 'head' where the skull sits on the neck, 'crown'
# the top of the head; left is the person's left
JOINTS = (
    "pelvis", "chest", "neck", "head", "crown",
    *(f"{side}_{name}" for name in _SIDED for side in "lr"),
)  # fmt: skip
JOINT = {name: number for number, name in enumerate(JOINTS)}

_LIMBS = {
    "upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist"), "hand": ("wrist", "hand"),
    "thigh": ("hip", "knee"), "shin": ("knee", "ankle"), "foot": ("ankle", "toe"),
}  # fmt: skip
# name -> numbers of the joints at its two ends, the one nearer to the pelvis first
BONES: dict[str, tuple[int, int]] = {
    "spine": (JOINT["pelvis"], JOINT["chest"]),
    "chest": (JOINT["chest"], JOINT["neck"]),
    "neck": (JOINT["neck"], JOINT["head"]),
    "head": (JOINT["head"], JOINT["crown"]),
    **{
        f"{side}_{bone}": (JOINT[f"{side}_{start}"], JOINT[f"{side}_{end}"])
        for bone, (start, end) in _LIMBS.items()
        for side in "lr"
    },
}
BONE = {name: number for number, name in enumerate(BONES)}


def _other_side(name: str) -> str:
    return {"l_": "r_", "r_": "l_"}.get(name[:2], name[:2]) + name[2:]


# numbers of the same joint, and bone, of the mirrored body
MIRRORED_JOINTS = tuple(JOINT[_other_side(name)] for name in JOINTS)
MIRRORED_BONES = tuple(BONE[_other_side(name)] for name in BONES)
