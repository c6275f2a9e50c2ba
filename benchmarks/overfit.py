"""Sanity bar of the networks: learn ONE person from one view, and measure how near the surface comes.

    python -m benchmarks.overfit --assets ../shared/assets

If this does not come under 5 mm within minutes, no longer run will help.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

import igl
import numpy as np
import torch

from phorhum_blender.engine.model import PhorhumModel
from phorhum_blender.engine.surface import extract_surface
from training.cache import BOX, Placed, load_sample, make_sample, random_placed
from training.dataset import halve, make_photo
from training.light import load_environments
from training.losses import compute_losses, total
from training.optimiser import Optimiser

VARIANTS = 4  # lightings of the one view
RATE = 2e-3  # of learning, at its highest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=9, help="of the person, as training.cache counts")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    placed, rng = next(random_placed(args.seed, args.assets))[0]
    sample, environments = stored(make_sample(placed, rng), args.size), load_environments(args.assets)
    rng = np.random.default_rng(0)
    model, started = PhorhumModel(), time.time()
    optimiser = Optimiser(model, RATE)
    for step in range(args.steps):
        made = [make_photo(sample, environments, rng, args.size) for _ in range(VARIANTS)]
        batch = {key: torch.stack([photo[key] for photo in made]) for key in made[0]}
        optimiser.set_rate(RATE * min(1, (step + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * step / args.steps)))
        losses = compute_losses(model, batch, with_patches=False)
        optimiser.zero_grad()
        total(losses).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % 50 == 0:
            print(
                f"{step + 1} steps, {time.time() - started:.0f} s, depth {losses['depth_cm'].item():.2f} cm", flush=True
            )
    there, back = surface_errors(model.eval(), batch, sample["surface"], placed, args.resolution)
    print(f"mean surface error: {there:.1f} mm from the truth to the mesh, {back:.1f} mm from the mesh to the truth")


def stored(sample: dict, size: int) -> dict:
    """The sample as training reads it, for photos of ``size`` pixels."""
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, **sample)
        file.flush()
        sample = load_sample(Path(file.name))
    while size <= sample["hit"].shape[0] // 2:
        sample = halve(sample)
    return sample


@torch.inference_mode()
def surface_errors(
    model: PhorhumModel, batch: dict, truth: np.ndarray, placed: Placed, resolution: int
) -> tuple[float, float]:
    """Mean distances in mm of a 1.70 m person: points ``truth`` (N, 3) of the outer surface to the extracted mesh, and
    that mesh's vertices to the person's triangles."""
    distance, unit = batch["camera"][0].tolist()
    field = model.field(model.encode(batch["image"][:1]), distance)
    surface = extract_surface(lambda points: field.distances(torch.from_numpy(points)).numpy(), BOX, resolution)
    there = distances(truth, surface.vertices, surface.faces).mean()
    back = distances(surface.vertices, placed.vertices, placed.subject.faces).mean()
    return there * unit * 1000, back * unit * 1000


def distances(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(N,) of ``points`` (N, 3) from the nearest triangle."""
    squared = igl.point_mesh_squared_distance(
        np.asarray(points, float), np.asarray(vertices, float), np.asarray(faces, np.int64)
    )[0]
    return np.sqrt(squared)


if __name__ == "__main__":
    main()
