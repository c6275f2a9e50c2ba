"""Our shading of people against Cycles': the same person, the same environment map, white and diffuse.

    python -m benchmarks.light_check --assets ../shared/assets [--people 3] [--samples 256]

Training shades by which directions each pixel sees (``training.render.visibility``) and the light of each
(``training.light.shade``). Cycles renders the person by direct light alone, as training does, and
once more with light that bounces; linear, no view transform. Each shading is brought to the exposure of training, mean
0.8, and their mean absolute difference over the visible pixels should be 0.03 at the most. The table goes into
docs/training.md.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path

import bpy
import numpy as np

from training.cache import Placed, random_placed
from training.dataset import LEAST_SHADING
from training.evaluate import markdown_table, write_section
from training.held_out import render
from training.light import ENVIRONMENT_SUFFIXES, Environment, Light, lit_pixels, read_environment, shade
from training.render import ALPHA_CUT, vertex_normals

MEAN_SHADING = 0.8  # as in training, see training.dataset.make_photo
LARGEST_ERROR = 0.03
BOUNCES = 4  # of the render that is told for information
PICTURE = 128  # pixels a side of Cycles' pictures, of which each covers several of ours
FIRST_PERSON = 900_000  # seed of the first person
GOLDEN = 0.618  # the golden ratio's fraction: turns of the maps that are spread evenly
# crop space (x right, y up, z towards the camera) to Blender's (x right, y away from the camera, z up)
TO_BLENDER = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])


class Studio:
    """A person before the crop's camera, ready to be rendered by Cycles under one environment map after another."""

    def __init__(self, placed: Placed, size: int = PICTURE):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = bpy.context.scene
        self.scene.collection.objects.link(bpy.data.objects.new("Person", person_mesh(placed)))
        self.scene.collection.objects.link(crop_camera(placed.distance))
        self.scene.camera = bpy.data.objects["Camera"]
        self.scene.world = bpy.data.worlds.new("World")
        self.scene.world.use_nodes = True
        render = self.scene.render
        render.engine, render.film_transparent = "CYCLES", True
        render.resolution_x = render.resolution_y = size
        render.threads_mode, render.threads = "FIXED", 1
        render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
        render.image_settings.color_mode = "RGBA"
        self.scene.view_settings.view_transform = "Raw"
        self.scene.cycles.device = "CPU"
        self.scene.cycles.use_denoising = self.scene.cycles.use_adaptive_sampling = False
        self.scene.cycles.sample_clamp_direct = self.scene.cycles.sample_clamp_indirect = 0
        self.scene.cycles.pixel_filter_type = "BOX"

    def light(self, environment: np.ndarray) -> None:
        """Sets the linear lat-long map (H, W, 3), row 0 up, its middle column behind the person, at Blender's +y.

        Blender looks up column 1/2 - atan2(y, x) / 2 pi, from 0 to 1, for a direction (x, y, z).
        """
        rows, columns = environment.shape[:2]
        turned = np.roll(environment, -columns // 4, axis=1)
        image = bpy.data.images.new("Environment", columns, rows, float_buffer=True, is_data=True)
        pixels = np.ones((rows, columns, 4), np.float32)
        pixels[..., :3] = turned[::-1]  # Blender's first row is the lowest
        image.pixels.foreach_set(pixels.reshape(-1))
        tree = self.scene.world.node_tree
        for old in [node for node in tree.nodes if node.type == "TEX_ENVIRONMENT"]:
            bpy.data.images.remove(old.image)
            tree.nodes.remove(old)
        texture = tree.nodes.new("ShaderNodeTexEnvironment")
        texture.image = image
        tree.links.new(texture.outputs["Color"], tree.nodes["Background"].inputs["Color"])

    def render(self, samples: int, bounces: int = 0) -> np.ndarray:
        """(S, S, 4) float32, row 0 up: linear radiance of what covers each pixel, and how much of it is covered."""
        self.scene.cycles.samples, self.scene.cycles.max_bounces = samples, bounces
        self.scene.cycles.diffuse_bounces = bounces
        with tempfile.TemporaryDirectory() as folder:
            self.scene.render.filepath = str(Path(folder) / "render.exr")
            bpy.ops.render.render(write_still=True)
            image = bpy.data.images.load(self.scene.render.filepath)
            pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
            image.pixels.foreach_get(pixels)
            bpy.data.images.remove(image)
        picture = pixels.reshape(self.scene.render.resolution_y, -1, 4)[::-1].copy()
        picture[..., :3] /= np.maximum(picture[..., 3:], 1e-6)
        return picture


def person_mesh(placed: Placed) -> bpy.types.Mesh:
    """The person, white and diffuse, with the normals that training shades and hair cards cut out."""
    subject = placed.subject
    mesh = bpy.data.meshes.new("Person")
    mesh.from_pydata((placed.vertices @ TO_BLENDER.T).tolist(), [], subject.faces.tolist())
    mesh.uv_layers.new().data.foreach_set("uv", subject.uv[subject.face_uv].astype(np.float32).reshape(-1))
    for texture in subject.textures:
        mesh.materials.append(white_material(texture))
    mesh.polygons.foreach_set("material_index", subject.material.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(subject.faces), bool))
    mesh.normals_split_custom_set_from_vertices(vertex_normals(placed.vertices, subject.faces) @ TO_BLENDER.T)
    return mesh


