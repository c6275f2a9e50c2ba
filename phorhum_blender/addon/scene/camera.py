"""The camera that saw the photo, with the photo behind it."""

from __future__ import annotations

import math
from pathlib import Path

import bpy

from ...engine.contracts import PhotoCamera
from .created import Created
from .space import vector_to_blender
from .upright import load_upright

PHOTO_SIZE_KEY = "phorhum_photo_size"  # property of the camera: render at this size to match the photo pixel by pixel
_SENSOR_WIDTH = 36.0  # millimetres


def make_camera(created: Created, name: str, camera: PhotoCamera) -> bpy.types.Object:
    """A camera object that projects as ``camera`` does when rendered at the photo's size."""
    data = created.add(bpy.data.cameras.new(name))
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = _SENSOR_WIDTH
    data.lens = camera.focal / camera.width * _SENSOR_WIDTH
    # Shifts are in units of the width; a shift to the right moves the optical axis to the left of the picture.
    data.shift_x = (camera.width / 2 - camera.principal[0]) / camera.width
    data.shift_y = (camera.principal[1] - camera.height / 2) / camera.width
    data[PHOTO_SIZE_KEY] = [camera.width, camera.height]
    camera_object = created.add(bpy.data.objects.new(name, data))
    camera_object.location = vector_to_blender(camera.position)
    camera_object.rotation_euler = (math.pi / 2 - camera.pitch, 0.0, 0.0)
    data.clip_start = 0.01
    data.clip_end = max(100.0, 10 * camera_object.location.length)
    return camera_object


def add_background(created: Created, camera_object: bpy.types.Object, photo: str) -> bool:
    """Puts the photo behind what the camera sees. False where Blender cannot read it as the engine did."""
    size = tuple(camera_object.data[PHOTO_SIZE_KEY])
    upright = load_upright(created, Path(photo), size)
    if upright is None:
        return False
    background = camera_object.data.background_images.new()
    background.image = upright.image
    background.alpha = 1.0
    camera_object.data.show_background_images = True
    return True
