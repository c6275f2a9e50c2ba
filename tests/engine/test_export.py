"""Result files, read back by other means than those that wrote them."""

import dataclasses
import json
import os
import resource
import struct

import numpy as np
import pytest

from phorhum_blender.engine import export
from phorhum_blender.engine.contracts import People
from phorhum_blender.engine.errors import UserError

trimesh = pytest.importorskip("trimesh")

SUFFIXES = [".glb", ".ply", ".obj", ".npz"]


def srgb_bytes(linear):
    """sRGB's definition, one number at a time."""

    def encode(x):
        return 12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055

    return np.array([[round(encode(float(x)) * 255) for x in row] for row in linear])


@pytest.mark.parametrize("suffix", [".glb", ".ply", ".obj"])
def test_other_programs_read_the_same_closed_mesh(result, tmp_path, suffix):
    path = tmp_path / f"person{suffix}"
    export.save_mesh(result, path)
    mesh = trimesh.load(path, force="mesh", process=False)
    np.testing.assert_allclose(mesh.vertices, result.vertices, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, result.faces)
    np.testing.assert_allclose(mesh.vertex_normals, result.normals, atol=1e-4)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3)  # positive: the faces look outwards


def read_glb(path):
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    json_length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and json_length % 4 == 0
    document = json.loads(data[20 : 20 + json_length])
    binary_length, kind = struct.unpack_from("<I4s", data, 20 + json_length)
    binary = data[28 + json_length :]
    assert kind == b"BIN\0" and binary_length == len(binary) == document["buffers"][0]["byteLength"]
    return document, binary


def test_glb_holds_the_linear_albedo_without_loss(result, tmp_path):
    export.save_mesh(result, tmp_path / "person.glb")
    document, binary = read_glb(tmp_path / "person.glb")
    accessor = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    view = document["bufferViews"][accessor["bufferView"]]
    assert (accessor["componentType"], accessor["type"], accessor["count"]) == (5126, "VEC3", 6)
    colours = np.frombuffer(binary, "<f4", 18, view["byteOffset"]).reshape(6, 3)
    np.testing.assert_array_equal(colours, result.albedo)


def test_glb_states_the_bounds_of_the_positions(result, tmp_path):
    export.save_mesh(result, tmp_path / "person.glb")
    document, _ = read_glb(tmp_path / "person.glb")
    accessor = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert (accessor["min"], accessor["max"]) == ([-1, 0, -1], [1, 2, 1])


def test_ply_and_obj_hold_the_albedo_as_srgb(result, tmp_path):
    expected = srgb_bytes(result.albedo)
    export.save_mesh(result, tmp_path / "person.ply")
    ply = trimesh.load(tmp_path / "person.ply", process=False)
    np.testing.assert_array_equal(ply.visual.vertex_colors[:, :3], expected)
    export.save_mesh(result, tmp_path / "person.obj")
    lines = (tmp_path / "person.obj").read_text().splitlines()
    colours = np.array([line.split()[4:] for line in lines if line.startswith("v ")], float)
    np.testing.assert_allclose(colours * 255, expected, atol=0.51)


def test_npz_gives_back_everything(result, tmp_path):
    export.save_mesh(result, tmp_path / "person.npz")
    loaded = export.load_npz(tmp_path / "person.npz")
    for name in export.ARRAYS:
        array = getattr(loaded, name)
        assert array.dtype == getattr(result, name).dtype
        np.testing.assert_array_equal(array, getattr(result, name))
    assert (loaded.camera, loaded.lights, loaded.report) == (result.camera, result.lights, result.report)
    assert {f.name for f in dataclasses.fields(result)} == {*export.ARRAYS, "camera", "lights", "report", "version"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_result_same_bytes(result, tmp_path, suffix):
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    export.save_mesh(result, first)
    export.save_mesh(result, second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x80\x04K\x01.", b"text"])
def test_a_damaged_npz_is_the_users_error(tmp_path, content):
    (tmp_path / "person.npz").write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        export.load_npz(tmp_path / "person.npz")


def test_an_npz_of_something_else_is_the_users_error(tmp_path):
    np.savez(tmp_path / "other.npz", vertices=np.zeros((3, 3)))
    with pytest.raises(UserError, match="not a result file"):
        export.load_npz(tmp_path / "other.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(UserError, match="not a result file"):
        export.load_npz(tmp_path / "array.npy")
    with pytest.raises(UserError, match="No such file"):
        export.load_npz(tmp_path / "missing.npz")


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", rest=np.array([{}], object))
    with pytest.raises(UserError):
        export.load_npz(tmp_path / "evil.npz")


@pytest.mark.parametrize("name", ["person.fbx", "person", "missing/person.glb", "x" * 260 + ".glb", "folder.glb"])
def test_paths_that_cannot_be_written_are_the_users_error(result, tmp_path, name):
    (tmp_path / "folder.glb").mkdir()
    for attempt in (lambda: export.check_mesh_path(tmp_path / name), lambda: export.save_mesh(result, tmp_path / name)):
        with pytest.raises(UserError):
            attempt()
    assert os.listdir(tmp_path) == ["folder.glb"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_the_users_error(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(UserError, match="Permission denied"):
        export.check_mesh_path(tmp_path / "person.glb")


def test_a_name_may_be_as_long_as_names_can_be(result, tmp_path):
    path = tmp_path / ("x" * 251 + ".glb")
    export.save_mesh(result, path)
    assert os.listdir(tmp_path) == [path.name]


def test_check_leaves_an_existing_file_as_it_is(tmp_path):
    path = tmp_path / "person.glb"
    path.write_bytes(b"old")
    export.check_mesh_path(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["person.glb"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(result, tmp_path, suffix):
    path = tmp_path / f"person{suffix}"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(UserError, match="File too large"):
            export.save_mesh(result, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


def test_people_that_find_no_place_are_one_sentence(tmp_path):
    people = People(np.zeros((0, 4), np.float32), np.zeros((0, 8, 8, 4), np.uint8), np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(UserError, match="does not exist"):
        export.save_people(people, tmp_path / "absent" / "1.npz")
