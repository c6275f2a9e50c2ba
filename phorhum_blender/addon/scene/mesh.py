"""The mesh data-block of a result."""

from __future__ import annotations

import bpy
import numpy as np

from ...engine.contracts import Result
from .created import Created
from .space import to_blender

ALBEDO = "Albedo"
SHADED = "Shaded"


def make_mesh(created: Created, name: str, result: Result) -> bpy.types.Mesh:
    """A smooth mesh with ``result``'s normals and the linear colour attributes ``Albedo`` (shown) and ``Shaded``.

    Raises ``ValueError`` when Blender finds the arrays to be no valid mesh.
    """
    mesh = created.add(bpy.data.meshes.new(name))
    _set_geometry(mesh, to_blender(result.vertices), result.faces)
    if mesh.validate():
        raise ValueError("the reconstructed surface is not a valid mesh")
    mesh.normals_split_custom_set_from_vertices(to_blender(result.normals))
    _add_colours(mesh, ALBEDO, result.albedo)
    _add_colours(mesh, SHADED, result.shaded)
    mesh.color_attributes.active_color_name = ALBEDO
    mesh.color_attributes.render_color_index = mesh.color_attributes.find(ALBEDO)
    return mesh


def _set_geometry(mesh: bpy.types.Mesh, vertices: np.ndarray, faces: np.ndarray) -> None:
    corners = np.ascontiguousarray(faces, dtype=np.int32).ravel()
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.ravel())
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners)
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, len(corners), 3, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), dtype=bool))
    mesh.update(calc_edges=True)


def _add_colours(mesh: bpy.types.Mesh, name: str, colours: np.ndarray) -> None:
    """``colours`` (V, 3) linear. 32-bit float, because the 8-bit kind would round through sRGB."""
    rgba = np.ones((len(colours), 4), dtype=np.float32)
    rgba[:, :3] = colours
    mesh.color_attributes.new(name, "FLOAT_COLOR", "POINT").data.foreach_set("color", rgba.ravel())
