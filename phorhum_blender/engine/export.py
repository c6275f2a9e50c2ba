"""Result files: ``.glb``, ``.ply`` and ``.obj`` for other programs, ``.npz`` for everything a :class:`Result` holds.

All keep scene space (metres, y up). A file appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .colour import linear_to_srgb
from .contracts import RESULT_VERSION, DirectionalLight, LightRig, People, PhotoCamera, Result
from .errors import UserError

# (N, 3) each
ARRAYS = {"vertices": "f4", "faces": "i4", "normals": "f4", "albedo": "f4", "shaded": "f4", "joints": "f4"}


def save_mesh(result: Result, path: str | Path) -> None:
    """Write ``result`` in the format of the suffix. Raises :class:`UserError` as :func:`check_mesh_path` does, and
    when writing fails, for example because the disk is full; then there is no new file and an old one is untouched."""
    path = Path(path)
    write = _writer(path)
    with atomic_file(path) as file:
        write(result, file)


def load_npz(path: str | Path) -> Result:
    """The result in a ``.npz`` file of :func:`save_mesh`. Raises :class:`UserError` if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            rest = json.loads(file["rest"].tobytes().decode("utf-8"))
            if rest["version"] != RESULT_VERSION:
                raise UserError(f"{Path(path).name} is of version {rest['version']}, not {RESULT_VERSION}.")
            arrays = {name: file[name].astype(kind, casting="no").reshape(-1, 3) for name, kind in ARRAYS.items()}
        return Result(
            **arrays,
            camera=_camera(rest["camera"]),
            lights=_lights(rest["lights"]),
            report=rest["report"],
        )
    except OSError as error:
        raise UserError(f"Can't read {Path(path).name}: {error.strerror or error}.") from error
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{Path(path).name} is not a result file, or it is damaged.") from error


def save_people(people: People, path: str | Path) -> None:
    """Writes ``people`` as ``.npz``. Raises :class:`UserError` as :func:`save_mesh` does."""
    with atomic_file(path) as file:
        np.savez(file, boxes=people.boxes, thumbnails=people.thumbnails, photo=people.photo)


def load_people(path: str | Path) -> People:
    """What :func:`save_people` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return People(arrays["boxes"], arrays["thumbnails"], arrays["photo"])


def save_picture(picture: np.ndarray, path: str | Path) -> None:
    """Writes ``picture``, any uint8 array, as ``.npz``. Raises :class:`UserError` as :func:`save_mesh` does."""
    with atomic_file(path) as file:
        np.savez(file, picture=picture)


def load_picture(path: str | Path) -> np.ndarray:
    """What :func:`save_picture` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["picture"]


def check_mesh_path(path: str | Path) -> None:
    """Raises :class:`UserError` for an unknown suffix, and as :func:`check_writable` does. To call before the work."""
    _writer(Path(path))
    check_writable(path)


