"""The people that reconstructions made, and what they carry."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy
import numpy as np

from ...engine.errors import UserError
from ...engine.skeleton import JOINTS
from .build import JOINTS_KEY, REQUEST_KEY


def find_person(thing: bpy.types.Object | None) -> bpy.types.Object | None:
    """``thing`` if it is a reconstructed person, the person, a visible one first, that hangs on it if it is the rig."""
    if thing is None:
        return None
    candidates = thing.children if thing.type == "ARMATURE" else [thing]
    people = [one for one in candidates if one.type == "MESH" and REQUEST_KEY in one]
    return max(people, key=lambda person: person.visible_get(), default=None)


@contextlib.contextmanager
def selected_alone(context: bpy.types.Context, active: bpy.types.Object, *others: bpy.types.Object) -> Iterator[None]:
    """``active`` and ``others`` are all that is selected, for operators that look at nothing else; then all is back."""
    layer = context.view_layer
    before, selected = layer.objects.active, list(layer.objects.selected)
    select(context, active, *others)
    try:
        yield
    finally:
        select(context, before, *selected)


def select(context: bpy.types.Context, active: bpy.types.Object | None, *others: bpy.types.Object) -> None:
    """Selects ``others`` and ``active`` and nothing else; ``active`` is the active object."""
    chosen = (active, *others)
    for thing in context.view_layer.objects:
        thing.select_set(thing in chosen)
    context.view_layer.objects.active = active


def has_joints(person: bpy.types.Object) -> bool:
    return JOINTS_KEY in person


def stored_joints(person: bpy.types.Object) -> np.ndarray:
    """(21, 3) joints in metres, in the person's own Blender axes, as :data:`engine.skeleton.JOINTS` orders them.

    Raises ``UserError`` where the person has none.
    """
    if not has_joints(person):
        raise UserError("This person has no joints: it was made by an older version.", "Reconstruct it again.")
    return np.array(person[JOINTS_KEY], dtype=np.float64).reshape(len(JOINTS), 3)


def point_colours(mesh: bpy.types.Mesh, name: str) -> np.ndarray:
    """(V, 4) linear colours of the attribute ``name``. Raises ``UserError`` where it is missing or not per vertex."""
    attribute = mesh.color_attributes.get(name)
    if attribute is None or attribute.domain != "POINT":
        raise UserError(f'The mesh has no colour attribute "{name}" of its vertices.', "Reconstruct it again.")
    values = np.empty(len(mesh.vertices) * 4, dtype=np.float32)
    attribute.data.foreach_get("color", values)
    return values.reshape(-1, 4)


def positions(mesh: bpy.types.Mesh) -> np.ndarray:
    """(V, 3) of the vertices in the mesh's own axes."""
    values = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def triangles(mesh: bpy.types.Mesh, of: str = "vertices") -> np.ndarray:
    """(T, 3) numbers of the ``vertices`` or ``loops`` of the mesh's faces, cut into triangles."""
    mesh.calc_loop_triangles()
    values = np.empty(len(mesh.loop_triangles) * 3, dtype=np.int32)
    mesh.loop_triangles.foreach_get(of, values)
    return values.reshape(-1, 3)
