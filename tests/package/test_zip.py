"""The zip: built by Blender's own tool, repeatable, holding what it must and no more, and working once installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import build_addon


@pytest.fixture(scope="module")
def slim_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    return build_addon.build("linux-x64", "3.11", True, folder, folder / "wheels")


@pytest.fixture(scope="module")
def check_zip(repo_root: Path):
    """The module tools/check_zip.py."""
    spec = importlib.util.spec_from_file_location("check_zip", repo_root / "tools/check_zip.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _fake_wheels(folder: Path, names: list[str], target: str = "linux-x64-py311", file: str = "") -> Path:
    """A wheel cache for ``target`` with a wheel of each name that holds ``file``, or one small module."""
    (folder / target).mkdir(parents=True)
    for name in names:
        with zipfile.ZipFile(folder / target / name, "w") as wheel:
            wheel.writestr(file or f"{name.partition('-')[0]}.py", "")
    return folder


def _wheel_names(
    torch: str = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", platform: str = "linux-x64"
) -> list[str]:
    pins = [pin for pin in build_addon.vendor_requirements(platform, "3.11") if pin.name != "torch"]
    plain = [f"{pin.name.replace('-', '_')}-{str(pin.specifier)[2:]}-py3-none-any.whl" for pin in pins]
    return [torch, *plain]


def test_slim_zip_holds_the_package_and_nothing_else(slim_zip: Path, repo_root: Path) -> None:
    names = zipfile.ZipFile(slim_zip).namelist()
    package = repo_root / "phorhum_blender"
    sources = {path.relative_to(package).as_posix() for path in package.rglob("*.py")}
    assert {"blender_manifest.toml", "LICENSE", "__init__.py", *build_addon.WEIGHTS} <= set(names)
    assert {name for name in names if name.endswith(".py")} == sources
    assert {name.partition("/")[0] for name in names if "/" in name} == {"addon", "engine", "worker", "weights"}
    assert names == sorted(set(names))


def test_the_same_sources_give_the_same_bytes(slim_zip: Path, tmp_path: Path) -> None:
    again = build_addon.build("linux-x64", "3.11", True, tmp_path, tmp_path)
    assert again.read_bytes() == slim_zip.read_bytes()


def test_blenders_tool_refuses_a_bad_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    additions = {"tagline": "This sentence ends with a full stop."}
    monkeypatch.setattr(build_addon, "manifest_text", lambda _, real=build_addon.manifest_text: real(additions))
    with pytest.raises(build_addon.BuildError, match="tagline"):
        build_addon.build("linux-x64", "3.11", True, tmp_path, tmp_path)
    assert list(tmp_path.glob("*.zip")) == []


def test_zip_with_wheels_names_them_once_with_platform_and_versions(tmp_path: Path) -> None:
    cache = _fake_wheels(tmp_path / "wheels", _wheel_names())
    path = build_addon.build("linux-x64", "3.11", False, tmp_path, cache)
    archive = zipfile.ZipFile(path)
    manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    wheels = [name for name in archive.namelist() if name.endswith(".whl")]
    assert sorted(f"./{name}" for name in wheels) == manifest["wheels"]
    assert len(wheels) == len(set(wheels)) == len(build_addon.vendor_requirements("linux-x64", "3.11"))
    assert manifest["platforms"] == ["linux-x64"]
    assert (manifest["blender_version_min"], manifest["blender_version_max"]) == ("4.2.0", "5.1.0")
    assert not any("numpy" in name for name in wheels)


def test_a_cuda_build_of_torch_is_refused(tmp_path: Path) -> None:
    cache = _fake_wheels(tmp_path / "wheels", _wheel_names("torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl"))
    with pytest.raises(build_addon.BuildError, match="CUDA"):
        build_addon.build("linux-x64", "3.11", False, tmp_path, cache)


@pytest.mark.parametrize("file", ["a" * 135, f"torch-2.12.1.data/purelib/{'a' * 135}"])
def test_paths_fit_into_windows(tmp_path: Path, file: str) -> None:
    """124 characters lead to the packages of a user whose name is as long as Windows allows."""
    names = _wheel_names("torch-2.12.1-cp311-cp311-win_amd64.whl", "windows-x64")
    cache = _fake_wheels(tmp_path / "fits", names, "windows-x64-py311", file)
    assert len(build_addon.download_wheels("windows-x64", "3.11", cache)) == len(names)
    cache = _fake_wheels(tmp_path / "long", names, "windows-x64-py311", f"{file}a")
    with pytest.raises(build_addon.BuildError, match="260 characters"):
        build_addon.download_wheels("windows-x64", "3.11", cache)


def test_all_weights_together_take_less_than_60_mib() -> None:
    files = {path.name: path.stat().st_size for path in (build_addon.PACKAGE / "weights").glob("*.safetensors")}
    assert {f"weights/{name}" for name in files} == set(build_addon.WEIGHTS)
    assert sum(files.values()) < 60 << 20


def test_missing_weights_stop_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setattr(build_addon, "PACKAGE", package)
    with pytest.raises(build_addon.BuildError, match="phorhum.safetensors is missing"):
        build_addon.build("linux-x64", "3.11", True, tmp_path, tmp_path)


def test_no_pytorch_for_intel_macs_with_new_python_is_said_in_one_line(tmp_path: Path, repo_root: Path) -> None:
    command = [sys.executable, str(repo_root / "build_addon.py"), "--platform", "macos-x64", "--python", "3.13"]
    done = subprocess.run([*command, "--output-dir", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "Intel Macs" in done.stderr


def test_installed_extension_reconstructs_a_person(slim_zip: Path, check_zip) -> None:
    """In an empty user folder; the engine's packages come from the Python that runs the tests."""
    report = check_zip.check(slim_zip, [sys.executable], check_zip.sample_photo(), resolution=64)
    assert report["person"]["open_edges"] == 0