def check_writable(path: str | Path) -> None:
    """Raises :class:`UserError` if ``path`` is a folder, its folder is missing, or it can't be written there."""
    path = Path(path)
    with _writing(path):
        if not path.parent.is_dir():
            raise UserError(f"The folder {path.parent} does not exist.", "Make it first or choose another.")
        if path.is_dir():
            raise UserError(f"Can't write {path.name}: it is a folder.", "Give the name of a file.")
        if path.exists():
            path.open("ab").close()
        scratch = _scratch(path)
        scratch.open("xb").close()
        scratch.unlink()


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` when the block ends well and vanishes when it does not.
    Raises :class:`UserError` when it can't be written."""
    path = Path(path)
    check_writable(path)
    scratch = _scratch(path)
    try:
        with _writing(path):
            with scratch.open("xb") as file:
                yield file
            scratch.replace(path)
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


def _scratch(path: Path) -> Path:
    """Not made of the name, which may be as long as names can be already."""
    return path.with_name(f".phorhum-{secrets.token_hex(8)}")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Can't write {path.name}: {error.strerror or error}.", "Choose another place for the file."
        ) from error


def _writer(path: Path) -> Callable[[Result, BinaryIO], None]:
    try:
        return WRITERS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(WRITERS)
        raise UserError(f"Can't write {path.name}: its name must end in one of {known}.") from None


def _write_npz(result: Result, file: BinaryIO) -> None:
    rest = {key: value for key, value in asdict(result).items() if key not in ARRAYS}
    text = json.dumps(rest, allow_nan=False).encode("utf-8")
    arrays = {name: getattr(result, name).astype(kind) for name, kind in ARRAYS.items()}
    archive = io.BytesIO()  # numpy does not clean up behind itself when a write to a file fails
    np.savez(archive, rest=np.frombuffer(text, np.uint8), **arrays)
    file.write(archive.getbuffer())


def _camera(values: dict[str, Any]) -> PhotoCamera:
    position, principal = tuple(values["position"]), tuple(values["principal"])
    return PhotoCamera(**{**values, "position": position, "principal": principal})


def _lights(values: dict[str, Any]) -> LightRig:
    key, fill = (
        DirectionalLight(tuple(values[name]["direction"]), tuple(values[name]["colour"])) for name in ("key", "fill")
    )
    return LightRig(key, fill, tuple(values["ambient"]), tuple(tuple(row) for row in values["sh"]))


def _write_ply(result: Result, file: BinaryIO) -> None:
    """Binary; normals, and the albedo as sRGB bytes, which is what readers of ``.ply`` expect."""
    vertex = np.dtype([("position", "<f4", 3), ("normal", "<f4", 3), ("colour", "u1", 3)])
    vertices = np.empty(len(result.vertices), vertex)
    vertices["position"], vertices["normal"] = result.vertices, result.normals
    vertices["colour"] = np.rint(linear_to_srgb(result.albedo) * 255)
    faces = np.empty(len(result.faces), np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
    faces["count"], faces["corners"] = 3, result.faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertices)}",
        *(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")),
        *(f"property uchar {name}" for name in ("red", "green", "blue")),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    file.write("\n".join(header).encode("ascii"))
    file.write(vertices.tobytes())
    file.write(faces.tobytes())


def _write_obj(result: Result, file: BinaryIO) -> None:
    """Each ``v`` line carries the albedo after the position, as sRGB 0..1: the custom that Blender and MeshLab read."""
    vertices = np.hstack([result.vertices, linear_to_srgb(result.albedo)])
    file.write(_lines("v %.6f %.6f %.6f %.4f %.4f %.4f", vertices))
    file.write(_lines("vn %.4f %.4f %.4f", result.normals))
    file.write(_lines("f %d//%d %d//%d %d//%d", np.repeat(result.faces + 1, 2, axis=1)))


def _lines(pattern: str, rows: np.ndarray) -> bytes:
    """``pattern`` filled in for each row; in one go, which takes half the time of ``np.savetxt``."""
    every = f"{pattern}\n" * len(rows)
    return (every % tuple(rows.ravel().tolist())).encode("ascii")


def _write_glb(result: Result, file: BinaryIO) -> None:
    """glTF 2.0. ``COLOR_0`` is the albedo, linear as glTF wants it, and float: 8 bits would band in the shadows."""
    attributes = {"POSITION": result.vertices, "NORMAL": result.normals, "COLOR_0": np.clip(result.albedo, 0.0, 1.0)}
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    blobs: list[bytes] = []

    def add(array: np.ndarray, target: int, **accessor: Any) -> int:
        views.append({"buffer": 0, "byteOffset": sum(map(len, blobs)), "byteLength": array.nbytes, "target": target})
        accessors.append({"bufferView": len(views) - 1, "byteOffset": 0, **accessor})
        blobs.append(array.tobytes())
        return len(accessors) - 1

    indices = {}
    for name, values in attributes.items():
        array = np.ascontiguousarray(values, "<f4")
        bounds = {"min": array.min(0).tolist(), "max": array.max(0).tolist()} if name == "POSITION" else {}
        indices[name] = add(array, _ARRAY_BUFFER, componentType=_FLOAT, count=len(array), type="VEC3", **bounds)
    corners = result.faces.astype("<u4").ravel()
    faces = add(corners, _ELEMENT_ARRAY_BUFFER, componentType=_UNSIGNED_INT, count=len(corners), type="SCALAR")
    document = {
        "asset": {"version": "2.0", "generator": "PHORHUM for Blender"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "Person"}],
        "meshes": [{"name": "Person", "primitives": [{"attributes": indices, "indices": faces, "material": 0}]}],
        "materials": [{"name": "Person", "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0}}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": sum(map(len, blobs))}],
    }
    text = json.dumps(document, allow_nan=False).encode("ascii")
    text += b" " * (-len(text) % 4)  # chunks are aligned to 4 bytes; the arrays are already
    binary = b"".join(blobs)
    file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(binary)))
    file.write(struct.pack("<I4s", len(text), b"JSON") + text)
    file.write(struct.pack("<I4s", len(binary), b"BIN\0"))
    file.write(binary)


_FLOAT, _UNSIGNED_INT = 5126, 5125  # glTF's names for OpenGL's constants
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963

WRITERS: dict[str, Callable[[Result, BinaryIO], None]] = {
    ".glb": _write_glb,
    ".ply": _write_ply,
    ".obj": _write_obj,
    ".npz": _write_npz,
}
