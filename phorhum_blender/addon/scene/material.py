"""The material that shows the albedo attribute."""

from __future__ import annotations

import bpy
import numpy as np

from .. import compat
from .created import Created
from .mesh import ALBEDO


def make_material(created: Created, name: str, albedo: np.ndarray) -> bpy.types.Material:
    """A purely diffuse material that shows the attribute ``Albedo``.

    The mean of ``albedo`` (V, 3), linear, is its colour in views that show no attributes.
    """
    material = created.add(bpy.data.materials.new(name))
    material.diffuse_color = (*(float(c) for c in albedo.mean(axis=0)), 1.0)
    material.roughness = 1.0
    tree = compat.use_nodes(material)
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    surface = tree.nodes.new("ShaderNodeBsdfPrincipled")
    # The fitted shading is that of a matte surface: any gloss would come on top of it.
    surface.inputs["Roughness"].default_value = 1.0
    surface.inputs["Specular IOR Level"].default_value = 0.0
    colour = tree.nodes.new("ShaderNodeVertexColor")
    colour.layer_name = ALBEDO
    surface.location, colour.location = (-300, 0), (-520, 0)
    tree.links.new(colour.outputs["Color"], surface.inputs["Base Color"])
    tree.links.new(surface.outputs["BSDF"], output.inputs["Surface"])
    return material


def show_colours_in_solid_views(context: bpy.types.Context) -> None:
    """Every open 3D view shows colour attributes while in Solid mode, as the albedo would stay unseen there."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.spaces.active.shading.color_type = "VERTEX"
