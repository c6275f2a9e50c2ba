"""Sanity bar of the networks: learn ONE person from one view, and measure how near the surface comes.

    python -m benchmarks.overfit --sample CACHE/0000009_0.npz --assets ../shared/assets

If this does not come under 5 mm within minutes, no longer run will help.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from phorhum_blender.engine.model import PhorhumModel
from phorhum_blender.engine.surface import extract_surface
from training.dataset import Photos
from training.light import load_environments
from training.losses import compute_losses, total

BOUNDS = np.array([[-1.1, -1.1, -0.9], [1.1, 1.1, 0.9]])
VARIANTS = 4  # lightings of the one view


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=Path, required=True)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    photos = Photos(args.sample.parent, args.assets, args.size, augment=False)
    sample, environments = photos.load(args.sample), load_environments(args.assets)
    rng = np.random.default_rng(0)
    model, started = PhorhumModel(), time.time()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98))
    for step in range(args.steps):
        made = [photos.photo(sample, environments, rng) for _ in range(VARIANTS)]
        batch = {key: torch.stack([photo[key] for photo in made]) for key in made[0]}
        rate = 1e-3 * min(1, (step + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * step / args.steps))
        optimiser.param_groups[0]["lr"] = rate
        losses = compute_losses(model, batch)
        optimiser.zero_grad()
        total(losses).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % 50 == 0:
            print(
                f"{step + 1} steps, {time.time() - started:.0f} s, depth {losses['depth_cm'].item():.2f} cm", flush=True
            )
    there, back = surface_errors(model.eval(), batch, sample["surface"], args.resolution)
    print(f"mean surface error: {there:.1f} mm from the truth to the mesh, {back:.1f} mm from the mesh to the truth")


@torch.inference_mode()
def surface_errors(model: PhorhumModel, batch: dict, truth: np.ndarray, resolution: int) -> tuple[float, float]:
    """Mean distances in mm of a 1.70 m person between the extracted surface and points of the true one."""
    encoding = model.encode(batch["image"][:1])
    distance, unit = batch["camera"][0].tolist()
    surface = extract_surface(
        lambda points: model.field(encoding, torch.from_numpy(points), distance)[0].numpy(), BOUNDS, resolution
    )
    dense = surface.vertices[surface.faces].mean(1)
    mesh = np.concatenate([surface.vertices, dense])
    there = cKDTree(mesh).query(truth)[0].mean()
    back = cKDTree(truth).query(surface.vertices)[0].mean()
    return there * unit * 1000, back * unit * 1000


if __name__ == "__main__":
    main()
