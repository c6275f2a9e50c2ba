"""The whole way in a real Blender: build the slim zip, install it, click the button, look at the person.

    python tools/test_blender.py BLENDER [--wheels FOLDER] [--window COMMAND] [--photo PHOTO] [--out FOLDER]

An empty user folder keeps the user's own Blender out of it. The window is opened on a virtual display (``xvfb-run``);
where there is none, that is said and the operator runs in background instead. The slim zip needs a Blender whose
Python has PyTorch and the other packages of ``vendor_requirements.txt``; ``--wheels`` names a folder of wheels of those
that it lacks, such as ``build/wheels/linux-x64-py311`` after ``make zip``.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from check_zip import CheckError, sample_photo  # noqa: E402

import build_addon  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
IN_WINDOW = Path(__file__).with_name("run_in_window.py")
IN_BACKGROUND = Path(__file__).with_name("run_in_background.py")
SCREEN = "-screen 0 1600x1000x24 +extension GLX"
TIMEOUT_SECONDS = 1200


def run(command: list[str], user: Path) -> str:
    """Blender's output. Raises :class:`CheckError` where it fails."""
    done = subprocess.run(
        command,
        env={**os.environ, "BLENDER_USER_RESOURCES": str(user)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    if done.returncode:
        raise CheckError(f"exit status {done.returncode} of {shlex.join(command)}\n{done.stdout}")
    return done.stdout


def give_wheels(blender: str, wheels: Path, user: Path) -> None:
    """Unpacks the wheels in a folder where Blender unpacks those of an extension."""
    told = run([blender, "-b", "--python-expr", "import sys; print('PYTHON %d.%d' % sys.version_info[:2])"], user)
    version = told.partition("PYTHON ")[2].split()[0]
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(user / "extensions" / ".local" / "lib" / f"python{version}" / "site-packages")


def install(blender: str, zip_path: Path, user: Path) -> None:
    told = run(
        [blender, "--command", "extension", "install-file", "-r", "user_default", "--enable", str(zip_path)], user
    )
    if "STATUS Installed" not in told:  # some refusals leave exit status 0
        raise CheckError(told)


def window_command(blender: str) -> list[str]:
    """Starts ``blender`` on a virtual display; empty where there is none to be had."""
    xvfb = shutil.which("xvfb-run")
    return [xvfb, "-a", "-s", SCREEN, blender] if xvfb else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blender", help="the Blender program")
    parser.add_argument("--wheels", type=Path, help="folder of wheels that this Blender's Python lacks")
    parser.add_argument("--window", default="", help="command that starts this Blender on a display of its own")
    parser.add_argument("--photo", default="", help="default: the street photo of the ultralytics package")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--out", type=Path, default=ROOT / "out", help="folder for the pictures (default: out)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    window = shlex.split(options.window) or window_command(options.blender)
    try:
        arguments = [options.photo or sample_photo(), str(options.resolution), str(options.out.resolve())]
        zip_path = build_addon.build("", "", True, ROOT / "dist", ROOT / "build" / "wheels")
        with tempfile.TemporaryDirectory(prefix="phorhum-blender-") as folder:
            user = Path(folder)
            install(options.blender, zip_path, user)
            if options.wheels:  # afterwards, as installing removes wheels that no extension names
                give_wheels(options.blender, options.wheels, user)
            if window:
                command = [*window, "--window-geometry", "0", "0", "1600", "1000", "--enable-event-simulate"]
                run([*command, "--python-exit-code", "1", "--python", str(IN_WINDOW), "--", *arguments], user)
            else:
                print("test_blender: there is no xvfb-run, so the window is left out", file=sys.stderr)
                command = [options.blender, "--background", "--python-exit-code", "1"]
                run([*command, "--python", str(IN_BACKGROUND), "--", *arguments], user)
    except (CheckError, build_addon.BuildError, subprocess.TimeoutExpired) as error:
        print(f"test_blender: {error}", file=sys.stderr)
        return 1
    print(f"The person was made and is right; pictures and facts are in {options.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
