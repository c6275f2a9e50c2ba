"""Trains the networks from a folder of samples; resumable at any kill.

python -m training.train --cache CACHE --held-out CACHE_TEST --assets ../shared/assets --run RUN --minutes 60
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from phorhum_blender.engine.model import ModelConfig, PhorhumModel
from training.dataset import Photos
from training.light import load_environments
from training.losses import compute_losses, total

EMA_DECAY = 0.998
WARM_UP = 100  # steps
HELD_OUT_SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="samples of training.cache")
    parser.add_argument("--held-out", type=Path, required=True, help="samples of held-out people")
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="folder of the checkpoint, log and weights")
    parser.add_argument("--start", type=Path, help="weights that a new run begins with, such as those that ship")
    parser.add_argument("--minutes", type=float, required=True, help="of this stage, over all its slices")
    parser.add_argument("--steps", type=int, default=10**9, help="of this stage at the most")
    parser.add_argument("--stage", default="first", help="a new name starts a new schedule from the old weights")
    parser.add_argument("--size", type=int, default=256, help="pixels a side of the photos")
    parser.add_argument("--maps-only", action="store_true", help="teach G and s, not yet f")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    args.run.mkdir(parents=True, exist_ok=True)
    Trainer(args).run()


class Trainer:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.model = PhorhumModel(replace(ModelConfig(), image_size=args.size)).to(args.device)
        if args.start:
            self.model.load_state_dict(PhorhumModel.load(args.start).state_dict())
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=args.lr, weight_decay=0.01, betas=(0.9, 0.98))
        self.state = {"step": 0, "images": 0, "seconds": 0.0, "stage": args.stage}
        self.checkpoint = args.run / "checkpoint.pt"
        if self.checkpoint.exists():
            self.resume()
        self.held_out = self.load_held_out()

    def resume(self) -> None:
        saved = torch.load(self.checkpoint, map_location=self.args.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        if saved["state"]["stage"] == self.args.stage:
            self.optimiser.load_state_dict(saved["optimiser"])
            self.state = saved["state"]
        else:
            self.state["images"] = saved["state"]["images"]

    def save(self) -> None:
        partial = self.checkpoint.with_suffix(".part")
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "state": self.state,
            },
            partial,
        )
        os.replace(partial, self.checkpoint)
        self.average.save(self.args.run / "weights.safetensors")

    def load_held_out(self) -> list[dict[str, torch.Tensor]]:
        import numpy as np

        rng = np.random.default_rng(HELD_OUT_SEED)
        photos = Photos(self.args.held_out, self.args.assets, self.args.size, augment=False)
        environments = load_environments(self.args.assets)
        paths = sorted(self.args.held_out.glob("*.npz"))[:48]
        made = [photos.photo(photos.load(p), environments, rng) for p in paths]
        return [_stack(made[k : k + 8]) for k in range(0, len(made), 8)]

    def run(self) -> None:
        args = self.args
        photos = Photos(args.cache, args.assets, args.size, seed=self.state["images"])
        # a forked worker can inherit a held lock of a thread pool and never start
        spawn = {"num_workers": args.workers, "prefetch_factor": 4, "multiprocessing_context": "spawn"}
        loader = DataLoader(photos, args.batch, **(spawn if args.workers else {}))
        budget, started, spent = args.minutes * 60, time.time(), self.state["seconds"]
        mean: dict[str, float] = {}
        last_save = time.time()
        for batch in loader:
            self.state["seconds"] = spent + time.time() - started
            if self.state["seconds"] >= budget or self.state["step"] >= args.steps:
                break
            self.set_rate(self.state["seconds"] / budget)
            for name, value in self.step({k: v.to(args.device) for k, v in batch.items()}).items():
                mean[name] = value if name not in mean else 0.98 * mean[name] + 0.02 * value
            if self.state["step"] % 100 == 0:
                self.log({"train": mean})
            if time.time() - last_save > 240:
                self.evaluate_and_save()
                last_save = time.time()
        self.evaluate_and_save()

    def set_rate(self, done: float) -> None:
        warm = min(1.0, (self.state["step"] + 1) / WARM_UP)
        rate = self.args.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def step(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        losses = compute_losses(self.model, batch, not self.args.maps_only)
        loss = total(losses)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.state["step"] += 1
        self.state["images"] += len(batch["image"])
        with torch.no_grad():
            decay = min(EMA_DECAY, 1 - 10 / (self.state["step"] + 10))
            for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)
        return {"loss": loss.item(), **{k: v.item() for k, v in losses.items()}}

    @torch.no_grad()
    def evaluate_and_save(self) -> None:
        self.save()
        batches = ({k: v.to(self.args.device) for k, v in b.items()} for b in self.held_out)
        results = [compute_losses(self.average, batch, not self.args.maps_only) for batch in batches]
        self.log({"held_out": {k: sum(r[k].item() for r in results) / len(results) for k in results[0]}})

    def log(self, entry: dict) -> None:
        state = {k: round(v, 1) if isinstance(v, float) else v for k, v in self.state.items()}
        line = json.dumps({**state, **{k: {n: round(x, 4) for n, x in v.items()} for k, v in entry.items()}})
        print(line, flush=True)
        with open(self.args.run / "log.jsonl", "a") as file:
            file.write(line + "\n")


def _stack(samples: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {key: torch.stack([s[key] for s in samples]) for key in samples[0]}


if __name__ == "__main__":
    main()
