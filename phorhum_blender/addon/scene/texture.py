"""The albedo as an image on an unwrapped mesh, for programs and formats without colours of vertices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy
import numpy as np

from ...engine.colour import linear_to_srgb
from .created import Created
from .look import TEXTURE, set_texture, show, texture_of
from .mesh import ALBEDO
from .person import point_colours, selected_alone, triangles
from .raster import covered_pixels

UV_MAP = "UVMap"
_ANGLE = 1.15  # radians between faces of one island
_GAP = 8  # pixels between islands of a texture of 2048


def bake_texture(context: bpy.types.Context, person: bpy.types.Object, size: int) -> bpy.types.Image:
    """The attribute ``Albedo`` as a packed sRGB image of ``size`` x ``size`` pixels, shown by the person's material.

    A mesh without a UV map is unwrapped first; one that has a map keeps it. Raises ``UserError`` where colours or the
    material are missing. On any exception the scene is as before.
    """
    mesh = person.data
    colours = point_colours(mesh, ALBEDO)[:, :3]
    with new_image(context, person, f"{person.name} {ALBEDO}", size, texture_of(person)) as image:
        _paint(image, paint(corner_places(mesh) * size, colours[triangles(mesh)], size))
        set_texture(person, image, mesh.uv_layers.active.name)
    show(person, TEXTURE)
    return image


@contextlib.contextmanager
def new_image(
    context: bpy.types.Context, person: bpy.types.Object, name: str, size: int, earlier: bpy.types.Image | None
) -> Iterator[bpy.types.Image]:
    """An image of ``size`` x ``size`` pixels, to be filled and put to use on the person's UV map, which is made where
    there is none. It takes the place of the ``earlier`` one. On any exception the scene is as before."""
    mesh = person.data
    known = {layer.name for layer in mesh.uv_layers}
    with Created() as created:
        image = created.add(bpy.data.images.new(name, size, size, alpha=False))
        try:
            if not known:
                unwrap(context, person)
            yield image
        except BaseException:
            _remove_layers(mesh, known)
            raise
    if earlier is not None and earlier.users == 0:
        bpy.data.images.remove(earlier)


def unwrap(context: bpy.types.Context, person: bpy.types.Object) -> None:
    """Gives the mesh the UV map :data:`UV_MAP`: islands of faces that look roughly the same way, side by side."""
    person.data.uv_layers.new(name=UV_MAP, do_init=False)
    with selected_alone(context, person):
        bpy.ops.object.mode_set(mode="EDIT")
        try:
            bpy.ops.mesh.reveal(select=False)
            bpy.ops.mesh.select_all(action="SELECT")
            bpy.ops.uv.smart_project(angle_limit=_ANGLE, island_margin=_GAP / 2048, area_weight=1.0)
        finally:
            bpy.ops.object.mode_set(mode="OBJECT")


def corner_places(mesh: bpy.types.Mesh) -> np.ndarray:
    """(T, 3, 2) places in the active UV map of the corners of the mesh's triangles."""
    places = np.empty(len(mesh.loops) * 2, dtype=np.float32)
    mesh.uv_layers.active.data.foreach_get("uv", places)
    return places.reshape(-1, 2)[triangles(mesh, "loops")]


def paint(corners: np.ndarray, colours: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3) with ``colours`` (T, 3, 3) spread over the triangles ``corners`` (T, 3, 2), in pixels.

    What no triangle covers takes the colours around it, so that no filter brings in anything else at a seam.
    """
    picture = np.zeros((size, size, 3), dtype=np.float32)
    known = np.zeros((size, size), dtype=bool)
    column, row = np.clip(corners.reshape(-1, 2), 0, size - 1).astype(np.int64).T
    picture[row, column] = colours.reshape(-1, 3)  # shows where a triangle is too small for the centre of a pixel
    known[row, column] = True
    for covered in covered_pixels(corners):
        within = (np.minimum(covered.column, covered.row) >= 0) & (np.maximum(covered.column, covered.row) < size)
        row, column, weights = covered.row[within], covered.column[within], covered.weights[within]
        picture[row, column] = np.einsum("nk,nkc->nc", weights, colours[covered.triangle[within]])
        known[row, column] = True
    return _filled(picture, known)


def _filled(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``picture`` (N, N, 3), N even or 1, with what is not ``known`` (N, N) taken from ever coarser copies of it."""
    if known.all() or len(picture) == 1:
        return picture
    quarters = [(slice(y, None, 2), slice(x, None, 2)) for y in (0, 1) for x in (0, 1)]
    counts = np.sum([known[at] for at in quarters], axis=0, dtype=np.float32)
    total = np.sum([picture[at] * known[at][..., None] for at in quarters], axis=0)
    coarse = _filled(total / np.maximum(counts, 1.0)[..., None], counts > 0)
    return np.where(known[..., None], picture, coarse.repeat(2, axis=0).repeat(2, axis=1))


def _paint(image: bpy.types.Image, linear: np.ndarray) -> None:
    """Fills and packs ``image``, whose bytes are sRGB; row 0 is the lowest, as in UV space."""
    rgba = np.ones((*linear.shape[:2], 4), dtype=np.float32)
    rgba[..., :3] = linear_to_srgb(linear)
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    image.pack()


def _remove_layers(mesh: bpy.types.Mesh, known: set[str]) -> None:
    for name in [layer.name for layer in mesh.uv_layers if layer.name not in known]:
        mesh.uv_layers.remove(mesh.uv_layers[name])
