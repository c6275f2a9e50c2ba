"""Many reconstructions in one Blender, two Blenders at once, and too little memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

from phorhum_blender.engine import memory
from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.reconstruct import Reconstructor
from tests.stand_ins import ROOT, save_tiny_model

from .pictures import cut_out_person, encoded
from .rules import Tally, must, must_be_clear, traceback_of

RESOLUTION = 128
MOST_GROWTH = 0.02  # of the memory, over the second half of the runs
SCRIPT = Path(__file__).with_name("in_blender.py")


def run_many(count: int, seed: int, folder: Path) -> list[Tally]:
    tally = Tally("memory of many runs")
    try:
        told = finished(started(folder, slim_zip(folder), count), folder, tally)
        must(len(set(told["vertices"])) == 1, "the results differ")
        for name in ("blender", "child"):
            values, half = told[name], count // 2
            growth = mean(values[-10:]) / mean(values[half : half + 10]) - 1
            tally.figures[f"{name} MB after {half}"] = round(mean(values[half : half + 10]))
            tally.figures[f"{name} growth of the last {count - half}"] = f"{growth:+.2%}"
            must(growth < MOST_GROWTH, f"the memory of the {name} grows by {growth:.1%}")
        tally.note("same vertices each time", 0.0)
    except Exception as error:
        tally.fault = traceback_of(error)
    return [tally, refused_beforehand(folder)]


def run_two(count: int, seed: int, folder: Path) -> Tally:
    """Both share the user's folder, as two Blenders of one user do."""
    tally = Tally("two Blenders at once")
    try:
        finished(started(folder, slim_zip(folder), 1), folder, tally)
        runs = max(2, count // 10)
        pair = [started(folder, "", runs, f"{number}.json") for number in (0, 1)]
        hashes = [set(finished(process, folder, tally, f"{n}.json")["vertices"]) for n, process in enumerate(pair)]
        must(hashes[0] == hashes[1] and len(hashes[0]) == 1, "the results differ")
        known = list(folder.glob("user/**/machine.json"))
        must(known and len(json.loads(known[0].read_text())["runs"]) >= runs, "the measurements were lost")
        tally.note("same vertices in both", 0.0)
        tally.figures["runs in each"] = runs
    except Exception as error:
        tally.fault = traceback_of(error)
    return tally


def refused_beforehand(folder: Path) -> Tally:
    """At every resolution there is an amount of free memory that is said to be too little before any work."""
    tally = Tally("too little memory")
    photo, weights = folder / "person.png", folder / "tiny.safetensors"
    save_tiny_model(weights)
    engine = Reconstructor(str(weights))
    stages: list[str] = []
    for resolution in (16, 128, 256, 512, 1024):
        needed = memory.needed_mb(resolution)
        with mock.patch.object(memory, "free_mb", lambda needed=needed: needed - 1):
            try:
                engine.run(Request(str(photo), resolution=resolution), lambda stage, part: stages.append(stage))
                tally.fault = f"{resolution} cells were begun"
            except UserError as error:
                must_be_clear(str(error))
                must(len(re.findall(r"\d+ MB", str(error))) == 2 and not stages, f"no numbers, or too late: {error}")
                tally.note("refused with both numbers", 0.0)
    return tally


def slim_zip(folder: Path) -> str:
    """The extension without wheels: the bpy module's Python has the packages."""
    command = [sys.executable, "build_addon.py", "--slim", "--output-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    must(done.returncode == 0, done.stderr)
    (zip_path,) = folder.glob("*.zip")
    return str(zip_path)


def started(folder: Path, zip_path: str, runs: int, out: str = "told.json") -> subprocess.Popen[str]:
    photo = folder / "person.png"
    photo.write_bytes(encoded(cut_out_person(4), "PNG"))
    command = [sys.executable, str(SCRIPT), zip_path, str(photo), str(RESOLUTION), str(runs), str(folder / out)]
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(folder / "user")}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(process: subprocess.Popen[str], folder: Path, tally: Tally, out: str = "told.json") -> dict[str, list]:
    began = time.monotonic()
    said, _ = process.communicate()
    must(process.returncode == 0 and (folder / out).exists(), f"status {process.returncode}: {said[-3000:]}")
    must("Traceback" not in said, said[-3000:])
    tally.slowest = max(tally.slowest, round(time.monotonic() - began, 1))
    return json.loads((folder / out).read_text())


def mean(values: list[float]) -> float:
    return sum(values) / len(values)
