"""Mesh, material, camera and world against the result they come from."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from mathutils import Vector  # noqa: E402

from phorhum_blender.addon.scene.build import build  # noqa: E402
from phorhum_blender.addon.scene.upright import exif_orientation, turn_upright  # noqa: E402
from phorhum_blender.engine.contracts import PhotoCamera, Request  # noqa: E402
from tests.addon import synthetic  # noqa: E402
from tests.addon.snapshot import scene_state  # noqa: E402


@pytest.fixture
def result(blender):
    return synthetic.blob(16, 24)


def make(result, photo="jo.jpg"):
    return build(bpy.context, result, Request(photo=photo))


def read(mesh, name):
    values = np.empty(len(mesh.vertices) * 4, dtype=np.float32)
    mesh.color_attributes[name].data.foreach_get("color", values)
    return values.reshape(-1, 4)


def test_geometry_stands_on_the_floor_and_faces_minus_y(result):
    person = make(result).object
    points = np.array([v.co for v in person.data.vertices])
    x, y, z = result.vertices.T
    assert np.array_equal(points, np.stack([x, -z, y], axis=1))
    assert points[:, 2].min() == 0.0
    assert np.array_equal([list(p.vertices) for p in person.data.polygons], result.faces)
    outward = np.array([p.normal.dot(p.center - Vector((0, 0, 0.85))) for p in person.data.polygons])
    assert (outward > 0).mean() > 0.95


def test_normals_are_those_of_the_field(result):
    tilted = result.normals + np.array([0.3, 0.0, 0.0], dtype=np.float32)
    tilted /= np.linalg.norm(tilted, axis=1, keepdims=True)
    mesh = make(dataclasses.replace(result, normals=tilted)).object.data
    got = np.array([n.vector for n in mesh.corner_normals])[np.argsort(result.faces.ravel(), kind="stable")]
    x, y, z = tilted[np.sort(result.faces.ravel())].T
    assert np.abs(got - np.stack([x, -z, y], axis=1)).max() < 5e-3  # Blender keeps them in 16 bits


def test_colours_are_linear_floats_and_albedo_is_shown(result):
    mesh = make(result).object.data
    for name, colours in (("Albedo", result.albedo), ("Shaded", result.shaded)):
        attribute = mesh.color_attributes[name]
        assert (attribute.data_type, attribute.domain) == ("FLOAT_COLOR", "POINT")
        assert np.array_equal(read(mesh, name)[:, :3], colours)
        assert (read(mesh, name)[:, 3] == 1).all()
    assert mesh.color_attributes.active_color.name == "Albedo"
    assert mesh.color_attributes[mesh.color_attributes.render_color_index].name == "Albedo"


def test_colours_and_request_survive_saving(result, tmp_path):
    name = make(result).object.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "person.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "person.blend"))
    person = bpy.data.objects[name]
    assert np.array_equal(read(person.data, "Albedo")[:, :3], result.albedo)
    assert "phorhum_request" in person
    assert person.data.color_attributes.active_color.name == "Albedo"
    assert bpy.context.scene.world.name == "PHORHUM jo.jpg"


def test_solid_views_show_the_albedo(result):
    bpy.ops.wm.read_factory_settings()
    make(result)
    areas = [area for window in bpy.context.window_manager.windows for area in window.screen.areas]
    views = [area.spaces.active for area in areas if area.type == "VIEW_3D"]
    assert views and all(view.shading.color_type == "VERTEX" for view in views)


def test_material_is_matte_and_takes_the_albedo(result):
    material = make(result).object.data.materials[0]
    surface = material.node_tree.nodes["Principled BSDF"]
    assert surface.inputs["Base Color"].links[0].from_node.layer_name == "Albedo"
    assert surface.inputs["Specular IOR Level"].default_value == 0.0
    assert np.allclose(material.diffuse_color[:3], result.albedo.mean(axis=0))


@pytest.mark.parametrize("width, height, pitch", [(480, 640, 0.0), (640, 480, 0.1), (500, 500, -0.2)])
def test_camera_projects_as_the_photo_camera_does(result, width, height, pitch):
    camera = PhotoCamera((0.2, 0.9, 4.5), 777.0, (width * 0.6, height * 0.35), width, height, pitch)
    made = make(dataclasses.replace(result, camera=camera))
    scene = bpy.context.scene
    assert (scene.render.resolution_x, scene.render.resolution_y) == (width, height)
    bpy.context.view_layer.update()
    for p in np.random.default_rng(0).uniform((-0.5, 0, -0.4), (0.5, 1.8, 0.4), (20, 3)):
        ((u, v),) = camera.project(p[None])
        x, y, distance = world_to_camera_view(scene, scene.camera, Vector((p[0], -p[2], p[1])))
        assert abs(x * width - u) < 0.01 and abs((1 - y) * height - v) < 0.01
        assert abs(distance - (np.array(camera.position) - p) @ camera.rotation()[:, 2]) < 1e-5
    assert scene.camera.name in made.collection.objects


def test_a_camera_of_the_user_stays(result):
    bpy.ops.object.camera_add()
    scene = bpy.context.scene
    mine = scene.camera = bpy.context.object
    size = (scene.render.resolution_x, scene.render.resolution_y)
    make(result)
    assert scene.camera == mine and (scene.render.resolution_x, scene.render.resolution_y) == size


def test_the_photo_stands_behind_the_camera(result, photo):
    made = make(result, photo)
    data = bpy.context.scene.camera.data
    assert data.show_background_images
    assert data.background_images[0].image.filepath == photo
    assert made.remarks == ()


def test_a_photo_that_blender_cannot_read_is_only_a_remark(result, tmp_path):
    (tmp_path / "no.jpg").write_text("no image")
    images = len(bpy.data.images)
    made = make(result, str(tmp_path / "no.jpg"))
    assert len(made.remarks) == 1 and len(bpy.data.images) == images


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_photos_are_shown_upright(result, tmp_path, orientation):
    image_module = pytest.importorskip("PIL.Image")
    ops = pytest.importorskip("PIL.ImageOps")
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:20, :50, 0] = 255
    stored = image_module.fromarray(pixels)
    exif = image_module.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.jpg"
    stored.save(path, exif=exif, quality=100, subsampling=0)
    assert exif_orientation(path) == orientation
    upright = np.asarray(ops.exif_transpose(image_module.open(path)))
    camera = dataclasses.replace(result.camera, width=upright.shape[1], height=upright.shape[0])
    made = make(dataclasses.replace(result, camera=camera), str(path))
    image = next(o for o in made.collection.objects if o.type == "CAMERA").data.background_images[0].image
    shown = np.array(image.pixels[:]).reshape(image.size[1], image.size[0], 4)[::-1, :, :3]
    assert shown.shape == upright.shape
    assert np.abs(shown - upright / 255).max() < 0.02
    assert [i.name for i in bpy.data.images if i.users == 0] == []


def test_turning_matches_the_definition_of_exif():
    image = np.arange(6).reshape(2, 3, 1)
    assert turn_upright(image, 6)[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]
    assert turn_upright(image, 8)[..., 0].tolist() == [[2, 5], [1, 4], [0, 3]]


@pytest.mark.parametrize(
    "tail",
    [b"", b"\xff\xe1\x00\x20Exif\0\0MM", struct.pack(">4sH6s2sHI", b"\xff\xe1", 40, b"Exif\0\0", b"II", 42, 9999)],
)
def test_a_damaged_exif_header_is_no_orientation(tmp_path: Path, tail):
    path = tmp_path / "damaged.jpg"
    path.write_bytes(b"\xff\xd8" + tail)
    assert exif_orientation(path) == 1


def test_the_factory_world_is_replaced_and_a_users_world_is_not(result):
    bpy.ops.wm.read_factory_settings()
    scene = bpy.context.scene
    make(result)
    assert scene.world.name == "PHORHUM jo.jpg"
    mine = scene.world = bpy.data.worlds.new("mine")
    made = make(result)
    assert scene.world == mine
    assert "keeps its own world" in " ".join(made.remarks)
    assert made.collection.children[0]["phorhum_world"].name == "PHORHUM jo.jpg.001"


def test_a_new_rig_replaces_the_light_of_an_earlier_one(result):
    first = make(result)
    second = make(result, "anna.jpg")
    assert first.collection.children[0].hide_render and not second.collection.children[0].hide_render
    assert bpy.context.scene.world.name == "PHORHUM anna.jpg"
    assert first.object.visible_get()


def test_faces_that_make_no_mesh_are_refused(result):
    broken = result.faces.copy()
    broken[0] = (0, 0, 1)
    before = scene_state()
    with pytest.raises(ValueError, match="not a valid mesh"):
        make(dataclasses.replace(result, faces=broken))
    assert scene_state() == before
