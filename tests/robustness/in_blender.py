"""Run with the bpy module's Python: reconstruct the same photo again and again with the installed extension.

    BLENDER_USER_RESOURCES=FOLDER python in_blender.py ZIP PHOTO RESOLUTION RUNS OUT.json

An empty ZIP: the extension is installed there already. The person is removed after each run, as a user may do. OUT gets
the MB that Blender and its child hold after each run, and a hash of each person's vertices.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT), str(ROOT / "tools")]

from install_and_run import MODULE, install  # noqa: E402

from tests.robustness.blender import remove_person  # noqa: E402


def main(zip_path: str, photo: str, resolution: str, runs: str, out: str) -> None:
    if zip_path:
        install(zip_path)
    else:
        bpy.ops.preferences.addon_enable(module=MODULE)
    told: dict[str, list] = {"blender": [], "child": [], "vertices": []}
    for _ in range(int(runs)):
        assert bpy.ops.phorhum.reconstruct(filepath=photo, resolution=int(resolution)) == {"FINISHED"}
        told["vertices"].append(vertices_hash(bpy.context.object))
        remove_person(bpy.context.object)
        told["blender"].append(resident_mb(os.getpid()))
        told["child"].append(resident_mb(child_of_the_add_on()))
    bpy.ops.preferences.addon_disable(module=MODULE)
    Path(out).write_text(json.dumps(told))


def vertices_hash(person: bpy.types.Object) -> str:
    places = np.empty(3 * len(person.data.vertices), np.float32)
    person.data.vertices.foreach_get("co", places)
    return hashlib.sha256(places).hexdigest()


def child_of_the_add_on() -> int:
    return sys.modules[f"{MODULE}.addon.engine_process"].client()._child.process.pid


def resident_mb(pid: int) -> float:
    status = Path("/proc", str(pid), "status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
