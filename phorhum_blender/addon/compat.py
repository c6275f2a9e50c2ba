"""What differs between Blender versions (4.2 and newer), in one place."""

from __future__ import annotations

import bpy


def use_nodes(owner: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """The node tree of ``owner``, made where it is missing. From 5.0 on every material and world has one."""
    if owner.node_tree is None:
        owner.use_nodes = True
    return owner.node_tree


def switch_off_shadows(light: bpy.types.Light) -> None:
    """``light`` casts no shadow in any render engine. Cycles had a switch of its own before 4.5."""
    light.use_shadow = False
    if hasattr(light.cycles, "cast_shadow"):
        light.cycles.cast_shadow = False
