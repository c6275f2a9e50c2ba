"""What a bug report needs, as text without private paths."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..engine.bugs import mask_private
from . import engine_process, measured
from .preferences import machine

PACKAGES = (
    "torch", "numpy", "scipy", "scikit-image", "opencv-python-headless", "opencv-python", "pillow", "safetensors",
    "ultralytics",
)  # fmt: skip
LOG_TAIL = 50_000  # bytes of the log that are copied
_ROOT = Path(__file__).parents[1]


@dataclass
class Last:
    """Of the last reconstruction."""

    photos: tuple[str, ...] = ()  # paths, which the text does not tell
    error: str = ""
    report: dict[str, Any] = field(default_factory=dict)


last = Last()


def diagnosis(context: bpy.types.Context) -> str:
    """Versions, weights, settings, last error and last report; takes part of a second."""
    here = machine(context)
    lines = [
        f"PHORHUM {_version()}",
        f"Blender {bpy.app.version_string} {bpy.app.build_hash.decode(errors='replace')}",
        f"System {platform.platform()} {platform.machine()}, {os.cpu_count()} processors",
        f"Python {platform.python_version()}",
        f"Packages {', '.join(_packages()) or 'none'}",
        f"Devices {' '.join(measured.knowledge().devices)}",
        f"Settings device {here.device}, threads {here.threads}, detector {Path(here.detector).name or 'built-in'}",
        *(f"Weights {path.name} {_sha256(path)}" for path in sorted(_ROOT.glob("weights/*.safetensors"))),
        f"Last error {last.error or 'none'}",
        f"Last report {json.dumps(last.report) if last.report else 'none'}",
    ]
    return _masked("\n".join(lines) + "\n")


def log_tail() -> str:
    """The end of the engine's log; empty where there is none yet."""
    try:
        with open(engine_process.log_path(), "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - LOG_TAIL))
            return _masked(file.read().decode("utf-8", errors="replace"))
    except FileNotFoundError:
        return ""


def _masked(text: str) -> str:
    """``text`` without the user's home folder and without the photos' paths and names."""
    for photo in last.photos:
        text = text.replace(photo, "<photo>").replace(os.path.basename(photo), "<photo>")
    return mask_private(text)


def _version() -> str:
    manifest = _ROOT / "blender_manifest.toml"
    if not manifest.exists():
        return "not installed as an extension"
    return tomllib.loads(manifest.read_text(encoding="utf-8"))["version"]


def _packages() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
