"""Run inside Blender or with the ``bpy`` module: install the extension's zip, reconstruct a photo, check the person.

    blender -b --python-exit-code 1 --python tools/install_and_run.py -- ZIP PHOTO RESOLUTION REPORT.json
    python tools/install_and_run.py -- ZIP PHOTO RESOLUTION REPORT.json

``tools/check_zip.py`` calls it with an empty user folder. An empty PHOTO stops after the installation. Whatever is not
as it must be raises; the report says what was found.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import bpy

MODULE = "bl_ext.user_default.phorhum_blender"
CLASSES = ("PHORHUM_OT_reconstruct", "PHORHUM_PT_main", "PHORHUM_FH_photo")


def registered() -> list[str]:
    return [name for name in CLASSES if hasattr(bpy.types, name)]


def install(zip_path: str) -> None:
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=False)
    bpy.ops.preferences.addon_enable(module=MODULE)
    assert registered() == list(CLASSES), f"registered only {registered()}"


def reconstruct(photo: str, resolution: int) -> dict[str, Any]:
    """Run the operator as a script would; returns facts of the person that it made."""
    assert bpy.ops.phorhum.reconstruct(filepath=photo, resolution=resolution) == {"FINISHED"}
    return check_person(bpy.context.object)


def check_person(person: bpy.types.Object) -> dict[str, Any]:
    """Facts of a person 1.70 m tall; raises where it is not closed, coloured, on the floor, lit and seen."""
    mesh = person.data
    heights = [vertex.co.z for vertex in mesh.vertices]
    uses = Counter(key for polygon in mesh.polygons for key in polygon.edge_keys)
    facts = {
        "collections": [collection.name for collection in bpy.context.scene.collection.children_recursive],
        "vertices": len(mesh.vertices),
        "open_edges": sum(count != 2 for count in uses.values()),
        "attributes": sorted(layer.name for layer in mesh.color_attributes),
        "lowest": min(heights),
        "highest": max(heights),
        "camera": bool(bpy.context.scene.camera),
        "lights": sum(thing.type == "LIGHT" for thing in person.users_collection[0].all_objects),
    }
    assert facts["vertices"] > 100 and facts["open_edges"] == 0, facts
    assert {"Albedo", "Shaded"} <= set(facts["attributes"]), facts
    assert abs(facts["lowest"]) < 0.01 and abs(facts["highest"] - 1.70) < 0.01, facts
    assert facts["camera"] and any(name.startswith("PHORHUM ") for name in facts["collections"]), facts
    assert facts["lights"] == 2, facts
    return facts


def policy_warnings() -> list[str]:
    """What Blender would hold against the extension: modules outside its package, its folders on ``sys.path``."""
    import addon_utils  # found only once bpy is imported

    return addon_utils._extensions_warnings_get().get(MODULE, [])


def main(zip_path: str, photo: str, resolution: str, report_path: str) -> None:
    report: dict[str, Any] = {"blender": bpy.app.version_string, "python": sys.version.split()[0]}
    report["torch_before"] = importlib.util.find_spec("torch") is not None
    started = time.perf_counter()
    install(zip_path)
    report["install_seconds"] = round(time.perf_counter() - started, 1)
    if photo:
        started = time.perf_counter()
        report["person"] = reconstruct(photo, int(resolution))
        report["reconstruct_seconds"] = round(time.perf_counter() - started, 1)
        assert "torch" not in sys.modules, "torch was imported into Blender's own process"
    assert not policy_warnings(), policy_warnings()
    bpy.ops.preferences.addon_disable(module=MODULE)
    assert not registered(), f"still registered: {registered()}"
    Path(report_path).write_text(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[sys.argv.index("--") + 1 :])
