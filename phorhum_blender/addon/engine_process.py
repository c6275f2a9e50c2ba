"""The engine's child process as this Blender runs it: one client, started on first use and kept warm."""

from __future__ import annotations

import atexit
import os
import sys

import bpy

from ..worker.client import Client
from .package import user_folder

_client: Client | None = None


def client() -> Client:
    global _client
    if _client is None:
        _client = Client(extra_paths=_wheel_folders(), log_path=log_path())
        atexit.register(stop)
    return _client


def running() -> bool:
    """True while the child holds its memory."""
    return _client is not None and _client.running


def stop() -> None:
    global _client
    if _client is not None:
        atexit.unregister(stop)
        _client.stop()
        _client = None


def log_path() -> str:
    return os.path.join(user_folder("logs"), "engine.log")


def _wheel_folders() -> list[str]:
    """Where Blender unpacks the wheels of extensions; a child started with -I does not have it on its path."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = os.path.join(bpy.utils.user_resource("EXTENSIONS"), ".local", "lib", version, "site-packages")
    return [folder] if os.path.isdir(folder) else []
