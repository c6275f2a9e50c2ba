"""Fixtures for all tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.stand_ins import FAKES, ROOT, save_tiny_model, write_fake_site


@pytest.fixture(autouse=True)
def same_chances() -> None:
    """torch draws the same numbers in a test whatever ran before it; where there is a torch."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def repo_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of assets and photos that lies beside the repository on the developers' machines."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the shared assets at {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a tiny, untrained model, always the same."""
    pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_tiny_model(path)
    return path


@pytest.fixture(scope="session")
def fake_engine():
    """The module of tests/fakes/fake_reconstruct.py."""
    spec = importlib.util.spec_from_file_location("fake_reconstruct", FAKES / "fake_reconstruct.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fake_site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A site folder that puts the fake engine in place of the real one in a child process."""
    return write_fake_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def result(fake_engine):
    """A small closed result."""
    return fake_engine.octahedron({"seconds": {"Finding surface": 1 / 3}, "box": [1, 2, 3, 4]})


@pytest.fixture
def with_fake_engine(fake_engine, monkeypatch: pytest.MonkeyPatch):
    """The fake engine in this process."""
    for module in ("reconstruct", "devices"):
        monkeypatch.setitem(sys.modules, f"phorhum_blender.engine.{module}", None)
    fake_engine.install()
