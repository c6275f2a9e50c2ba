"""An armature in the person, and the surface bound to it.

Every bone's local Z looks to the front, so a turn about its local X swings its tip forward, on the left as on the
right, and poses mirror as Blender expects. The feet point forward themselves; their Z looks up.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from ...engine.skeleton import JOINT
from .created import Created
from .person import positions, selected_alone, stored_joints, triangles
from .skinning import bone_weights

MODIFIER = "PHORHUM Rig"
_FRONT, _UP = Vector((0.0, -1.0, 0.0)), Vector((0.0, 0.0, 1.0))
_TRUNK, _ARM, _LEG = 0.13, 0.05, 0.08  # metres of flesh around the bones of a body 1.7 m tall
_LEAST_LENGTH = 0.01  # metres; Blender drops bones without length


@dataclass(frozen=True)
class Bone:
    """A bone of the rest pose, in metres in the person's own axes."""

    name: str
    parent: str
    head: np.ndarray
    tail: np.ndarray
    radius: float


def add_rig(context: bpy.types.Context, person: bpy.types.Object) -> bpy.types.Object:
    """A rig at ``person``, which becomes its child and follows it. The person stays active.

    Raises ``UserError`` where the person has no joints. On any exception the scene is as before.
    """
    bones = body_bones(stored_joints(person))
    weights = _weights(person.data, bones)
    with Created() as created:
        rig = created.add(bpy.data.objects.new(f"{person.name} Rig", created.add(bpy.data.armatures.new(MODIFIER))))
        rig.show_in_front = True
        rig.parent, rig.parent_type, rig.parent_bone = person.parent, person.parent_type, person.parent_bone
        rig.matrix_parent_inverse = person.matrix_parent_inverse
        rig.matrix_basis = person.matrix_basis
        person.users_collection[0].objects.link(rig)
        _build_bones(context, rig, bones)
    person.parent, person.parent_type, person.parent_bone = rig, "OBJECT", ""
    person.matrix_parent_inverse.identity()
    person.matrix_basis.identity()
    _bind(person, rig, bones, weights)
    return rig


def rig_of(person: bpy.types.Object) -> bpy.types.Object | None:
    modifier = person.modifiers.get(MODIFIER)
    return modifier.object if modifier else None


def rebind(person: bpy.types.Object, rig: bpy.types.Object) -> None:
    """Binds ``person``, whose surface is another than before, to ``rig``, which was made for it."""
    bones = body_bones(stored_joints(person))
    _bind(person, rig, bones, _weights(person.data, bones))


def body_bones(joints: np.ndarray) -> list[Bone]:
    """The bones between ``joints`` (21, 3), parents before their children; ``.L`` is the person's left."""

    def at(name: str) -> np.ndarray:
        return joints[JOINT[name]]

    def between(start: str, end: str, part: float) -> np.ndarray:
        return (1 - part) * at(start) + part * at(end)

    waist = between("pelvis", "chest", 0.4)
    rows = [
        ("hips", "", at("pelvis"), waist, _TRUNK),
        ("spine", "hips", waist, at("chest"), _TRUNK),
        ("chest", "spine", at("chest"), at("neck"), _TRUNK),
        ("neck", "chest", at("neck"), at("head"), _TRUNK),
        ("head", "neck", at("head"), at("crown"), _TRUNK),
    ]
    for side in "lr":
        shoulder, elbow, wrist, hand, hip, knee, ankle, toe = (
            at(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe")
        )
        suffix = f".{side.upper()}"
        rows += [
            (f"clavicle{suffix}", "chest", between("neck", f"{side}_shoulder", 0.2), shoulder, _ARM),
            (f"upper_arm{suffix}", f"clavicle{suffix}", shoulder, elbow, _ARM),
            (f"forearm{suffix}", f"upper_arm{suffix}", elbow, wrist, _ARM),
            (f"hand{suffix}", f"forearm{suffix}", wrist, hand, _ARM),
            (f"thigh{suffix}", "hips", hip, knee, _LEG),
            (f"shin{suffix}", f"thigh{suffix}", knee, ankle, _LEG),
            (f"foot{suffix}", f"shin{suffix}", ankle, toe, _LEG),
        ]
    scale = np.ptp(joints[:, 2]) / 1.7
    return [Bone(name, parent, head, _tail(head, tail), radius * scale) for name, parent, head, tail, radius in rows]


def _tail(head: np.ndarray, tail: np.ndarray) -> np.ndarray:
    return tail if np.linalg.norm(tail - head) >= _LEAST_LENGTH else head + (0.0, 0.0, _LEAST_LENGTH)


def _build_bones(context: bpy.types.Context, rig: bpy.types.Object, bones: list[Bone]) -> None:
    with selected_alone(context, rig):
        bpy.ops.object.mode_set(mode="EDIT")
        try:
            for bone in bones:
                _add_bone(rig.data.edit_bones, bone)
        finally:
            bpy.ops.object.mode_set(mode="OBJECT")


def _add_bone(edit_bones: bpy.types.ArmatureEditBones, bone: Bone) -> None:
    made = edit_bones.new(bone.name)
    made.head, made.tail = bone.head, bone.tail
    made.align_roll(_UP if bone.name.startswith("foot") else _FRONT)
    if bone.parent:
        made.parent = edit_bones[bone.parent]
        made.use_connect = bool(np.allclose(made.parent.tail, made.head, atol=1e-6))


def _weights(mesh: bpy.types.Mesh, bones: list[Bone]) -> np.ndarray:
    edges = np.empty(len(mesh.edges) * 2, dtype=np.int32)
    mesh.edges.foreach_get("vertices", edges)
    segments = np.array([(bone.head, bone.tail) for bone in bones])
    radii = np.array([bone.radius for bone in bones])
    return bone_weights(positions(mesh), triangles(mesh), edges.reshape(-1, 2), segments, radii)


def _bind(person: bpy.types.Object, rig: bpy.types.Object, bones: list[Bone], weights: np.ndarray) -> None:
    for number, bone in enumerate(bones):
        group = person.vertex_groups.get(bone.name) or person.vertex_groups.new(name=bone.name)
        group.remove(range(len(person.data.vertices)))
        for vertex in np.flatnonzero(weights[:, number]).tolist():
            group.add((vertex,), float(weights[vertex, number]), "REPLACE")
    modifier = person.modifiers.get(MODIFIER) or person.modifiers.new(MODIFIER, "ARMATURE")
    modifier.object = rig
