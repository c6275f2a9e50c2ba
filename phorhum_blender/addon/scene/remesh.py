"""A new surface over the old one: even voxels, or quads that follow the shape. The old person is hidden, not lost."""

from __future__ import annotations

import bmesh
import bpy
import numpy as np
from mathutils.bvhtree import BVHTree

from ...engine.errors import UserError
from .created import Created
from .look import SHADED, current_look, drop_normal_map, drop_texture, show
from .mesh import ALBEDO
from .normal_map import FINE_KEY
from .person import point_colours, positions, select, selected_alone, triangles
from .rig import rebind, rig_of

VOXEL, QUAD = "VOXEL", "QUAD"
# Voxels along the longest side under the quads, tried in turn: of some surfaces quadriflow makes nothing but NaN.
_FINE = (250, 235, 265)
_FARTHEST = 0.05  # of the person's longest side: a new surface farther off than that has gone wrong


def remesh(context: bpy.types.Context, person: bpy.types.Object, kind: str, amount: float) -> bpy.types.Object:
    """A copy of ``person``, now active, with a new surface, its colours and its rig; ``person`` is hidden.

    ``amount`` is the edge of a voxel in metres for ``VOXEL``, about how many quads to make for ``QUAD``. The copy has
    no UV map, so no texture, and no modifier but the rig's. Raises ``UserError`` where the surface does not come out
    right; then, as on any exception, the scene is as before.
    """
    look = current_look(person)
    rig = rig_of(person)
    with Created() as created:
        made = _copy(created, person)
        person.users_collection[0].objects.link(made)
        with selected_alone(context, made):
            _new_surface(made, person.data, kind, amount)
        _check(person, made)
        transfer_colours(person.data, made.data)
        if look:
            drop_texture(made)
            drop_normal_map(made)
            show(made, SHADED if look == SHADED else ALBEDO)
        if rig:
            rebind(made, rig)
    select(context, made)
    person.hide_set(True)
    person.hide_render = True
    return made


def transfer_colours(source: bpy.types.Mesh, target: bpy.types.Mesh) -> None:
    """Gives the vertices of ``target`` the colours ``Albedo`` and ``Shaded`` of the nearest places of ``source``."""
    places, weights = nearest_places(positions(source), triangles(source), positions(target))
    for name in (ALBEDO, SHADED):
        colours = np.einsum("vk,vkc->vc", weights, point_colours(source, name)[places])
        if name in target.color_attributes:
            target.color_attributes.remove(target.color_attributes[name])
        attribute = target.color_attributes.new(name, "FLOAT_COLOR", "POINT")
        attribute.data.foreach_set("color", colours.astype(np.float32).ravel())
    target.color_attributes.active_color_name = ALBEDO
    target.color_attributes.render_color_index = target.color_attributes.find(ALBEDO)


def nearest_places(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the surface of ``faces`` (T, 3) comes nearest to each of ``points`` (N, 3): the vertices of the triangle
    there (N, 3) and the place's barycentric weights in it (N, 3)."""
    tree = BVHTree.FromPolygons(vertices.tolist(), faces.tolist())
    found = [tree.find_nearest(point) for point in points.tolist()]
    corners = faces[[index for _, _, index, _ in found]]
    origin, second, third = (vertices[corners[:, i]].astype(np.float64) for i in range(3))
    offset = np.array([place for place, _, _, _ in found]) - origin
    second, third = second - origin, third - origin
    gram = [np.einsum("nk,nk->n", a, b) for a, b in ((second, second), (second, third), (third, third))]
    along = [np.einsum("nk,nk->n", offset, a) for a in (second, third)]
    scale = np.maximum(gram[0] * gram[2] - gram[1] ** 2, 1e-30)
    v = (gram[2] * along[0] - gram[1] * along[1]) / scale
    w = (gram[0] * along[1] - gram[1] * along[0]) / scale
    weights = np.clip(np.stack([1 - v - w, v, w], axis=1), 0.0, 1.0)
    return corners, weights / weights.sum(axis=1, keepdims=True)


def _copy(created: Created, person: bpy.types.Object) -> bpy.types.Object:
    made = created.add(person.copy())
    made.data = created.add(person.data.copy())
    made.name = made.data.name = f"{person.name} Remeshed"
    if made.get(FINE_KEY) is None:  # what is remeshed again keeps the finest
        made[FINE_KEY] = person
    made.modifiers.clear()
    made.vertex_groups.clear()
    if made.active_material is not None:
        made.active_material = created.add(person.active_material.copy())
    return made


def _new_surface(made: bpy.types.Object, surface: bpy.types.Mesh, kind: str, amount: float) -> None:
    if kind == VOXEL:
        done = _voxels(made, amount)
    else:
        longest = max(made.dimensions)
        done = any(_quads(made, surface, longest / fine, round(amount)) for fine in _FINE)
    if not done:
        raise UserError("Blender could not remesh this surface.", "Choose another number.")
    made.data.polygons.foreach_set("use_smooth", np.ones(len(made.data.polygons), dtype=bool))
    made.data.update()


def _voxels(made: bpy.types.Object, size: float) -> bool:
    """Whether ``made`` has got a surface of voxels of ``size`` metres."""
    made.data.remesh_voxel_size = size
    made.data.remesh_voxel_adaptivity = 0.0
    made.data.use_remesh_fix_poles = True  # also melts the tiny edges that quadriflow refuses
    return bpy.ops.object.voxel_remesh() == {"FINISHED"}


def _quads(made: bpy.types.Object, surface: bpy.types.Mesh, size: float, count: int) -> bool:
    """Whether ``made`` has got about ``count`` quads over ``surface``, by way of voxels of ``size`` metres: quadriflow
    refuses or tears surfaces that touch themselves."""
    copy = bmesh.new()
    copy.from_mesh(surface)
    copy.to_mesh(made.data)
    copy.free()
    if not _voxels(made, size):
        return False
    done = bpy.ops.object.quadriflow_remesh(mode="FACES", target_faces=count, use_mesh_symmetry=False)
    return done == {"FINISHED"} and bool(np.isfinite(positions(made.data)).all())


def _check(person: bpy.types.Object, made: bpy.types.Object) -> None:
    """Raises ``UserError`` where the new surface is not about where the old one was."""
    old, new = positions(person.data), positions(made.data)
    if len(new) == 0:
        raise UserError("Nothing is left of the surface.", "Choose smaller voxels.")
    tree = BVHTree.FromPolygons(old.tolist(), triangles(person.data).tolist())
    off = max(tree.find_nearest(point)[3] for point in new[:: max(1, len(new) // 5000)].tolist())
    shrunk = np.abs(np.ptp(old, axis=0) - np.ptp(new, axis=0)).max()
    if max(off, shrunk) > _FARTHEST * np.ptp(old, axis=0).max():
        raise UserError("The new surface strays from the person.", "Choose smaller voxels or more quads.")
