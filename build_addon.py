"""Build the extension's zip for Blender: one for each platform and Python, or a slim one without wheels.

    python build_addon.py --platform linux-x64 --python 3.11
    python build_addon.py --slim

The zip is made and validated by Blender's own extension tool, which comes with the ``bpy`` package; ``--blender``
takes a Blender program instead. The same sources and wheels give the same bytes.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "phorhum_blender"
SUFFIXES = {".py", ".safetensors", ".md", ".json"}
WEIGHTS = tuple(f"weights/{name}.safetensors" for name in ("phorhum", "head", "detector", "segmenter"))
# where Blender unpacks an extension's wheels on Windows, for the longest name that a local account can have there
WINDOWS_PACKAGES = (
    f"C:\\Users\\{'n' * 20}\\AppData\\Roaming\\Blender Foundation\\Blender\\5.2\\extensions\\.local\\lib\\"
    "python3.13\\site-packages\\"
)
WINDOWS_LIMIT = 259  # characters of a path, as programs of Windows see it unless the user allows longer ones


class BuildError(Exception):
    """Something that stops the build, in one sentence."""


@dataclass(frozen=True)
class Platform:
    """One of Blender's platforms: the tags its wheels may carry and the values its environment markers have."""

    tags: tuple[str, ...]
    sys_platform: str
    platform_machine: str
    platform_system: str


# glibc 2.28 is what Blender's own Linux builds ask for.
_MANYLINUX = tuple(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1))
PLATFORMS = {
    "linux-x64": Platform((*_MANYLINUX, "manylinux2014_x86_64", "linux_x86_64"), "linux", "x86_64", "Linux"),
    "windows-x64": Platform(("win_amd64",), "win32", "AMD64", "Windows"),
    "macos-arm64": Platform(("macosx_14_0_arm64",), "darwin", "arm64", "Darwin"),
    "macos-x64": Platform(("macosx_14_0_x86_64",), "darwin", "x86_64", "Darwin"),
}


@dataclass(frozen=True)
class BlenderRange:
    """The Blender versions that bring one version of Python: from ``first`` up to, not including, ``end``."""

    first: str
    end: str | None


PYTHONS = {"3.11": BlenderRange("4.2.0", "5.1.0"), "3.13": BlenderRange("5.1.0", None)}


