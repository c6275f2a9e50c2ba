"""Photo -> mesh by stage, the points of f, the peak of memory, and how soon a fresh process answers.

``OMP_WAIT_POLICY=passive python -m benchmarks.speed PHOTO [--box X0 Y0 X1 Y1]`` writes two tables into
docs/performance.md. Each resolution has a process of its own, warm when its quickest of three runs is taken.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.photo import load_photo
from training.evaluate import write_section

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
RUNS = 3


def reconstruct(request: Request) -> dict[str, Any]:
    """The report of the quickest of ``RUNS`` after a first one, with ``points`` of f by what they are asked for."""
    from phorhum_blender.engine.reconstruct import Reconstructor

    reconstructor = Reconstructor(threads=request.threads)
    reconstructor.run(request)
    reports = [reconstructor.run(request).report for _ in range(RUNS)]
    return {
        **min(reports, key=lambda report: report["seconds"]["all"]),
        "points": count_points(reconstructor, request),
    }


def count_points(reconstructor: Any, request: Request) -> dict[str, int]:
    """Points of f that each stage asks."""
    from phorhum_blender.engine.model import PreparedField

    stage, points = [""], {}

    def counted(method):
        def call(self, at):
            points[stage[0]] = points.get(stage[0], 0) + len(at)
            return method(self, at)

        return call

    counting = {name: counted(getattr(PreparedField, name)) for name in ("distances", "albedo")}
    with mock.patch.multiple(PreparedField, **counting):
        reconstructor.run(request, lambda name, fraction: stage.__setitem__(0, name))
    return points


def stages(request: Request, resolutions: list[int]) -> list[str]:
    rows = [
        "| cells a side | reading | detection | G | surface | colouring | light | all | / (detection + G) | "
        "points of f: surface | colouring | peak MB |",
        "|" + " ---: |" * 12,
    ]
    for resolution in resolutions:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            report = process.apply(reconstruct, (dataclasses.replace(request, resolution=resolution),))
        seconds, points = report["seconds"], report["points"]
        before = seconds["Finding person"] + seconds["Encoding"]
        names = "Reading photo", "Finding person", "Encoding", "Finding surface", "Colouring", "Fitting light", "all"
        times = " | ".join(f"{seconds[name]:.2f}" for name in names)
        rows.append(
            f"| {resolution} | {times} | {seconds['all'] / before:.1f} | "
            f"{points['Finding surface']} | {points['Colouring']} | {report['peak_memory_mb']:.0f} |"
        )
        print(rows[-1], flush=True)
    return rows


def start(request: Request) -> dict[str, float]:
    """Seconds from the start of the command line to each line that it says."""
    box = [] if request.box is None else ["--box", *map(str, request.box)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "phorhum_blender.engine", request.photo, "-o", f"{folder}/person.ply", *box]
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, "--resolution", "64", "--threads", str(request.threads)], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            return {line.strip(): time.perf_counter() - began for line in process.stderr}


def starts(request: Request) -> list[str]:
    runs = [start(request) for _ in range(RUNS)]
    took = {line: statistics.median(run[line] for run in runs) for line in ("Starting engine", "Reading photo")}
    began = time.perf_counter()
    load_photo(request.photo)
    decode = time.perf_counter() - began
    return [
        "| from the start of a process to | seconds |",
        "| --- | ---: |",
        f'| the first word, "Starting engine" | {took["Starting engine"]:.2f} |',
        f'| the networks loaded, "Reading photo" | {took["Reading photo"]:.2f} |',
        f"| (decoding of this photo) | {decode:.3f} |",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo")
    parser.add_argument("--box", type=float, nargs=4, metavar=("X0", "Y0", "X1", "Y1"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resolutions", type=int, nargs="+", default=[128, 256, 512])
    options = parser.parse_args()
    box = tuple(options.box) if options.box else None
    request = Request(options.photo, box=box, threads=options.threads)
    head = [f"{options.threads} threads; {Path(options.photo).name}; seconds.", ""]
    write_section(DOCUMENT, "photo to mesh", "\n".join(head + stages(request, options.resolutions)), "benchmarks.speed")
    write_section(DOCUMENT, "start", "\n".join(starts(request)), "benchmarks.speed")


if __name__ == "__main__":
    main()
