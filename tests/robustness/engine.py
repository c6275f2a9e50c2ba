"""Damaged and odd photos through the whole engine by its command line, with tiny networks."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

from hypothesis import strategies as st

from phorhum_blender.engine.__main__ import main
from phorhum_blender.engine.export import load_npz
from tests.stand_ins import save_tiny_model

from .mutations import Edit, damage, edits, file_names
from .pictures import corpus
from .rules import READ, REFUSED, Tally, feed, must, must_be_clear, nothing_left

OPTIONS = [[], ["--whole-frame"], ["--box", "10", "10", "70", "70"], ["--no-photo-detail"], ["--person", "1"]]
cases = st.tuples(st.sampled_from(sorted(corpus())), edits, file_names, st.sampled_from(OPTIONS))


def run(count: int, number: int, folder: Path) -> Tally:
    weights, photos, logs = folder / "tiny.safetensors", folder / "photos", folder / "logs"
    save_tiny_model(weights)
    photos.mkdir()
    logs.mkdir()
    tempfile.tempdir = str(logs)
    os.chdir(photos)

    def check(case: tuple[str, list[Edit], str, list[str]]) -> str:
        seed, changes, name, options = case
        photo, out, said = photos / name, folder / "out.npz", io.StringIO()
        with nothing_left(folder):
            photo.write_bytes(damage(corpus()[seed], changes))
            command = [str(photo), "-o", str(out), "--weights", str(weights), "--resolution", "32", "--threads", "1"]
            with contextlib.redirect_stderr(said):
                status = main([*command, *options])
            must(out.exists() == (status == 0), "a file though it failed, or none though it did not")
            photo.unlink()
            if status == 0:
                must(len(load_npz(out).faces) > 0, "an empty result")
                out.unlink()
                return READ
        must(status == 2, f"exit status {status}: {said.getvalue()}")
        *_, last = said.getvalue().splitlines()
        must_be_clear(last.removeprefix("phorhum: "))
        return REFUSED

    return feed("engine", cases, check, count, number)
