"""``blender --command phorhum PHOTO... -o FOLDER``: many photos in one go, without a window.

Exit status: 0 all done, 1 a bug, 2 wrong arguments or photos that could not be made, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy

from ..engine.contracts import Request, Result
from ..engine.errors import Cancelled, UserError
from ..engine.export import WRITERS, save_mesh
from ..engine.options import add_back_options, add_look_options, add_person_option, look_fields
from ..worker.client import log_bug
from ..worker.protocol import Event
from . import engine_process
from .operators import PHOTO_SUFFIXES
from .preferences import machine
from .scene.build import build

NAME = "phorhum"
DONE, BUG, NOT_ALL, INTERRUPTED = 0, 1, 2, 130
FORMATS = ("blend", *(suffix.lstrip(".") for suffix in WRITERS))


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as ended:  # argparse has said why
        return int(ended.code or DONE)
    try:
        photos = list(_photos(options.photos))
        if options.back and len(photos) != 1:
            raise UserError("A back photo goes with one photo only.", "Give one photo.")
        folder = Path(options.output)
        folder.mkdir(parents=True, exist_ok=True)
    except (UserError, OSError) as error:
        _say(f"{NAME}: {error}")
        return NOT_ALL
    failures: dict[str, str] = {}
    worst = DONE
    for number, (photo, target) in enumerate(_targets(photos, folder, options.format), 1):
        _say(f"[{number}/{len(photos)}] {photo}")
        try:
            _make(photo, target, options)
        except Cancelled:
            _say(f"{NAME}: interrupted")
            return INTERRUPTED
        except UserError as error:
            failures[photo], worst = str(error), worst or NOT_ALL
        except Exception as error:
            failures[photo], worst = log_bug(error, engine_process.log_path()), BUG
        else:
            _say(f"  Saved {target}")
    _say(f"{len(photos) - len(failures)} of {len(photos)} photos done")
    for photo, reason in failures.items():
        _say(f"  Failed: {photo}: {reason}")
    return worst


def _make(photo: str, target: Path, options: argparse.Namespace) -> None:
    """One photo to one file. Raises :class:`UserError`, and :class:`Cancelled` on Ctrl-C."""
    here = machine(bpy.context)
    request = Request(
        photo=os.path.abspath(photo),
        person=options.person,
        **look_fields(options),
        back_photo=os.path.abspath(options.back) if options.back else "",
        back_person=options.back_person,
        device=here.device,
        threads=here.threads,
        detector=here.detector,
    )
    job = engine_process.client().submit(request)
    outcome = job.wait(_tell)
    if outcome.cause == "cancelled":
        raise Cancelled
    if outcome.kind == "error":
        raise UserError(outcome.text)
    _save(job.load_result(), request, target)


def _save(result: Result, request: Request, target: Path) -> None:
    if target.suffix != ".blend":
        save_mesh(result, target)
        return
    bpy.ops.wm.read_homefile(use_empty=True)
    build(bpy.context, result, request)
    bpy.ops.wm.save_as_mainfile(filepath=str(target.resolve()), check_existing=False)


def _photos(names: Sequence[str]) -> Iterator[str]:
    """The files among ``names``, and the photos in the folders among them, sorted by name."""
    for name in names:
        if not os.path.isdir(name):
            yield name
            continue
        found = sorted(entry.path for entry in os.scandir(name) if entry.name.lower().endswith(PHOTO_SUFFIXES))
        if not found:
            raise UserError(f"There is no photo in the folder {name}.", f"Photos end in {', '.join(PHOTO_SUFFIXES)}.")
        yield from found


def _targets(photos: Sequence[str], folder: Path, kind: str) -> Iterator[tuple[str, Path]]:
    """Each photo with the file to write: the photo's name, and a number where two photos share it."""
    taken: set[str] = set()
    for photo in photos:
        stem, number = Path(photo).stem, 1
        while stem.lower() in taken:  # most systems take "A" and "a" for one file
            number += 1
            stem = f"{Path(photo).stem}-{number}"
        taken.add(stem.lower())
        yield photo, folder / f"{stem}.{kind}"


def _tell(event: Event) -> None:
    if event.kind in ("stage", "warning"):
        _say(f"  {event.text}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"blender --command {NAME}", description="Reconstruct a closed, coloured 3D person from each photo."
    )
    parser.add_argument("photos", metavar="PHOTO", nargs="+", help="photos, or folders of photos")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where the results go; made if missing")
    parser.add_argument("--format", choices=FORMATS, default="glb", help="default %(default)s")
    add_look_options(parser)
    add_person_option(parser)
    add_back_options(parser, "; for one PHOTO only")
    return parser
