"""Files for other programs, read back in by Blender: the colours are those of the person."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.scene import export as module  # noqa: E402
from phorhum_blender.addon.scene.decimate import decimate  # noqa: E402
from phorhum_blender.addon.scene.export import EXPORTERS, export_person  # noqa: E402
from phorhum_blender.addon.scene.look import current_look, show  # noqa: E402
from phorhum_blender.addon.scene.person import positions  # noqa: E402
from phorhum_blender.addon.scene.rig import add_rig  # noqa: E402
from phorhum_blender.addon.scene.texture import bake_texture  # noqa: E402
from phorhum_blender.engine.colour import linear_to_srgb  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from tests.addon.rendering import look_up  # noqa: E402
from tests.addon.snapshot import scene_state  # noqa: E402
from tests.addon.synthetic import banded  # noqa: E402

IMPORTERS = {
    ".glb": bpy.ops.import_scene.gltf,
    ".gltf": bpy.ops.import_scene.gltf,
    ".fbx": bpy.ops.import_scene.fbx,
    ".obj": bpy.ops.wm.obj_import,
    ".ply": bpy.ops.wm.ply_import,
    ".usd": bpy.ops.wm.usd_import,
    ".usda": bpy.ops.wm.usd_import,
    ".usdc": bpy.ops.wm.usd_import,
    ".usdz": bpy.ops.wm.usd_import,
}
WITH_TEXTURE = sorted(set(EXPORTERS) - {".ply"})  # PLY carries colours of vertices only


def read_back(path):
    """The objects in the file."""
    known = set(bpy.data.objects)
    IMPORTERS[path.suffix](filepath=str(path))
    return [thing for thing in bpy.data.objects if thing not in known]


def mesh_of(things):
    return max((thing for thing in things if thing.type == "MESH"), key=lambda thing: len(thing.data.vertices))


def corner_positions(thing):
    """(L, 3) where the corners of the faces are, in the world, in Blender's axes of the person as it was made."""
    bpy.context.view_layer.update()
    matrix = np.array(thing.matrix_world)
    points = positions(thing.data) @ matrix[:3, :3].T + matrix[:3, 3]
    return points[[loop.vertex_index for loop in thing.data.loops]]


def corner_colours(mesh):
    """(L, 3) linear colours of the first colour attribute at the corners of the faces."""
    attribute = mesh.color_attributes[0]
    colours = np.array([entry.color[:3] for entry in attribute.data])
    return colours if attribute.domain == "CORNER" else colours[[loop.vertex_index for loop in mesh.loops]]


@pytest.mark.parametrize("suffix", EXPORTERS)
def test_colours_of_vertices_survive_in_every_format(person, tmp_path, suffix):
    path = tmp_path / f"jo smith{suffix}"
    show(person, "Shaded")
    export_person(bpy.context, person, path)
    made = mesh_of(read_back(path))
    assert len(made.data.polygons) == len(person.data.polygons)
    places = corner_positions(made)
    assert np.allclose(np.ptp(places, axis=0), np.ptp(corner_positions(person), axis=0), atol=1e-3)
    assert np.abs(corner_colours(made.data) - banded(places)).mean() < 0.005
    assert current_look(person) == "Shaded"


@pytest.mark.parametrize("suffix", WITH_TEXTURE)
def test_the_texture_goes_along_and_is_shown(person, tmp_path, suffix):
    bake_texture(bpy.context, person, 1024)
    path = tmp_path / f"jo{suffix}"
    export_person(bpy.context, person, path)
    made = mesh_of(read_back(path))
    nodes = made.active_material.node_tree.nodes
    colour = next(n for n in nodes if n.type == "BSDF_PRINCIPLED").inputs["Base Color"].links[0].from_node
    assert colour.type == "TEX_IMAGE" and colour.image.size[0] == 1024
    places = np.array([entry.uv[:] for entry in made.data.uv_layers[0].data])
    expected = linear_to_srgb(banded(corner_positions(made)))
    assert np.abs(look_up(colour.image, places) - expected).mean() < 0.01


def test_gltf_multiplies_no_texture_with_colours_of_vertices(person, tmp_path):
    path = tmp_path / "jo.glb"
    for has_texture in (False, True):
        if has_texture:
            bake_texture(bpy.context, person, 1024)
        export_person(bpy.context, person, path)
        data = path.read_bytes()
        document = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
        attributes = document["meshes"][0]["primitives"][0]["attributes"]
        assert ("COLOR_0" in attributes) != has_texture and "COLOR_1" not in attributes


@pytest.mark.parametrize("suffix", [".glb", ".fbx", ".usdc"])
def test_the_rig_goes_along(person, tmp_path, suffix):
    rig = add_rig(bpy.context, person)
    path = tmp_path / f"jo{suffix}"
    export_person(bpy.context, person, path)
    things = read_back(path)
    armature = next(thing for thing in things if thing.type == "ARMATURE")
    assert len(armature.data.bones) >= len(rig.data.bones)
    assert len(mesh_of(things).vertex_groups) >= 19


def test_modifiers_are_applied_in_the_file_and_kept_in_the_scene(person, tmp_path):
    decimate(person, 2000)
    for suffix in (".glb", ".fbx", ".obj", ".ply", ".usdc"):
        export_person(bpy.context, person, tmp_path / f"jo{suffix}")
        assert abs(len(mesh_of(read_back(tmp_path / f"jo{suffix}")).data.polygons) - 2000) < 40, suffix
    assert len(person.modifiers) == 1


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".usdc"])
def test_an_export_changes_nothing_in_the_scene(person, tmp_path, suffix):
    bake_texture(bpy.context, person, 1024)
    show(person, "Shaded")
    before = scene_state(), [a.name for a in person.data.color_attributes], bpy.data.images[0].filepath_raw
    export_person(bpy.context, person, tmp_path / f"jo{suffix}")
    after = scene_state(), [a.name for a in person.data.color_attributes], bpy.data.images[0].filepath_raw
    assert after == before and current_look(person) == "Shaded"


def test_what_was_painted_on_the_texture_is_exported(person, tmp_path):
    image = bake_texture(bpy.context, person, 1024)
    image.pixels.foreach_set(np.tile(np.array([1, 0, 0, 1], dtype=np.float32), 1024 * 1024))
    export_person(bpy.context, person, tmp_path / "jo.obj")
    stored = bpy.data.images.load(str(tmp_path / "jo_albedo.png"))
    assert np.allclose(stored.pixels[:4000], [1, 0, 0, 1] * 1000, atol=0.01)


def test_an_unknown_suffix_is_one_sentence(person, tmp_path):
    with pytest.raises(UserError, match=r"its name must end in one of \.glb"):
        export_person(bpy.context, person, tmp_path / "jo.stl")


def test_a_missing_folder_is_one_sentence(person, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        export_person(bpy.context, person, tmp_path / "none" / "jo.glb")


def test_what_blenders_exporter_says_reaches_the_user(person, tmp_path, monkeypatch):
    def fails(thing, path):
        raise RuntimeError("Error: no space\n")

    show(person, "Shaded")
    monkeypatch.setitem(module.EXPORTERS, ".glb", fails)
    with pytest.raises(UserError, match="Blender can't write jo.glb: Error: no space"):
        export_person(bpy.context, person, tmp_path / "jo.glb")
    assert current_look(person) == "Shaded"
