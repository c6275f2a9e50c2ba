"""The command line: ``python -m phorhum_blender.engine PHOTO -o OUT.glb``. Needs no Blender.

Exit status: 0 done, 1 a bug (its traceback is in the log file that the last line names), 2 something the user can mend,
130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import load_reconstructor
from .bugs import bug_line, traceback_text
from .contracts import Request, Result
from .errors import UserError
from .export import WRITERS, atomic_file, check_mesh_path, check_writable, save_mesh
from .options import add_back_options, add_look_options, add_person_option, look_fields, number_between


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(argv)
    try:
        _run(options)
    except UserError as error:
        _say(f"phorhum: {error}")
        return 2
    except KeyboardInterrupt:
        _say("phorhum: interrupted")
        return 130
    except Exception as error:
        _say(f"phorhum: {bug_line(error, _write_log(error))}")
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    request = Request(
        photo=options.photo,
        person=options.person,
        box=tuple(options.box) if options.box else None,
        whole_frame=options.whole_frame,
        mask=options.mask,
        **look_fields(options),
        back_photo=options.back,
        back_person=options.back_person,
        weights=options.weights,
        detector=options.detector,
        device=options.device,
        threads=options.threads,
    )
    # everything that can be wrong with the files is said before the minutes of work
    for photo in filter(None, (options.photo, options.back)):
        if not os.path.isfile(photo):
            raise UserError(f"There is no photo {photo}.")
    check_mesh_path(options.output)
    if options.report:
        if Path(options.report).suffix.lower() != ".json":
            raise UserError(f"Can't write {Path(options.report).name}: the name of a report must end in .json.")
        check_writable(options.report)
    _say("Starting engine")
    reconstructor = load_reconstructor()(request.weights, request.detector, request.device, request.threads)
    result = reconstructor.run(request, _Stages())
    _save(result, options.output, options.report)
    for text in result.report.get("warnings", ()):
        _say(f"Warning: {text}")
    _say(f"Saved {options.output}: {len(result.vertices)} vertices, {len(result.faces)} faces")


def _save(result: Result, output: str, report: str) -> None:
    """Both files or neither."""
    if not report:
        save_mesh(result, output)
        return
    with atomic_file(report) as file:
        file.write(json.dumps(_report(result), indent=2, allow_nan=False).encode("utf-8") + b"\n")
        file.flush()
        save_mesh(result, output)


def _report(result: Result) -> dict[str, Any]:
    return {
        **result.report,
        "camera": asdict(result.camera),
        "lights": asdict(result.lights),
        "counts": {"vertices": len(result.vertices), "faces": len(result.faces)},
    }


class _Stages:
    """Progress callback: each stage's name on a line of its own when it begins."""

    def __init__(self) -> None:
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        if stage != self._stage:
            self._stage = stage
            _say(stage)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write_log(error: BaseException) -> str:
    try:
        handle, path = tempfile.mkstemp(prefix="phorhum-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(traceback_text(error))
    except OSError as full:
        return f"(which could not be written: {full.strerror})"
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m phorhum_blender.engine",
        description="Reconstruct a closed, coloured 3D person from one photo.",
    )
    parser.add_argument("photo", metavar="PHOTO", help="JPEG, PNG, WebP or TIFF")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=f"file to write: {', '.join(WRITERS)}")
    add_look_options(parser)
    which = parser.add_mutually_exclusive_group()
    add_person_option(which)
    which.add_argument(
        "--box", type=float, nargs=4, metavar=("X0", "Y0", "X1", "Y1"), help="where the person is, in pixels"
    )
    which.add_argument("--whole-frame", action="store_true", help="the person fills the photo")
    parser.add_argument(
        "--mask", default=Request.mask, metavar="FILE", help="picture of the photo's size, white where the person is"
    )
    add_back_options(parser)
    parser.add_argument("--weights", default=Request.weights, metavar="FILE", help="network weights (.safetensors)")
    parser.add_argument("--detector", default=Request.detector, metavar="FILE", help="weights of the person detector")
    parser.add_argument("--device", default=Request.device, help="cpu, cuda or mps (default %(default)s)")
    parser.add_argument(
        "--threads",
        type=number_between(int, 0, 1024),
        default=Request.threads,
        metavar="N",
        help="CPU threads; 0 for all",
    )
    parser.add_argument("--report", default="", metavar="REPORT.json", help="also write timings, camera, lights, ...")
    return parser


if __name__ == "__main__":
    sys.exit(main())