def white_material(texture: np.ndarray) -> bpy.types.Material:
    """White and diffuse where ``texture`` (H, W, 4) uint8 is opaque, nothing where its alpha cuts it out."""
    material = bpy.data.materials.new("White")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    diffuse, output = tree.nodes.new("ShaderNodeBsdfDiffuse"), tree.nodes.new("ShaderNodeOutputMaterial")
    diffuse.inputs["Color"].default_value = (1, 1, 1, 1)
    tree.links.new(diffuse.outputs["BSDF"], output.inputs["Surface"])
    if (texture[..., 3] >= ALPHA_CUT).all():
        return material
    rows, columns = texture.shape[:2]
    image = bpy.data.images.new("Cover", columns, rows, is_data=True)
    cover = np.repeat((texture[::-1, :, 3:] >= ALPHA_CUT).astype(np.float32), 4, axis=2)
    image.pixels.foreach_set(cover.reshape(-1))
    lookup, mix = tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeMixShader")
    lookup.image, lookup.interpolation = image, "Closest"
    tree.links.new(lookup.outputs["Color"], mix.inputs["Fac"])
    tree.links.new(tree.nodes.new("ShaderNodeBsdfTransparent").outputs["BSDF"], mix.inputs[1])
    tree.links.new(diffuse.outputs["BSDF"], mix.inputs[2])
    tree.links.new(mix.outputs["Shader"], output.inputs["Surface"])
    return material


def crop_camera(distance: float) -> bpy.types.Object:
    """The crop's camera: ``distance`` before the plane z = 0, of which it sees [-1, 1] each way."""
    data = bpy.data.cameras.new("Camera")
    data.angle = 2 * np.arctan(1 / distance)
    data.clip_start = 0.01
    camera = bpy.data.objects.new("Camera", data)
    camera.location, camera.rotation_euler = (0, -distance, 0), (np.pi / 2, 0, 0)
    return camera


@dataclass(frozen=True)
class Check:
    """One person under one environment map."""

    error: float  # mean absolute difference from Cycles by direct light, both at mean 0.8
    bounces: float  # the same as ``error``, where Cycles lets light bounce
    brightness: float  # mean of our shading / mean of Cycles' by direct light, before exposure


