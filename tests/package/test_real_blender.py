"""tools/test_blender.py with a made-up Blender: a shell script that says and notes what it is told to."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

import build_addon

INSTALLED = 'case "$*" in *install-file*) echo "STATUS Installed" ;; *python-expr*) echo "PYTHON 3.12" ;; esac'


@pytest.fixture
def tool(repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The module, with a zip that needs no building and no virtual display."""
    monkeypatch.syspath_prepend(str(repo_root / "tools"))
    monkeypatch.delitem(sys.modules, "test_blender", raising=False)
    import test_blender

    monkeypatch.setattr(build_addon, "build", lambda *arguments: tmp_path / "slim.zip")
    monkeypatch.setattr(test_blender.shutil, "which", lambda name: None)
    return test_blender


@pytest.fixture
def blender(tmp_path: Path):
    def make(script: str) -> str:
        program = tmp_path / "blender"
        program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\n{script}\n')
        program.chmod(0o755)
        return str(program)

    return make


@pytest.fixture
def run(tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def call(*arguments: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["test_blender", *arguments, "--photo", "a.jpg", "--out", str(tmp_path)])
        return tool.main(), (tmp_path / "calls").read_text().splitlines()

    return call


def test_without_a_display_it_says_so_and_runs_in_background(run, blender, tmp_path, capsys):
    status, calls = run(blender(INSTALLED))
    assert status == 0 and "there is no xvfb-run" in capsys.readouterr().err
    assert calls[0].endswith(f"--enable {tmp_path}/slim.zip") and "install-file" in calls[0]
    assert calls[1].startswith("--background") and "run_in_background.py -- a.jpg 128" in calls[1]


def test_the_window_is_opened_with_the_command_given(run, blender):
    program = blender(INSTALLED)
    status, calls = run(program, "--window", f"{program} in a window")
    assert status == 0 and calls[1].startswith("in a window") and "run_in_window.py -- a.jpg 128" in calls[1]


def test_an_installation_that_did_not_happen_is_a_failure(run, blender, capsys):
    status, calls = run(blender("echo no such platform"))
    assert (status, len(calls)) == (1, 1) and "no such platform" in capsys.readouterr().err


def test_a_failure_in_blender_is_one_with_its_output(run, blender, capsys):
    status, _ = run(blender(f"{INSTALLED}\ncase $1 in --background) echo broken; exit 7 ;; esac"))
    assert status == 1
    told = capsys.readouterr().err
    assert "exit status 7" in told and "broken" in told


def test_wheels_lie_where_the_engine_looks_for_them(tool, blender, tmp_path):
    with zipfile.ZipFile(tmp_path / "thing-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing.py", "")
    tool.give_wheels(blender(INSTALLED), tmp_path, tmp_path / "user")
    assert (tmp_path / "user/extensions/.local/lib/python3.12/site-packages/thing.py").exists()