def vendor_requirements(platform: str, python: str) -> list[Requirement]:
    """The pins of vendor_requirements.txt whose markers hold on the target (pip would ask this machine's instead)."""
    target = PLATFORMS[platform]
    environment = {
        "sys_platform": target.sys_platform,
        "platform_machine": target.platform_machine,
        "platform_system": target.platform_system,
        "os_name": "nt" if platform == "windows-x64" else "posix",
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    lines = (line.partition("#")[0].strip() for line in (ROOT / "vendor_requirements.txt").read_text().splitlines())
    wanted = [Requirement(line) for line in lines if line]
    return [pin for pin in wanted if pin.marker is None or pin.marker.evaluate(environment)]


def wheel_for(pin: Requirement, folder: Path) -> Path | None:
    """The wheel in ``folder`` that fulfils ``pin``; of several, the one with a local version such as ``+cpu``."""
    found: list[tuple[Version, Path]] = []
    for path in folder.glob("*.whl"):
        name, version, _, _ = parse_wheel_filename(path.name)
        if name == canonicalize_name(pin.name) and pin.specifier.contains(version, prereleases=True):
            found.append((version, path))
    return max(found)[1] if found else None


def download_wheels(platform: str, python: str, cache: Path) -> list[Path]:
    """The vendored wheels of the target, sorted by name; fetched with pip where ``cache`` lacks them."""
    folder = cache / f"{platform}-py{python.replace('.', '')}"
    folder.mkdir(parents=True, exist_ok=True)
    wheels = []
    for pin in vendor_requirements(platform, python):
        wheel = wheel_for(pin, folder)
        if wheel is None:
            _pip_download(pin, platform, python, folder)
            wheel = wheel_for(pin, folder)
        if wheel is None:
            raise BuildError(f"pip found no wheel of {pin.name}{pin.specifier} for {platform}, Python {python}.")
        wheels.append(wheel)
    _refuse_cuda(wheels, platform)
    if platform == "windows-x64":
        _refuse_long_paths(wheels)
    return sorted(wheels, key=lambda path: path.name)


def _pip_download(pin: Requirement, platform: str, python: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, "--dest", str(folder)]
    for tag in PLATFORMS[platform].tags:
        command += ["--platform", tag]
    if subprocess.run([*command, f"{pin.name}{pin.specifier}"]).returncode:
        raise BuildError(f"pip could not download {pin.name}{pin.specifier} for {platform}, Python {python}.")


def _refuse_cuda(wheels: list[Path], platform: str) -> None:
    for wheel in wheels:
        name, version, _, _ = parse_wheel_filename(wheel.name)
        if platform == "linux-x64" and name == "torch" and version.local != "cpu":
            raise BuildError(
                f"{wheel.name} is a CUDA build that needs gigabytes of other wheels: "
                "delete it and set PIP_EXTRA_INDEX_URL to PyTorch's index of CPU wheels."
            )


def longest_path(wheel: Path) -> str:
    """The longest name of a file in ``wheel`` as it lies once installed, relative to the folder of packages."""
    with zipfile.ZipFile(wheel) as archive:
        names = (re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", name) for name in archive.namelist())
        return max(names, key=len, default="")


def _refuse_long_paths(wheels: list[Path]) -> None:
    for wheel in wheels:
        inside = longest_path(wheel)
        length = len(WINDOWS_PACKAGES) + len(inside)
        if length > WINDOWS_LIMIT:
            told = f"{wheel.name} holds {inside}, a path of {length} characters"
            raise BuildError(f"{told}; Windows ends at {WINDOWS_LIMIT}.")


def manifest_text(additions: dict[str, str | list[str]]) -> str:
    """The project's manifest with ``additions`` to (or instead of) its top-level values."""
    head, table, tail = (ROOT / "blender_manifest.toml").read_text().partition("\n[permissions]")
    for key, value in additions.items():
        head = re.sub(rf"(?m)^{key} = .*\n", "", head) + f"{key} = {_toml(value)}\n"
    return head + table + tail


def _toml(value: str | list[str]) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return "[\n" + "".join(f'  "{item}",\n' for item in value) + "]"


def extension_files() -> list[Path]:
    """The package's own files that ship, relative to the package, sorted."""
    files = sorted(
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts
    )
    for weights in WEIGHTS:
        if Path(weights) not in files:
            raise BuildError(f"phorhum_blender/{weights} is missing; train it or restore it from the repository.")
    return files


def stage(folder: Path, wheels: list[Path], additions: dict[str, str | list[str]]) -> None:
    """Lay out the extension in ``folder``: the package's files at its root, LICENSE, ``wheels/`` and the manifest."""
    for relative in extension_files():
        _copy(PACKAGE / relative, folder / relative)
    _copy(ROOT / "LICENSE", folder / "LICENSE")
    for wheel in wheels:
        _copy(wheel, folder / "wheels" / wheel.name)
    if wheels:
        additions = {**additions, "wheels": [f"./wheels/{wheel.name}" for wheel in wheels]}
    (folder / "blender_manifest.toml").write_text(manifest_text(additions))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def repack(source: Path, target: Path) -> None:
    """Write the zip anew with sorted names, one fixed date and plain permissions, so that its bytes are repeatable."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in sorted(old.namelist()):
            info = zipfile.ZipInfo(name)  # dated 1980-01-01, the first day that a zip can hold
            info.external_attr = 0o644 << 16
            info.compress_type = old.getinfo(name).compress_type
            info.file_size = old.getinfo(name).file_size
            with old.open(name) as reader, new.open(info, "w") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)


def extension_tool(blender: str) -> list[str]:
    """The start of a command line of Blender's extension tool. Raises :class:`BuildError` without bpy or Blender."""
    if blender:
        return [blender, "--command", "extension"]
    spec = importlib.util.find_spec("bpy")
    origin = spec.origin if spec else None
    for script in Path(origin or "").parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
        return [sys.executable, str(script)]
    raise BuildError("Blender's extension tool is missing: install bpy or give --blender.")


def _run_tool(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"Blender's extension tool refused: {(done.stdout + done.stderr).strip()}")


def zip_name(platform: str, python: str, slim: bool) -> str:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    stem = f"{manifest['id']}-{manifest['version']}"
    if slim:
        return f"{stem}-slim.zip"
    return f"{stem}-{platform.replace('-', '_')}-py{python.replace('.', '')}.zip"


def build(platform: str, python: str, slim: bool, output_dir: Path, cache: Path, blender: str = "") -> Path:
    """Build and validate one zip; returns its path. Raises :class:`BuildError`."""
    wheels: list[Path] = []
    additions: dict[str, str | list[str]] = {}
    if not slim:
        if (platform, python) == ("macos-x64", "3.13"):
            raise BuildError("There is no PyTorch for Intel Macs with Python 3.13, so no zip with wheels either.")
        wheels = download_wheels(platform, python, cache)
        versions = PYTHONS[python]
        additions["blender_version_min"] = versions.first
        if versions.end:
            additions["blender_version_max"] = versions.end
        additions["platforms"] = [platform]
    output_dir.mkdir(parents=True, exist_ok=True)
    target = (output_dir / zip_name(platform, python, slim)).resolve()
    tool = extension_tool(blender)
    with tempfile.TemporaryDirectory(prefix="phorhum-build-") as folder:
        staged, built = Path(folder, "extension"), Path(folder, "built.zip")
        stage(staged, wheels, additions)
        _run_tool([*tool, "build", "--source-dir", str(staged), "--output-filepath", str(built)])
        repack(built, target)
    _run_tool([*tool, "validate", str(target)])
    return target


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", choices=PLATFORMS, default="linux-x64", help="Blender's name of the platform")
    parser.add_argument("--python", choices=PYTHONS, default="3.11", help="3.11: Blender 4.2 to 5.0; 3.13: 5.1 and on")
    parser.add_argument("--slim", action="store_true", help="no wheels: for a Blender whose Python has torch already")
    parser.add_argument("--output-dir", type=Path, default=ROOT / "dist")
    parser.add_argument("--wheel-cache", type=Path, default=ROOT / "build" / "wheels")
    parser.add_argument("--blender", default="", help="a Blender program whose extension tool is to be used")
    options = parser.parse_args(arguments)
    try:
        path = build(
            options.platform, options.python, options.slim, options.output_dir, options.wheel_cache, options.blender
        )
    except BuildError as error:
        print(f"build_addon: {error}", file=sys.stderr)
        return 1
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
