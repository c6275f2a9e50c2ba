"""The operators of the preferences, and the texts for a bug report."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import diagnosis, engine_process, measured, preferences  # noqa: E402
from phorhum_blender.addon.preferences import PHORHUM_AP_preferences, machine  # noqa: E402
from phorhum_blender.worker.protocol import Event  # noqa: E402
from tests.addon.test_panel import Layout  # noqa: E402


def test_download_refuses_outside_an_extension(blender):
    with pytest.raises(RuntimeError, match="not installed as an extension"):
        bpy.ops.phorhum.download_detector()


def devices():
    return [item[0] for item in preferences._device_items(None, None)]


def test_devices_are_those_that_the_engine_names(client):
    assert devices() == ["cpu"]
    assert bpy.ops.phorhum.find_devices() == {"FINISHED"}
    assert devices() == ["cpu", "cuda"]
    assert measured.knowledge().devices == ("cpu", "cuda")


def test_an_engine_that_cannot_tell_its_devices_is_an_error(client):
    client.last = Event("error", text="The Python lacks the package 'torch'.", cause="user")
    with pytest.raises(RuntimeError, match="lacks the package 'torch'"):
        bpy.ops.phorhum.find_devices()
    assert devices() == ["cpu"]


def test_a_device_that_is_gone_is_the_processor(blender):
    values = SimpleNamespace(device="", threads=3, detector="")
    addons = {preferences.PACKAGE: SimpleNamespace(preferences=values)}
    here = machine(SimpleNamespace(preferences=SimpleNamespace(addons=addons)))
    assert (here.device, here.threads, here.detector) == ("cpu", 3, "")


def test_freeing_memory_ends_the_engine_and_says_why_it_cannot(client, monkeypatch):
    with pytest.raises(RuntimeError, match="holds no memory"):
        bpy.ops.phorhum.free_memory()
    client.running = True
    monkeypatch.setattr(engine_process, "_client", client)
    monkeypatch.setattr(diagnosis.engine_process, "_client", client)
    assert bpy.ops.phorhum.free_memory() == {"FINISHED"}
    assert not client.running and not engine_process.running()


def test_the_preferences_draw(blender):
    layout = Layout()
    values = SimpleNamespace(layout=layout, device="cpu", threads=0, detector="")
    PHORHUM_AP_preferences.draw(values, bpy.context)
    assert layout.properties == ["device", "threads", "detector"]
    names = [button.name for button in layout.operators]
    own = ("download_detector", "free_memory", "clear_cache", "copy_log", "copy_diagnosis")
    assert {f"phorhum.{name}" for name in own} <= set(names)
    assert any("AGPL-3.0" in text and "github.com" in text for text in layout.texts)
    assert "The engine is not running" in layout.texts
    assert any("CC0-1.0" in text and "GPL-3.0-or-later" in text for text in layout.texts)


def test_the_diagnosis_tells_versions_weights_error_and_report(client, photo):
    bpy.ops.phorhum.reconstruct(filepath=photo, resolution=64)
    with pytest.raises(RuntimeError):
        bpy.ops.phorhum.reconstruct(filepath="/nowhere/jo smith.png")
    bpy.ops.phorhum.reconstruct(filepath=photo, resolution=64)
    text = diagnosis.diagnosis(bpy.context)
    assert bpy.app.version_string in text and "numpy 1." in text or "numpy 2." in text
    for line in ("Weights detector.safetensors", "Weights phorhum.safetensors", '"peak_memory_mb": 500.0'):
        assert line in text
    assert "Last error There is no photo at" in text


def test_private_paths_stay_private(client, photo, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setattr(diagnosis.last, "error", f"The photo {Path(photo).name} at {photo} and /home/ann/x is damaged")
    monkeypatch.setattr(diagnosis.last, "photos", (photo,))
    text = diagnosis.diagnosis(bpy.context)
    assert "The photo <photo> at <photo> and ~/x is damaged" in text
    assert "jo smith" not in text and "/home/ann" not in text


def test_the_end_of_the_log_is_copied_masked(blender, tmp_path, monkeypatch):
    log = tmp_path / "engine.log"
    monkeypatch.setattr(engine_process, "log_path", lambda: str(log))
    monkeypatch.setenv("HOME", "/home/ann")
    assert diagnosis.log_tail() == ""
    assert bpy.ops.phorhum.copy_log() == {"CANCELLED"}
    log.write_text("early " + "x" * diagnosis.LOG_TAIL + " late /home/ann/photo.jpg")
    text = diagnosis.log_tail()
    assert "early" not in text and text.endswith("late ~/photo.jpg")
    assert bpy.ops.phorhum.copy_log() == bpy.ops.phorhum.copy_diagnosis() == {"FINISHED"}


def test_copying_puts_the_text_into_the_clipboard(blender, tmp_path, monkeypatch):
    """Blender has no clipboard in background, so the operators' code gets a stand-in."""
    from phorhum_blender.addon import preference_operators as operators

    monkeypatch.setattr(engine_process, "log_path", lambda: os.fspath(tmp_path / "engine.log"))
    (tmp_path / "engine.log").write_text("words")
    manager = SimpleNamespace(clipboard="")
    context = SimpleNamespace(window_manager=manager, preferences=bpy.context.preferences)
    operator = SimpleNamespace(report=lambda level, text: None)
    operators.PHORHUM_OT_copy_log.execute(operator, context)
    assert manager.clipboard == "words"
    operators.PHORHUM_OT_copy_diagnosis.execute(operator, context)
    assert manager.clipboard.startswith("PHORHUM ")
