"""The add-on comes and goes without a trace, and keeps torch out of Blender."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

import phorhum_blender  # noqa: E402
from phorhum_blender.addon import command, panel, registration, thumbnails  # noqa: E402
from phorhum_blender.addon.preferences import PHORHUM_AP_preferences  # noqa: E402


def registered() -> tuple[object, ...]:
    types = {name for name in dir(bpy.types) if "PHORHUM" in name}
    menus = [list(menu._dyn_ui_initialize()) for menu in (bpy.types.TOPBAR_MT_file_import, bpy.types.VIEW3D_MT_add)]
    return types, menus, set(dir(bpy.types.Scene)), thumbnails._pictures


def test_register_and_unregister_leave_nothing_behind():
    before = registered()
    for _ in range(3):
        phorhum_blender.register()
        assert bpy.types.PHORHUM_PT_main.bl_category == "PHORHUM"
        assert bpy.context.scene.phorhum.resolution == 256
        for menu in (bpy.types.TOPBAR_MT_file_import, bpy.types.VIEW3D_MT_add):
            assert panel.draw_menu_entry in menu._dyn_ui_initialize()
        phorhum_blender.unregister()
    assert registered() == before


def test_every_property_is_registered(blender):
    assert {"filepath", "resolution", "height", "person", "box", "whole_frame"} <= set(
        bpy.ops.phorhum.reconstruct.get_rna_type().properties.keys()
    )
    assert "resolution" in bpy.ops.phorhum.reconstruct_again.get_rna_type().properties
    assert {"device", "threads", "detector"} <= set(PHORHUM_AP_preferences.bl_rna.properties.keys())


def test_polls_in_background(blender):
    may = {name: getattr(bpy.ops.phorhum, name).poll() for name in dir(bpy.ops.phorhum)}
    never = {"reconstruct_again", "restore_settings", "find_people", "cancel", "download_detector", "free_memory"}
    never |= {"show", "toggle_light_rig", "bake_texture", "decimate", "remesh", "add_rig", "export_person"}  # no person
    never |= {"bake_normal_map"}
    never |= {"draw_box", "paint_mask"}  # no photo
    assert {name for name, yes in may.items() if not yes} == never
    assert {"reconstruct", "open_photo", "choose_person", "find_devices", "copy_log", "copy_diagnosis"} <= set(may)


def test_every_property_has_a_tooltip(blender):
    for cls in registration.CLASSES:
        if not issubclass(cls, bpy.types.Operator | bpy.types.PropertyGroup | bpy.types.AddonPreferences):
            continue
        rna = cls.bl_rna
        if issubclass(cls, bpy.types.Operator):
            rna = getattr(bpy.ops.phorhum, cls.bl_idname.partition(".")[2]).get_rna_type()
            assert rna.description, cls
        for name in cls.__annotations__:
            assert rna.properties[name].is_hidden or rna.properties[name].description, (cls, name)


def test_the_command_is_registered_with_its_name(monkeypatch):
    told = []
    monkeypatch.setattr(bpy.utils, "register_cli_command", lambda name, run: told.append((name, run)))
    monkeypatch.setattr(bpy.utils, "unregister_cli_command", lambda handle: told.append(handle))
    phorhum_blender.register()
    phorhum_blender.unregister()
    assert told == [("phorhum", command.main), None]


def test_class_names_follow_blenders_rules():
    for cls in registration.CLASSES:
        assert cls.__name__.startswith(("PHORHUM_OT_", "PHORHUM_PT_", "PHORHUM_PG_", "PHORHUM_FH_", "PHORHUM_AP_"))


def test_addon_imports_no_heavy_package(repo_root: Path):
    heavy = {"torch", "skimage", "scipy", "PIL", "cv2", "ultralytics", "safetensors"}
    for path in sorted((repo_root / "phorhum_blender/addon").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            assert not heavy & {name.partition(".")[0] for name in names}, path


def test_registering_loads_no_torch(repo_root: Path):
    code = "import sys, bpy, phorhum_blender as p; p.register(); p.unregister(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=repo_root, check=True, timeout=120)


def test_package_imports_without_blender(repo_root: Path):
    code = "import sys; sys.modules['bpy'] = None; import phorhum_blender.engine, phorhum_blender.worker.client"
    subprocess.run([sys.executable, "-c", code], cwd=repo_root, check=True, timeout=120)
