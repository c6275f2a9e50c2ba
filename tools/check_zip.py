"""Install an extension's zip into an empty user folder, as a user would, and reconstruct a person with it.

    python tools/check_zip.py ZIP --bpy-python .venv-bpy-4.2.23-1.24.3/bin/python
    python tools/check_zip.py ZIP --blender /path/to/blender

The bpy module's Python or a Blender program runs ``tools/install_and_run.py``. A zip with wheels must do without a
torch in that Python, so one that has it is refused.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).with_name("install_and_run.py")
TIMEOUT_SECONDS = 900


class CheckError(Exception):
    """What was wrong with the zip; the output of Blender is part of it."""


def sample_photo() -> str:
    """The street photo that the ultralytics package carries."""
    spec = importlib.util.find_spec("ultralytics")
    if spec is None or spec.origin is None:
        raise CheckError("The sample photo comes with ultralytics, which is not installed: give --photo.")
    return str(Path(spec.origin).parent / "assets" / "bus.jpg")


def has_wheels(zip_path: Path) -> bool:
    with zipfile.ZipFile(zip_path) as archive:
        return any(name.endswith(".whl") for name in archive.namelist())


def check(zip_path: Path, program: list[str], photo: str, resolution: int = 96) -> dict[str, Any]:
    """Run the driver with ``program`` in an empty user folder; returns its report. Raises :class:`CheckError`."""
    with tempfile.TemporaryDirectory(prefix="phorhum-check-") as folder:
        report_path = Path(folder, "report.json")
        environment = {**os.environ, "BLENDER_USER_RESOURCES": str(Path(folder, "user"))}
        arguments = [str(zip_path.resolve()), photo, str(resolution), str(report_path)]
        done = subprocess.run(
            [*program, str(DRIVER), "--", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        if done.returncode or not report_path.exists():
            raise CheckError(f"exit status {done.returncode}\n{done.stdout}")
        report = json.loads(report_path.read_text())
    if has_wheels(zip_path) and report["torch_before"]:
        raise CheckError("This Python has torch already, so the wheels in the zip prove nothing.")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zip", type=Path)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--bpy-python", help="a Python that has the bpy module")
    where.add_argument("--blender", help="a Blender program")
    parser.add_argument("--photo", default="", help="default: the street photo of the ultralytics package")
    parser.add_argument("--resolution", type=int, default=96)
    options = parser.parse_args()
    if options.blender:
        program = [options.blender, "--background", "--python-exit-code", "1", "--python"]
    else:
        program = [options.bpy_python]
    try:
        report = check(options.zip, program, options.photo or sample_photo(), options.resolution)
    except CheckError as error:
        print(f"check_zip: {options.zip.name}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
