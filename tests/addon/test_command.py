"""``blender --command phorhum``: many photos, one bad among them."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import pytest

bpy = pytest.importorskip("bpy")

from phorhum_blender.addon import command, engine_process  # noqa: E402
from phorhum_blender.engine.contracts import Request  # noqa: E402
from phorhum_blender.engine.export import load_npz  # noqa: E402
from phorhum_blender.worker.client import Client  # noqa: E402
from phorhum_blender.worker.protocol import Event  # noqa: E402


@pytest.fixture
def engine(blender, fake_site, tmp_path, monkeypatch):
    """The real child process with the fake engine, and a folder of photos that make it behave differently."""
    client = Client(extra_paths=[fake_site], log_path=str(tmp_path / "engine.log"))
    monkeypatch.setattr(engine_process, "client", lambda: client)
    for name in ("good", "nobody", "bug"):
        (tmp_path / f"{name}.jpg").touch()
    monkeypatch.chdir(tmp_path)
    yield client
    client.stop()


def test_one_bad_photo_does_not_stop_the_rest(engine, capsys, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "good.jpg").touch()
    status = command.main(["nobody.jpg", "good.jpg", "absent.jpg", "more", "-o", "out/deep", "--format", "npz"])
    assert status == command.NOT_ALL
    assert sorted(path.name for path in (tmp_path / "out/deep").iterdir()) == ["good-2.npz", "good.npz"]
    lines = capsys.readouterr().err.splitlines()
    assert "[2/4] good.jpg" in lines
    summary = lines[lines.index("2 of 4 photos done") :]
    assert summary[1].startswith("  Failed: nobody.jpg: No person was found.")
    assert summary[2].startswith("  Failed: absent.jpg: ") and len(summary) == 3


def test_the_options_reach_the_engine(client, photo, tmp_path):
    arguments = [photo, "-o", str(tmp_path / "out"), "--resolution", "64", "--height", "1.8", "--person", "1"]
    assert command.main([*arguments, "--no-photo-detail", "--camera-tilt", "9"]) == command.DONE
    (request,) = client.requests
    assert request.tilt_known and request.camera_tilt == pytest.approx(math.radians(9))
    rest = dataclasses.replace(request, tilt_known=False, camera_tilt=0.0)
    assert rest == Request(photo=photo, resolution=64, height=1.8, person=1, photo_detail=False)
    assert (tmp_path / "out" / "jo smith.glb").read_bytes()[:4] == b"glTF"


def test_a_back_photo_goes_with_one_photo_only(client, photo, tmp_path, capsys):
    arguments = ["-o", str(tmp_path / "out"), "--back", photo, "--back-person", "1"]
    assert command.main([photo, photo, *arguments]) == command.NOT_ALL
    assert client.requests == [] and "A back photo goes with one photo only." in capsys.readouterr().err
    assert command.main([photo, *arguments]) == command.DONE
    assert client.requests == [Request(photo=photo, back_photo=photo, back_person=1)]


def test_a_blend_file_holds_the_person_alone(client, photo, tmp_path):
    bpy.ops.mesh.primitive_cube_add()
    assert command.main([photo, "-o", str(tmp_path), "--format", "blend"]) == command.DONE
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "jo smith.blend"))
    meshes = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    assert [thing.name for thing in meshes] == ["PHORHUM jo smith.png"]
    assert len(meshes[0].data.polygons) == 720 and bpy.context.scene.camera


def test_a_bug_is_logged_and_has_a_status_of_its_own(client, photo, tmp_path, monkeypatch, capsys):
    def fails(*_):
        raise ZeroDivisionError("made up")

    monkeypatch.setattr(command, "save_mesh", fails)
    monkeypatch.setattr(engine_process, "log_path", lambda: str(tmp_path / "engine.log"))
    assert command.main([photo, "-o", str(tmp_path)]) == command.BUG
    assert "Unexpected error (ZeroDivisionError: made up)" in capsys.readouterr().err
    assert "in fails" in (tmp_path / "engine.log").read_text()


def test_an_interrupt_ends_all(client, photo, tmp_path, capsys):
    client.last = Event("error", text="Cancelled", cause="cancelled")
    assert command.main([photo, photo, "-o", str(tmp_path / "out")]) == command.INTERRUPTED
    assert len(client.requests) == 1 and "interrupted" in capsys.readouterr().err


def test_an_empty_folder_and_a_place_that_cannot_be_are_one_sentence(engine, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    assert command.main(["empty", "-o", "out"]) == command.NOT_ALL
    assert command.main(["good.jpg", "-o", "bug.jpg"]) == command.NOT_ALL
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("phorhum: There is no photo in the folder empty.")
    assert lines[1].startswith("phorhum: ") and len(lines) == 2


@pytest.mark.parametrize("arguments", [[], ["a.jpg"], ["a.jpg", "-o", "x", "--format", "fbx"]])
def test_wrong_arguments_are_refused(arguments, capsys):
    assert command.main(arguments) == command.NOT_ALL
    assert "error:" in capsys.readouterr().err


def test_help_is_no_error(capsys):
    assert command.main(["--help"]) == command.DONE
    assert "--resolution" in capsys.readouterr().out


def test_numbers_keep_results_apart_on_systems_that_ignore_case(tmp_path):
    photos = ["a/P.jpg", "b/p.png", "p.tif"]
    assert [target.name for _, target in command._targets(photos, tmp_path, "glb")] == ["P.glb", "p-2.glb", "p-3.glb"]


def test_photos_of_a_folder_come_sorted_and_nothing_else(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.rpartition("/")[2] for path in command._photos([str(tmp_path)])] == ["a.png", "b.JPG"]


def test_the_result_is_that_of_the_engine(engine, tmp_path, result):
    assert command.main(["good.jpg", "-o", "out", "--format", "npz", "--resolution", "99"]) == command.DONE
    assert load_npz(tmp_path / "out/good.npz").report["resolution"] == 99


def test_the_command_needs_no_torch_in_blender(repo_root):
    code = "import sys, bpy, phorhum_blender.addon.command; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=repo_root, check=True, timeout=120)
