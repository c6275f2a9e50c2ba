"""The name of the installed add-on and its folder for files of its own."""

from __future__ import annotations

import bpy

PACKAGE = __package__.rpartition(".")[0]  # "bl_ext.<repository>.<id>" where installed as an extension


def user_folder(name: str) -> str:
    """A writable folder that survives updates; the session's temporary one where this is no installed extension."""
    if PACKAGE.startswith("bl_ext."):
        return bpy.utils.extension_path_user(PACKAGE, path=name, create=True)
    return bpy.app.tempdir
