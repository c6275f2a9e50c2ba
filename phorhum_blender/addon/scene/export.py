"""The person as a file for other programs, in the albedo, however Blender shows it just then.

Colours of vertices go into every format. FBX and OBJ have no material that shows them, so there a program shows colour
at once only from a baked texture, which goes along where there is one; PLY has colours of vertices only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

from ...engine.errors import UserError
from ...engine.export import check_writable
from .look import TEXTURE, current_look, show, texture_of
from .mesh import ALBEDO
from .person import selected_alone
from .rig import rig_of

_DISPLAY_COLOUR = "displayColor"  # USD's name for the colour that viewers show where there is no material


def export_person(context: bpy.types.Context, person: bpy.types.Object, path: Path) -> None:
    """Writes ``person`` in the format of the suffix of ``path``, one of :data:`EXPORTERS`, with its rig where the
    format has armatures. Modifiers are applied in the file, not in the scene.

    Raises ``UserError`` for another suffix, and where Blender can't write the file.
    """
    export = EXPORTERS.get(path.suffix.lower())
    if export is None:
        raise UserError(f"Can't write {path.name}: its name must end in one of {', '.join(EXPORTERS)}.")
    check_writable(path)
    rig = rig_of(person)
    others = [rig] if rig and rig.visible_get() else []
    with selected_alone(context, person, *others), _albedo_shown(person):
        try:
            export(person, path)
        except (RuntimeError, AttributeError) as error:  # AttributeError: the exporter's own add-on is switched off
            raise UserError(f"Blender can't write {path.name}: {str(error).strip()}") from error


@contextlib.contextmanager
def _albedo_shown(person: bpy.types.Object) -> Iterator[None]:
    """Exporters read materials: meanwhile they find the texture or, without one, the albedo of the vertices."""
    look = current_look(person)
    if not look:
        yield
        return
    show(person, TEXTURE if texture_of(person) else ALBEDO)
    try:
        yield
    finally:
        show(person, look)


def _gltf(person: bpy.types.Object, path: Path) -> None:
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        export_format="GLB" if path.suffix.lower() == ".glb" else "GLTF_SEPARATE",
        use_selection=True,
        export_apply=True,
        # A texture and colours of vertices would be multiplied.
        export_vertex_color="NONE" if texture_of(person) else "MATERIAL",
        export_all_vertex_colors=False,
    )


def _fbx(person: bpy.types.Object, path: Path) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        colors_type="SRGB",
        path_mode="COPY",
        embed_textures=True,
        add_leaf_bones=False,
    )


def _obj(person: bpy.types.Object, path: Path) -> None:
    image = texture_of(person)
    packed = image is not None and image.packed_file is not None
    place = image.filepath_raw if image else ""
    try:
        if image and packed:  # the exporter only names a packed image
            picture = path.with_name(f"{path.stem}_albedo.png")
            if image.is_dirty:  # painted on since it was baked
                image.pack()
            picture.write_bytes(image.packed_file.data)
            image.filepath_raw = picture.name
        bpy.ops.wm.obj_export(filepath=str(path), export_selected_objects=True, export_colors=True, path_mode="AUTO")
    except OSError as error:
        raise UserError(f"Can't write {path.name}: {error.strerror or error}.") from error
    finally:
        if image and packed:
            image.filepath_raw = place


def _ply(person: bpy.types.Object, path: Path) -> None:
    bpy.ops.wm.ply_export(
        filepath=str(path), export_selected_objects=True, export_colors="SRGB", export_normals=True, export_uv=False
    )


def _usd(person: bpy.types.Object, path: Path) -> None:
    colours = person.data.color_attributes
    renamed = ALBEDO in colours and _DISPLAY_COLOUR not in colours
    if renamed:
        colours[ALBEDO].name = _DISPLAY_COLOUR
    try:
        bpy.ops.wm.usd_export(
            filepath=str(path),
            selected_objects_only=True,
            # Without a texture the material would hide the colour: USD's has no node for colours of vertices.
            export_materials=texture_of(person) is not None,
            export_custom_properties=False,
            convert_world_material=False,
        )
    finally:
        if renamed:
            colours[_DISPLAY_COLOUR].name = ALBEDO


EXPORTERS: dict[str, Callable[[bpy.types.Object, Path], None]] = {
    ".glb": _gltf,
    ".gltf": _gltf,
    ".fbx": _fbx,
    ".obj": _obj,
    ".ply": _ply,
    ".usd": _usd,
    ".usda": _usd,
    ".usdc": _usd,
    ".usdz": _usd,
}
