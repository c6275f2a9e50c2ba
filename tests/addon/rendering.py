"""Renders with Cycles on the CPU and reads linear colours back."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils.bvhtree import BVHTree


def render_linear(scene: bpy.types.Scene, folder: Path, samples: int) -> np.ndarray:
    """(H, W, 3) linear, first row on top, as the scene's camera sees it."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = False
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(folder / "render.exr")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.array(image.pixels[:], dtype=np.float32).reshape(image.size[1], image.size[0], image.channels)
    return pixels[::-1, :, :3]


def visible_vertices(scene: bpy.types.Scene, person: bpy.types.Object, facing: float = 0.3) -> np.ndarray:
    """Indices of the vertices that the camera sees, without those on the rim (cosine below ``facing``)."""
    tree = BVHTree.FromObject(person, bpy.context.evaluated_depsgraph_get())
    eye = scene.camera.matrix_world.translation
    seen = []
    for vertex, normal in zip(person.data.vertices, person.data.vertex_normals, strict=True):
        towards = (eye - vertex.co).normalized()
        if normal.vector.dot(towards) > facing and tree.ray_cast(vertex.co + 1e-3 * towards, towards)[0] is None:
            seen.append(vertex.index)
    return np.array(seen)


def sample(picture: np.ndarray, scene: bpy.types.Scene, points: np.ndarray) -> np.ndarray:
    """(N, 3) colours of ``picture`` where the scene's camera sees ``points`` (N, 3), nearest pixel."""
    from mathutils import Vector

    height, width = picture.shape[:2]
    colours = []
    for point in points:
        x, y, _ = world_to_camera_view(scene, scene.camera, Vector(point))
        colours.append(picture[min(int((1 - y) * height), height - 1), min(int(x * width), width - 1)])
    return np.array(colours)


def look_up(image, places):
    """(N, 3) sRGB of ``image`` at ``places`` (N, 2), bilinear as renderers do."""
    size = image.size[0]
    pixels = np.empty(size * size * 4, dtype=np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(size, size, 4)[..., :3]
    at = places * size - 0.5
    low = np.floor(at).astype(int)
    part = at - low
    total = np.zeros((len(places), 3))
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            x, y = np.clip(low + (dx, dy), 0, size - 1).T
            total += weight[:, None] * pixels[y, x]
    return total
