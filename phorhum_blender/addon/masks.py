"""Masks that the user paints: a picture file of the photo's size, and Blender's image of it that shows the photo."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from ..engine.errors import UserError
from . import compat
from .image_editor import show_all
from .package import user_folder
from .properties import absolute
from .scene.build import stored_request
from .scene.created import Created
from .scene.upright import load_upright

PHOTO_KEY = "phorhum_photo"  # property of a mask: the image of its photo
_DIMMED = 0.2  # of the light of what the mask leaves out
_FIT_SECONDS = 0.2  # after which a new window knows how large it is
_drawing: Any = None  # Blender's handle of the drawing of photos on masks


def make_mask(mask: np.ndarray, photo: str) -> bpy.types.Image:
    """``mask`` (H, W) uint8, first row on top, as an image that is kept in a file of its own, ready to be painted on.

    Raises ``UserError`` where Blender cannot show the photo.
    """
    loaded = Created()
    upright = load_upright(loaded, Path(photo))
    if upright is None:
        raise UserError("Blender cannot show this photo.")
    with Created() as created:
        below = created.add(upright.image.copy())
        compat.draw_unchanged(below)
        loaded.remove()
        image = created.add(_load(_written(mask, _free_path(photo))))
        image[PHOTO_KEY] = below
    return image


def mask_image(path: str) -> bpy.types.Image | None:
    """The mask at ``path`` as it was painted on in this file."""
    return next((image for image in bpy.data.images if PHOTO_KEY in image and absolute(image.filepath) == path), None)


def settled(path: str) -> str:
    """The file of the mask at ``path``. What was painted since goes into a new one, so that who was made with the old
    one can be made again."""
    image = mask_image(path)
    if image is None or not image.is_dirty:
        return path
    image.filepath_raw = _free_path(path)
    image.save()
    return image.filepath_raw


def open_to_paint(image: bpy.types.Image) -> None:
    """Shows ``image`` in an Image Editor in paint mode: the one that shows it already, or a new window.

    It happens after the operator that asks for it: one that opens a window amid its modal run is run once more.
    """
    bpy.app.timers.register(functools.partial(_open_window, image.name), first_interval=0.0)


def _open_window(name: str) -> None:
    image, windows = bpy.data.images.get(name), bpy.context.window_manager.windows
    if image is None or any(_shows(area, image) for window in windows for area in window.screen.areas):
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.wm.window_new()
    area = windows[-1].screen.areas[0]
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image, area.spaces.active.mode = image, "PAINT"
    compat.set_paint_colours(windows[-1].scene.tool_settings, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    bpy.app.timers.register(functools.partial(_show_all, name), first_interval=_FIT_SECONDS)


def _show_all(name: str) -> None:
    """Fits the image into the editors that show it."""
    image = bpy.data.images.get(name)
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if image and _shows(area, image):
                show_all(bpy.context, window, area)


def delete_unused() -> tuple[int, int]:
    """Deletes the masks that were painted and that nothing in the open file names. Returns how many files it deleted,
    and their bytes. Raises ``UserError`` where one can't be deleted."""
    requests = filter(None, map(stored_request, bpy.data.objects))
    named = {absolute(scene.phorhum.mask) for scene in bpy.data.scenes} | {request.mask for request in requests}
    count = size = 0
    for path in Path(user_folder("masks")).glob(_name("*", "*")):
        if str(path) in named:
            continue
        bytes_of_it = path.stat().st_size
        try:
            path.unlink()
        except OSError as error:  # Windows keeps files that are open
            raise UserError(f"Can't delete {path}: {error.strerror}.") from error
        count, size = count + 1, size + bytes_of_it
    return count, size


def draw_photo() -> None:
    """Draws the photo in the place of its mask, dimmed where the mask is black, in the Image Editor being drawn."""
    image = bpy.context.space_data.image
    photo = image.get(PHOTO_KEY) if image else None
    if photo is None:
        return
    shader = gpu.shader.from_builtin("IMAGE_COLOR")
    low, high = (bpy.context.region.view2d.view_to_region(at, at, clip=False) for at in (0.0, 1.0))
    corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    places = {"pos": corners, "texCoord": [(0, 0), (1, 0), (1, 1), (0, 1)]}
    batch = batch_for_shader(shader, "TRI_FAN", places)
    shader.bind()
    for picture, share, blend in ((photo, 1 - _DIMMED, "NONE"), (image, 1.0, "MULTIPLY"), (photo, _DIMMED, "ADDITIVE")):
        gpu.state.blend_set(blend)
        shader.uniform_sampler("image", gpu.texture.from_image(picture))
        shader.uniform_float("color", (share, share, share, 1.0))
        batch.draw(shader)
    gpu.state.blend_set("NONE")


def register() -> None:
    global _drawing
    _drawing = bpy.types.SpaceImageEditor.draw_handler_add(draw_photo, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    bpy.types.SpaceImageEditor.draw_handler_remove(_drawing, "WINDOW")


def _shows(area: bpy.types.Area, image: bpy.types.Image) -> bool:
    return area.type == "IMAGE_EDITOR" and area.spaces.active.image == image


def _free_path(path: str) -> str:
    """A file that is not there yet, for a mask named after the photo or mask at ``path``."""
    stem, number = Path(path).stem.rpartition(" mask ")[0] or Path(path).stem, 1
    folder = user_folder("masks")
    os.makedirs(folder, exist_ok=True)
    while os.path.exists(made := os.path.join(folder, _name(stem, number))):
        number += 1
    return made


def _name(stem: str, number: object) -> str:
    return f"{stem} mask {number}.png"


def _written(mask: np.ndarray, path: str) -> str:
    """``path``, where ``mask`` (H, W) uint8 now lies as PNG."""
    height, width = mask.shape
    image = bpy.data.images.new("mask", width, height)
    image.colorspace_settings.name = "Non-Color"
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = mask[::-1, :, None] / np.float32(255)
    image.pixels.foreach_set(pixels.ravel())
    image.filepath_raw, image.file_format = path, "PNG"
    image.save()
    bpy.data.images.remove(image)
    return path


def _load(path: str) -> bpy.types.Image:
    image = bpy.data.images.load(path)
    image.colorspace_settings.name = "Non-Color"
    return image
