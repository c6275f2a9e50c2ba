"""One photo becomes a person: runs the add-on's operator in Blender's Python module and leaves three files.

``person.blend`` is the scene, ``person.glb`` the coloured mesh, ``person.png`` a picture of the person from the front,
the side and the back, lit as in the photo, and of the albedo alone.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bpy  # noqa: E402
import numpy as np  # noqa: E402
from mathutils import Vector  # noqa: E402
from PIL import Image  # noqa: E402

import phorhum_blender  # noqa: E402

PANEL_HEIGHT = 640  # pixels
SAMPLES = 16
# The man in full view. Named, because the detector that ships takes in more of the bus when it finds him by itself.
SAMPLE_BOX = (48.0, 398.0, 242.0, 905.0)
PAPER = 235  # grey behind the person, 0..255
VIEWS = {"front": (0.0, -1.0), "side": (1.0, 0.0), "back": (0.0, 1.0)}  # where the camera stands, x and y


def main() -> None:
    options = parse_arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0  # no person.blend1 beside the person.blend of a second run
    phorhum_blender.register()
    try:
        bpy.ops.phorhum.reconstruct(
            filepath=str(options.photo.resolve()),
            person=options.person,
            box=options.box,
            resolution=options.resolution,
        )
    except RuntimeError:  # Blender has printed the sentence that the operator reported
        sys.exit(1)
    finally:
        phorhum_blender.unregister()
    person = bpy.context.object
    blend, glb, png = (options.output / f"person.{suffix}" for suffix in ("blend", "glb", "png"))
    bpy.ops.wm.save_as_mainfile(filepath=str(blend.resolve()), check_existing=False)
    bpy.ops.export_scene.gltf(filepath=str(glb.resolve()), export_format="GLB", use_selection=True)
    with quiet():
        panels = render_panels(person)
    Image.fromarray(np.concatenate(panels, axis=1)).save(png)
    for path in (blend, glb, png):
        print(path)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what Blender prints while it renders, hundreds of lines, off the terminal."""
    sys.stdout.flush()
    terminal = os.dup(1)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(terminal, 1)
        os.close(terminal)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", type=Path, help="default: the sample photo of the ultralytics package")
    parser.add_argument("--person", type=int, default=0, help="which of several people, 0 the largest (default)")
    parser.add_argument(
        "--box",
        nargs=4,
        type=float,
        default=(0.0,) * 4,
        metavar=("X0", "Y0", "X1", "Y1"),
        help="the person's box in pixels of the upright photo, in place of the search",
    )
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--output", type=Path, default=Path("out"), help="folder for the files (default: out)")
    options = parser.parse_args()
    if not options.photo:
        options.photo, options.box = sample_photo(), SAMPLE_BOX
    return options


def sample_photo() -> Path:
    """A street with several people. The package is only looked for, as importing it has side effects."""
    spec = importlib.util.find_spec("ultralytics")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("The ultralytics package, whose sample photo this would use, is not installed. Name a photo.")
    return Path(spec.submodule_search_locations[0]) / "assets" / "bus.jpg"


def render_panels(person: bpy.types.Object) -> list[np.ndarray]:
    """(H, W, 3) uint8 sRGB pictures: front, side and back under the light rig, then the albedo from the front."""
    corners = np.array([person.matrix_world @ Vector(corner) for corner in person.bound_box])
    centre, extent = (corners.min(axis=0) + corners.max(axis=0)) / 2, np.ptp(corners, axis=0)
    set_up_rendering(extent)
    camera = add_camera(extent)
    panels = [render_from(camera, centre, stand) for stand in VIEWS.values()]
    bpy.context.view_layer.material_override = unlit_albedo()
    return [*panels, render_from(camera, centre, VIEWS["front"])]


def set_up_rendering(extent: np.ndarray) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.resolution_percentage = 100
    scene.render.resolution_y = PANEL_HEIGHT
    scene.render.resolution_x = round(PANEL_HEIGHT * (max(extent[:2]) + 0.1 * extent[2]) / (1.1 * extent[2]))


def add_camera(extent: np.ndarray) -> bpy.types.Object:
    data = bpy.data.cameras.new("Demo")
    data.type, data.sensor_fit = "ORTHO", "VERTICAL"
    data.ortho_scale = 1.1 * extent[2]
    camera = bpy.data.objects.new("Demo", data)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    return camera


def unlit_albedo() -> bpy.types.Material:
    material = bpy.data.materials.new("Albedo")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    colour = tree.nodes.new("ShaderNodeVertexColor")
    colour.layer_name = "Albedo"
    glow, output = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(colour.outputs["Color"], glow.inputs["Color"])
    tree.links.new(glow.outputs["Emission"], output.inputs["Surface"])
    return material


def render_from(camera: bpy.types.Object, centre: np.ndarray, stand: tuple[float, float]) -> np.ndarray:
    away = Vector((*stand, 0.0))
    camera.location = Vector(centre) + 10.0 * away
    camera.rotation_euler = away.to_track_quat("Z", "Y").to_euler()
    with tempfile.TemporaryDirectory() as folder:
        bpy.context.scene.render.filepath = str(Path(folder) / "panel.png")
        bpy.ops.render.render(write_still=True)
        picture = np.asarray(Image.open(bpy.context.scene.render.filepath), dtype=np.float32)
    alpha = picture[..., 3:] / 255
    return (picture[..., :3] * alpha + PAPER * (1 - alpha)).round().astype(np.uint8)


if __name__ == "__main__":
    main()
