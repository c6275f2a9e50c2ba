"""The command line, with the fake engine; the real one is run in test_reconstruct.py."""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from phorhum_blender.engine.__main__ import main
from phorhum_blender.engine.bugs import mask_private
from phorhum_blender.engine.export import load_npz


@pytest.fixture
def folder(tmp_path, with_fake_engine, monkeypatch):
    """A folder of photos that each make the fake engine behave differently; the current folder."""
    for behaviour in ("good", "nobody", "bug", "interrupt", "noisy"):
        (tmp_path / f"{behaviour}.jpg").touch()
    (tmp_path / "logs").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "logs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_writes_the_mesh_and_tells_the_stages(folder, capsys):
    assert main(["good.jpg", "-o", "person.npz", "--resolution", "64"]) == 0
    assert load_npz("person.npz").report["resolution"] == 64
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["Starting engine", "Reading photo", "Finding person"]
    assert lines[-1] == "Saved person.npz: 6 vertices, 8 faces"


@pytest.mark.parametrize(("options", "wanted"), [([], True), (["--no-photo-detail"], False)])
def test_photo_detail_can_be_left_out(folder, options, wanted):
    assert main(["good.jpg", "-o", "person.npz", *options]) == 0
    assert load_npz("person.npz").report["photo_detail"] is wanted


@pytest.mark.parametrize(("options", "known", "tilt"), [([], False, 0), (["--camera-tilt", "-10"], True, -10)])
def test_the_cameras_tilt_reaches_the_engine(folder, options, known, tilt):
    assert main(["good.jpg", "-o", "person.npz", *options]) == 0
    report = load_npz("person.npz").report
    assert report["tilt_known"] is known and report["camera_tilt"] == pytest.approx(math.radians(tilt))


def test_a_mask_reaches_the_engine(folder):
    assert main(["good.jpg", "-o", "person.npz", "--mask", "mask.png"]) == 0
    assert load_npz("person.npz").report["mask"] == "mask.png"


def test_a_back_photo_reaches_the_engine(folder):
    assert main(["good.jpg", "-o", "person.npz", "--back", "noisy.jpg", "--back-person", "2"]) == 0
    report = load_npz("person.npz").report
    assert (report["back_photo"], report["back_person"]) == ("noisy.jpg", 2)


def test_writes_the_report(folder):
    assert main(["good.jpg", "-o", "person.glb", "--report", "report.json"]) == 0
    report = json.loads(Path("report.json").read_text())
    assert report["counts"] == {"vertices": 6, "faces": 8}
    assert report["camera"]["focal"] == 1000.5
    assert len(report["lights"]["sh"]) == 9
    assert report["made"] >= 1  # what the engine itself reports


def test_tells_warnings(folder, capfd):
    assert main(["noisy.jpg", "-o", "person.glb"]) == 0
    assert "Warning: The photo is blurred." in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody.jpg", "-o", "person.glb"], "No person was found. Choose another photo."),
        (["absent.jpg", "-o", "person.glb"], "There is no photo absent.jpg."),
        (["x" * 300 + ".jpg", "-o", "person.glb"], "There is no photo xxx"),
        (["good.jpg", "-o", "person.glb", "--back", "absent.jpg"], "There is no photo absent.jpg."),
        (["good.jpg", "-o", "person.fbx"], "must end in one of .glb, .ply, .obj, .npz"),
        (["good.jpg", "-o", "absent/person.glb"], "The folder absent does not exist."),
        (["good.jpg", "-o", "person.glb", "--report", "absent/r.json"], "The folder absent does not exist."),
        (["good.jpg", "-o", "person.glb", "--report", "good.jpg"], "must end in .json"),
    ],
)
def test_what_the_user_can_mend_is_one_sentence(folder, capsys, arguments, words):
    before = sorted(os.listdir())
    assert main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("phorhum: ")]
    assert len(lines) == 1 and words in lines[0]
    assert sorted(os.listdir()) == before


def test_files_are_checked_before_the_work(folder, fake_engine):
    made = fake_engine.Reconstructor.made
    assert main(["good.jpg", "-o", "absent/person.glb"]) == 2
    assert fake_engine.Reconstructor.made == made


def test_a_bug_is_one_line_that_names_the_log(folder, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(folder / "logs"))
    before = sorted(os.listdir())
    assert main(["bug.jpg", "-o", "person.glb"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("phorhum: Unexpected error (ValueError: wrong shape in ~/photo.jpg).")
    log = Path(line.split()[-1]).expanduser()
    assert str(folder) not in line and "~" in line
    assert "Traceback" in log.read_text() and "fake_reconstruct.py" in log.read_text()
    assert sorted(os.listdir()) == before


def test_a_bug_is_one_line_where_no_log_can_be_written(folder, capsys, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "absent"))
    assert main(["bug.jpg", "-o", "person.glb"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("phorhum: Unexpected error (ValueError:") and "could not be written" in line


def test_an_interrupt_is_no_traceback(folder, capsys):
    assert main(["interrupt.jpg", "-o", "person.glb"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "phorhum: interrupted"


@pytest.mark.parametrize(
    "options", [["--resolution", "3"], ["--height", "nan"], ["--person", "-1"], ["--box", "1", "2"], []]
)
def test_wrong_options_are_refused(options, capsys):
    output = ["-o", "person.glb"] if options else []
    with pytest.raises(SystemExit) as caught:
        main(["good.jpg", *output, *options])
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_missing_package_is_the_users_error(folder, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "phorhum_blender.engine.reconstruct")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["good.jpg", "-o", "person.glb"]) == 2
    assert "lacks the package 'torch'" in capsys.readouterr().err


def test_help_is_quick_because_torch_comes_late(repo_root):
    code = (
        "import sys\n"
        "from phorhum_blender.engine.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'PIL' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, check=True)
    assert "--resolution" in done.stdout


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("in /home/ann/photo.jpg", "in ~/photo.jpg"),
        ("/home/ann", "~"),
        ("/home/annabel/photo.jpg", "/home/annabel/photo.jpg"),
        ("'/home/ann', '/home/ann/x'", "'~', '~/x'"),
    ],
)
def test_the_home_folder_is_masked(monkeypatch, text, masked):
    monkeypatch.setenv("HOME", "/home/ann")
    assert mask_private(text) == masked
