"""How many pictures a second training makes and learns from, on this machine.

    python -m benchmarks.training_speed --cache CACHE --assets ../shared/assets [--device cuda] [--size 256]

Photos are made on one core, as one loading worker does; steps, with that of the optimiser, are timed with the photos at
hand. Training runs at the smaller of workers x photos and steps.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from phorhum_blender.engine.model import ModelConfig, PhorhumModel
from training.dataset import Photos
from training.losses import compute_losses, total
from training.optimiser import Optimiser
from training.patches import Perception
from training.train import best_precision

STEPS = {  # what is learned -> arguments of compute_losses
    "G and s": {"with_field": False},
    "G, s and f": {"with_patches": False},
    "G, s and f with patches": {},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--size", type=int, default=192, help="pixels a side of the photos")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=15, help="a measurement, at the least")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("bf16", "fp32"), help="as of training.train")
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    stream = iter(Photos(args.cache, args.assets, args.size))
    made = list(itertools.islice(stream, args.batch))
    print(f"photos of {args.size} pixels, one core: {rate(lambda: next(stream), 1, args.seconds):.1f} a second")
    torch.set_num_threads(args.threads)
    batch = {key: torch.stack([photo[key] for photo in made]).to(args.device) for key in made[0]}
    batch["image"] = batch["image"].contiguous(memory_format=torch.channels_last)
    model = PhorhumModel(replace(ModelConfig(), image_size=args.size)).to(args.device)
    model = model.to(memory_format=torch.channels_last)
    optimiser, perception = Optimiser(model, 1e-3), Perception().to(args.device)
    precision = args.precision or best_precision(args.device)
    for name, what in STEPS.items():

        def step(what: dict = what) -> None:
            losses = compute_losses(model, batch, perception=perception, sixteen_bits=precision == "bf16", **what)
            optimiser.zero_grad()
            total(losses).backward()
            optimiser.step()
            if args.device == "cuda":
                torch.cuda.synchronize()

        speed = rate(step, args.batch, args.seconds)
        print(f"{name}, {args.device}, {precision}, {args.threads} threads: {speed:.1f} a second")


def rate(work: Callable[[], object], pictures: int, seconds: float) -> float:
    """Pictures a second of ``work``, which deals with so many ``pictures``, after a first time that does not count."""
    work()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        work()
        done += pictures
    return done / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
