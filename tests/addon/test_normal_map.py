"""The relief of the dense surface on a coarse one, against the normals that it comes from."""

from __future__ import annotations

import numpy as np
import pytest
from mathutils.bvhtree import BVHTree

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon.scene import normal_map as module  # noqa: E402
from phorhum_blender.addon.scene import texture  # noqa: E402
from phorhum_blender.addon.scene.decimate import decimate  # noqa: E402
from phorhum_blender.addon.scene.export import export_person  # noqa: E402
from phorhum_blender.addon.scene.look import normal_map_of  # noqa: E402
from phorhum_blender.addon.scene.normal_map import bake_normal_map  # noqa: E402
from phorhum_blender.addon.scene.remesh import VOXEL, remesh  # noqa: E402
from phorhum_blender.addon.scene.rig import add_rig  # noqa: E402
from phorhum_blender.engine.errors import UserError  # noqa: E402
from tests.addon.rendering import look_up  # noqa: E402
from tests.addon.snapshot import break_after, scene_state  # noqa: E402

TRIANGLES = 600


def off(person, fine, image):
    """Mean angle in degrees between the normals of the mesh ``fine`` and those of ``person`` as shown: with the normal
    map ``image``, and without. At the middles of triangles, where a coarse surface is farthest from the dense one."""
    evaluated = person.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    mesh.calc_loop_triangles()
    mesh.calc_tangents(uvmap=mesh.uv_layers.active.name)
    loops = np.array([triangle.loops for triangle in mesh.loop_triangles])
    uv = np.array([loop.uv for loop in mesh.uv_layers.active.data])[loops].mean(axis=1)
    normal, tangent = (np.array([getattr(loop, name) for loop in mesh.loops]) for name in ("normal", "tangent"))
    side = np.array([loop.bitangent_sign for loop in mesh.loops])
    bitangent = side[:, None] * np.cross(normal, tangent)
    frame = np.stack([tangent, bitangent, normal], axis=1)[loops].mean(axis=1)
    vertices = np.array([vertex.co for vertex in mesh.vertices])
    places = vertices[np.array([triangle.vertices for triangle in mesh.loop_triangles])].mean(axis=1)
    evaluated.to_mesh_clear()
    tree = BVHTree.FromPolygons([v.co for v in fine.vertices], [p.vertices for p in fine.polygons])
    numbers = [tree.find_nearest(place)[2] for place in places]
    truth = np.array([fine.polygons[number].normal for number in numbers])
    mapped = np.einsum("nk,nkc->nc", 2 * look_up(image, uv) - 1, frame)
    return angle(mapped, truth), angle(frame[:, 2], truth)


def angle(vectors, normals):
    cosines = (vectors * normals).sum(axis=1) / np.linalg.norm(vectors, axis=1)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean()


def test_a_decimated_person_keeps_the_relief(person):
    decimate(person, TRIANGLES)
    image = bake_normal_map(bpy.context, person, 1024)
    mapped, plain = off(person, person.data, image)
    assert mapped < 0.5 * plain and plain > 3, (mapped, plain)


def test_a_remeshed_person_keeps_the_relief_wherever_it_stands(person):
    made = remesh(bpy.context, person, VOXEL, 0.05)
    made.location.x = 3
    image = bake_normal_map(bpy.context, made, 1024)
    mapped, plain = off(made, person.data, image)
    assert mapped < 0.6 * plain and plain > 3, (mapped, plain)
    again = remesh(bpy.context, made, VOXEL, 0.04)
    assert again[module.FINE_KEY] == person and normal_map_of(again) is None


def test_neither_a_pose_nor_an_earlier_normal_map_matters(person):
    decimate(person, TRIANGLES)
    rig = add_rig(bpy.context, person)
    rest = np.array(bake_normal_map(bpy.context, person, 1024).pixels[:])
    rig.pose.bones["upper_arm.L"].rotation_mode = "XYZ"
    rig.pose.bones["upper_arm.L"].rotation_euler.x = 1
    posed = np.array(bake_normal_map(bpy.context, person, 1024).pixels[:])
    assert np.array_equal(rest, posed)


def test_the_bake_leaves_only_its_image(person):
    decimate(person, TRIANGLES)
    bpy.context.scene.render.engine = "BLENDER_WORKBENCH"
    bpy.context.scene.cycles.samples = 33
    before = scene_state()
    image = bake_normal_map(bpy.context, person, 1024)
    after = scene_state()
    assert {name for name in after if after[name] != before[name]} <= {"images", "meshes"}
    assert image.packed_file and image.colorspace_settings.name == "Non-Color" and normal_map_of(person) == image
    assert (bpy.context.scene.render.engine, bpy.context.scene.cycles.samples) == ("BLENDER_WORKBENCH", 33)


def test_another_surface_has_no_normal_map(person):
    decimate(person, TRIANGLES)
    image = bake_normal_map(bpy.context, person, 1024)
    decimate(person, 3 * TRIANGLES)
    assert normal_map_of(person) is None and image.users == 0


def test_the_normal_map_goes_along_in_gltf(person, tmp_path):
    decimate(person, TRIANGLES)
    bake_normal_map(bpy.context, person, 1024)
    export_person(bpy.context, person, tmp_path / "person.glb")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "person.glb"))
    (material,) = bpy.context.object.data.materials
    (relief,) = (node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeNormalMap")
    image = relief.inputs["Color"].links[0].from_node.image
    assert tuple(image.size) == (1024, 1024) and image.colorspace_settings.name == "Non-Color"
    assert relief.outputs["Normal"].links[0].to_socket.name == "Normal"


def test_there_must_be_something_finer(person):
    with pytest.raises(UserError, match="no finer surface to bake from. Decimate or remesh"):
        bake_normal_map(bpy.context, person, 1024)


@pytest.mark.parametrize("step", ["unwrap", "_bake", "set_normal_map"])
def test_a_bug_leaves_the_scene_alone(person, monkeypatch, step):
    decimate(person, TRIANGLES)
    before, engine = scene_state(), bpy.context.scene.render.engine
    break_after(monkeypatch, texture if step == "unwrap" else module, step)
    with pytest.raises(ZeroDivisionError):
        bake_normal_map(bpy.context, person, 1024)
    assert scene_state() == before and bpy.context.scene.render.engine == engine
    assert len(person.data.uv_layers) == 0 and normal_map_of(person) is None


def test_a_foreign_material_is_an_error_before_any_work(person):
    decimate(person, TRIANGLES)
    person.data.materials[0].node_tree.nodes.clear()
    before = scene_state()
    with pytest.raises(UserError, match="not the one that PHORHUM made"):
        bake_normal_map(bpy.context, person, 1024)
    assert scene_state() == before and len(person.data.uv_layers) == 0
