"""Fewer triangles, without loss: a modifier that can be changed or removed at any time."""

from __future__ import annotations

import bpy

from .look import drop_normal_map

MODIFIER = "PHORHUM Decimate"


def decimate(person: bpy.types.Object, count: int) -> None:
    """Gives ``person`` a Decimate modifier for about ``count`` triangles, or sets the one it has; a ``count`` that the
    mesh does not exceed takes the modifier away. A normal map, which fits another surface, is taken away too."""
    drop_normal_map(person)
    modifier = person.modifiers.get(MODIFIER)
    full = triangle_count(person.data)
    if count >= full:
        if modifier:
            person.modifiers.remove(modifier)
        return
    if modifier is None:
        modifier = person.modifiers.new(MODIFIER, "DECIMATE")
        person.modifiers.move(len(person.modifiers) - 1, 0)  # before the rig, which then bends what is left
    modifier.decimate_type = "COLLAPSE"
    modifier.ratio = count / full


def triangle_count(mesh: bpy.types.Mesh) -> int:
    """Triangles that the faces of ``mesh`` make: n corners are cut into n - 2."""
    return len(mesh.loops) - 2 * len(mesh.polygons)