def check(studio: Studio, sample: dict[str, np.ndarray], environment: np.ndarray, turn: float, samples: int) -> Check:
    """Compares ``sample``'s shading, laid out as :func:`training.cache.load_sample` does, with the studio's."""
    light = Environment(environment).light.turned(turn)
    studio.light(np.roll(environment, round(turn * environment.shape[1]), axis=1))
    error, brightness = difference(sample, light, studio.render(samples))
    bounces, _ = difference(sample, light, studio.render(max(samples // 4, 1), BOUNCES))  # for information only
    return Check(error, bounces, brightness)


def difference(sample: dict[str, np.ndarray], light: Light, theirs: np.ndarray) -> tuple[float, float]:
    """Mean absolute difference of ``sample``'s shading under ``light`` from ``theirs``, a picture of
    :meth:`Studio.render`, each at the exposure of training; and the quotient of their means before that."""
    hit = sample["hit"]
    shading = np.zeros((*hit.shape, 3), np.float32)
    shading[hit] = np.maximum(shade(light, *lit_pixels(sample)), LEAST_SHADING)
    cover = shrink(hit.astype(np.float32), len(theirs))
    seen = (cover > 0.5) & (theirs[..., 3] > 0.5)
    a = (shrink(shading, len(theirs)) / np.maximum(cover, 0.5)[..., None])[seen]
    b = np.maximum(theirs[seen][:, :3], LEAST_SHADING)
    return float(np.abs(a / a.mean() - b / b.mean()).mean() * MEAN_SHADING), float(a.mean() / b.mean())


def shrink(picture: np.ndarray, size: int) -> np.ndarray:
    """The mean of each block of pixels: (S, S, ...) to (size, size, ...); ``size`` divides S."""
    block = len(picture) // size
    return picture.reshape(size, block, size, block, *picture.shape[2:]).mean((1, 3))


def held_out_people(assets: Path, count: int) -> list[Placed]:
    """Held-out people, poses and views, the same whenever it is asked."""
    return [next(random_placed(FIRST_PERSON + number, assets, held_out=True, views=1))[0][0] for number in range(count)]


def measure(assets: Path, people: int, samples: int) -> dict[str, list[Check]]:
    """Name of the environment map -> a check of each of the ``people``."""
    paths = sorted(path for path in (assets / "hdri").iterdir() if path.suffix in ENVIRONMENT_SUFFIXES)
    checks: dict[str, list[Check]] = {path.stem: [] for path in paths}
    for number, placed in enumerate(held_out_people(assets, people)):
        studio, sample = Studio(placed), render(placed, number)
        for k, path in enumerate(paths):
            turn = (number * len(paths) + k) * GOLDEN % 1
            checks[path.stem].append(check(studio, sample, read_environment(path), turn, samples))
            print(path.stem, placed.subject.name, checks[path.stem][-1], flush=True)
    return checks


def table(checks: dict[str, list[Check]]) -> str:
    """A row for each environment map, worst last, and their mean, as Markdown."""
    means = {name: np.mean([astuple(c) for c in of], 0) for name, of in checks.items()}
    worst = {name: max(c.error for c in of) for name, of in checks.items()}
    rows = [[name, worst[name], *means[name]] for name in sorted(means, key=lambda name: means[name][0])]
    rows.append(["mean", float(np.mean(list(worst.values()))), *np.mean(list(means.values()), 0)])
    heading = ["environment", "error", "worst person", "with bounces", "brightness"]
    cells = [[name, *(f"{x:.3f}" for x in (error, most, *rest))] for name, most, error, *rest in rows]
    return markdown_table(heading, cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--samples", type=int, default=256, help="of Cycles, a pixel")
    parser.add_argument("--docs", type=Path, default=Path("docs/training.md"), help="document that gets the table")
    args = parser.parse_args()
    checks = measure(args.assets, args.people, args.samples)
    good = sum(np.mean([c.error for c in of]) <= LARGEST_ERROR for of in checks.values())
    head = f"People: {args.people}; {args.samples} samples a pixel; {good} of {len(checks)} at most {LARGEST_ERROR}."
    write_section(args.docs, "light against Cycles", f"{head}\n\n{table(checks)}", "benchmarks.light_check")
    print(table(checks))


if __name__ == "__main__":
    main()
