"""The manifest, the pins and the sources of the extension, as they are in the repository."""

from __future__ import annotations

import ast
import importlib.metadata
import itertools
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from build_addon import PLATFORMS, PYTHONS, vendor_requirements

TARGETS = [pair for pair in itertools.product(PLATFORMS, PYTHONS) if pair != ("macos-x64", "3.13")]
BLENDERS_OWN = {"bl_operators", "bl_ui", "blf", "bmesh", "bpy", "bpy_extras", "gpu", "gpu_extras", "mathutils", "numpy"}


@pytest.fixture(scope="module")
def manifest(repo_root: Path) -> dict:
    return tomllib.loads((repo_root / "blender_manifest.toml").read_text())


def test_versions_agree(repo_root: Path, manifest: dict) -> None:
    project = tomllib.loads((repo_root / "pyproject.toml").read_text())["project"]
    assert manifest["version"] == project["version"]
    assert manifest["license"] == [f"SPDX:{project['license']}"]


def test_listed_name_has_no_blender_in_it(manifest: dict) -> None:
    assert "blender" not in manifest["name"].lower()


def test_permissions_are_those_that_the_code_uses(manifest: dict) -> None:
    assert set(manifest["permissions"]) == {"files", "network", "clipboard"}


@pytest.mark.parametrize("platform, python", TARGETS)
def test_each_target_has_one_pin_of_each_package(platform: str, python: str) -> None:
    pins = vendor_requirements(platform, python)
    names = [pin.name for pin in pins]
    assert len(names) == len(set(names))
    assert "torch" in names
    assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) for pin in pins)


@pytest.mark.parametrize("platform, python", TARGETS)
def test_numpy_is_blenders(platform: str, python: str) -> None:
    assert "numpy" not in [pin.name for pin in vendor_requirements(platform, python)]


def test_windows_gets_a_torch_with_short_paths() -> None:
    pins = {pin.name: str(pin.specifier) for pin in vendor_requirements("windows-x64", "3.11")}
    assert pins["torch"] == "==2.12.1"


def test_tests_run_with_the_pins_that_ship() -> None:
    for pin in vendor_requirements("linux-x64", "3.11"):
        assert pin.specifier.contains(importlib.metadata.version(pin.name)), pin.name


def _absolute_imports(path: Path) -> set[str]:
    """Top-level names of the modules that the file imports absolutely."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_the_package_imports_itself_relatively(repo_root: Path) -> None:
    """Inside Blender its name is ``bl_ext.<repository>.phorhum_blender``, so its own plain name leads nowhere."""
    sources = sorted((repo_root / "phorhum_blender").rglob("*.py"))
    assert sources
    assert [path.name for path in sources if "phorhum_blender" in _absolute_imports(path)] == []


def test_what_the_package_imports_travels_in_the_zip(repo_root: Path) -> None:
    vendored = {canonicalize_name(pin.name) for pin in vendor_requirements("linux-x64", "3.11")}
    distributions = importlib.metadata.packages_distributions()
    known = BLENDERS_OWN | set(sys.stdlib_module_names)
    for path in sorted((repo_root / "phorhum_blender").rglob("*.py")):
        for top in _absolute_imports(path) - known:
            assert vendored & {canonicalize_name(name) for name in distributions.get(top, [])}, f"{path}: {top}"
