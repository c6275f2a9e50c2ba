"""Small pictures for the panel."""

from __future__ import annotations

import bpy.utils.previews
import numpy as np

_pictures: bpy.utils.previews.ImagePreviewCollection | None = None


def register() -> None:
    global _pictures
    _pictures = bpy.utils.previews.new()


def unregister() -> None:
    global _pictures
    bpy.utils.previews.remove(_pictures)
    _pictures = None


def file_icon(path: str) -> int:
    """Number of the icon that shows the image file at ``path``, which Blender reads in its own time."""
    assert _pictures is not None
    if path not in _pictures:
        _pictures.load(path, path, "IMAGE")
    return _pictures[path].icon_id


def icon(name: str) -> int:
    """Number of the icon kept under ``name``."""
    assert _pictures is not None
    return _pictures[name].icon_id


def keep(name: str, pixels: np.ndarray) -> None:
    """Keeps ``pixels`` (S, S, 4) uint8 sRGB, first row on top, as the picture ``name``."""
    assert _pictures is not None
    if name in _pictures:
        del _pictures[name]
    picture = _pictures.new(name)
    picture.image_size = pixels.shape[1::-1]
    picture.image_pixels_float.foreach_set((pixels[::-1] / np.float32(255)).ravel())
