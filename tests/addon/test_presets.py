"""The user's own presets, through Blender's preset files."""

from __future__ import annotations

from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import presets  # noqa: E402
from phorhum_blender.addon.properties import look_options  # noqa: E402


@pytest.fixture
def preset_folder(blender, tmp_path, monkeypatch):
    monkeypatch.setattr(presets.PHORHUM_PT_presets, "bl_label", "Presets")  # Blender names it after the last preset
    scripts = tmp_path / "scripts"
    monkeypatch.setattr(bpy.utils, "user_resource", lambda kind, path="", create=False: _made(scripts / path, create))
    return scripts / "presets" / presets.FOLDER


def _made(folder: Path, create: bool) -> str:
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def test_a_preset_brings_the_options_back(preset_folder):
    settings = bpy.context.scene.phorhum
    settings.photo = "mine.jpg"
    settings.resolution, settings.height, settings.photo_detail = 300, 1.5, False
    assert bpy.ops.phorhum.add_preset(name="Tiny child") == {"FINISHED"}
    (file,) = preset_folder.iterdir()
    settings.resolution, settings.height, settings.photo_detail, settings.photo = 64, 1.9, True, "other.jpg"
    exec(file.read_text(), {"bpy": bpy})
    assert (settings.resolution, round(settings.height, 4), settings.photo_detail) == (300, 1.5, False)
    assert settings.photo == "other.jpg"


def test_a_preset_keeps_no_person_and_no_photo(preset_folder):
    bpy.ops.phorhum.add_preset(name="Plain")
    text = next(preset_folder.iterdir()).read_text()
    assert all(name in text for name in look_options())
    assert "photo =" not in text and "person" not in text and "box" not in text
