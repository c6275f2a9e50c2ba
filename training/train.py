"""Trains the networks from a folder of samples; resumable at any kill, alone or as several processes of torchrun.

    python -m training.train --cache CACHE --held-out CACHE_TEST --assets ../shared/assets --out RUN --minutes 60

RUN gets ``checkpoint.pt``, ``weights.safetensors`` (the moving average, which is what ships), ``log.jsonl`` (losses
of training and of held-out people, errors of depth and surface by themselves) and ``progress/`` (held-out photos and
what G makes of them).
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

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

from phorhum_blender.engine.model import HEAD, ModelConfig, PhorhumModel
from phorhum_blender.engine.model.feature_extractor import dense_maps
from training import processes
from training.backgrounds import background_photos
from training.cache import sample_arrays
from training.dataset import KNOWN_SHARE, MASKS, POINT_KINDS, STRANGER_SHARE, Choices, Photos
from training.light import load_environments
from training.losses import WEIGHTS, compute_losses, total
from training.optimiser import Optimiser
from training.patches import Perception
from training.surface_check import SurfaceCheck

NETWORKS = {"person": ModelConfig(), "head": HEAD}
BEYOND_A_HEAD = ("joints", "joint_depth", "joint_heat", "tilt")  # losses of what a picture of a head does not show
EMA_DECAY = 0.998
WARM_UP = 100  # steps, or a tenth of all where those are few
HELD_OUT_SEED = 7
SAVE_SECONDS = 240
SHOWN = 6  # held-out photos in the progress pictures
DEPTH_RANGE = 0.5  # crop units before and behind the middle that the progress pictures show


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="samples of training.cache")
    parser.add_argument("--held-out", type=Path, required=True, help="samples of held-out people")
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint, log and weights")
    parser.add_argument(
        "--begin-with", dest="start", type=Path, help="weights that a new run begins with, such as those that ship"
    )
    parser.add_argument("--network", choices=NETWORKS, default="person", help="head: from samples of heads")
    parser.add_argument("--minutes", type=float, required=True, help="of this stage, over all its slices")
    parser.add_argument("--steps", type=int, default=10**9, help="of this stage at the most")
    parser.add_argument("--stage", default="first", help="a new name starts a new schedule from the old weights")
    parser.add_argument("--size", type=int, default=256, help="pixels a side of the photos")
    parser.add_argument("--maps-only", action="store_true", help="teach G and s, not yet f")
    parser.add_argument("--no-patches", action="store_true", help="render no patches: a cheaper step")
    parser.add_argument("--weight", action="append", default=[], metavar="LOSS=NUMBER", help="another weight of a loss")
    parser.add_argument("--batch", type=int, default=8, help="photos a step, of all processes together")
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--last-rate", type=float, default=0.02, help="share of the learning rate at the stage's end")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="processes that make photos, each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--optimiser", choices=("muon", "adamw"), default="muon")
    parser.add_argument("--precision", choices=("bf16", "fp32"), help="of G; bf16 where the device is made for it")
    parser.add_argument("--backgrounds", type=Path, help="folder of your own photos that become backgrounds")
    parser.add_argument("--points", nargs="+", choices=POINT_KINDS, default=tuple(POINT_KINDS), help="f learns from")
    parser.add_argument("--mask", choices=MASKS, default="detected", help="that the networks are shown")
    parser.add_argument("--told", type=float, default=KNOWN_SHARE, help="share of photos whose camera G is told")
    parser.add_argument("--strangers", type=float, default=STRANGER_SHARE, help="share of photos with somebody else")
    args = parser.parse_args(arguments)
    if args.backgrounds:
        background_photos(args.backgrounds)  # an empty folder is told at once, not by a loading worker
    check_samples(args.cache, args.maps_only)
    args.precision = args.precision or best_precision(args.device)
    torch.set_flush_denormal(True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    Trainer(args).run()
    processes.leave()


def check_samples(folder: Path, maps_only: bool) -> None:
    """Raises ``SystemExit`` where a folder has no samples, or old ones, or none that teaches f where f is to learn."""
    first = next(folder.glob("*.npz"), None)
    if first is None:
        raise SystemExit(f"There are no samples in {folder}; make some with training.cache.")
    if "pitch" not in sample_arrays(first):
        raise SystemExit(f"The samples in {folder} are of an older version; make them anew with training.cache.")
    if not maps_only and not any("points" in sample_arrays(path) for path in folder.glob("*.npz")):
        raise SystemExit(f"The samples in {folder} teach G alone; add --maps-only, or choose others.")


def best_precision(device: str) -> str:
    """16 bits on GPUs and on processors with instructions for them, on which they take half the time; other processors
    emulate them and take three times as long."""
    made_for_it = device != "cpu" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return "bf16" if made_for_it else "fp32"


def loss_weights(changes: list[str], network: str = "person") -> dict[str, float]:
    """WEIGHTS of a network with the changes that the command line asks for, each 'name=number'."""
    weights = dict(WEIGHTS)
    if network == "head":
        weights |= dict.fromkeys(BEYOND_A_HEAD, 0.0)
    for change in changes:
        name, _, number = change.partition("=")
        if name not in weights:
            raise SystemExit(f"There is no loss {name!r}; there are {', '.join(weights)}.")
        weights[name] = float(number)
    return weights


class Trainer:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.rank, self.world = processes.join()
        if args.batch % self.world:
            raise SystemExit(f"A batch of {args.batch} can't be shared evenly by {self.world} processes.")
        self.weights = loss_weights(args.weight, args.network)
        perceived = any(weight for name, weight in self.weights.items() if name.startswith("perceived"))
        rendered = not (args.maps_only or args.no_patches)
        self.perception = Perception().to(args.device) if perceived and rendered else None
        self.model = PhorhumModel(replace(NETWORKS[args.network], image_size=args.size)).to(args.device)
        if args.start:
            self.model.load_state_dict(PhorhumModel.load(args.start).state_dict())
        self.model = self.model.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimiser = Optimiser(self.model, args.lr, args.optimiser == "muon")
        self.state = {"step": 0, "images": 0, "seconds": 0.0, "stage": args.stage}
        self.checkpoint = args.out / "checkpoint.pt"
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
        self.average.save(self.args.out / "weights.safetensors")

    def load_held_out(self) -> list[dict[str, torch.Tensor]]:
        rng = np.random.default_rng(HELD_OUT_SEED)
        choices = Choices(mask=self.args.mask, told=self.args.told)
        photos = Photos(self.args.held_out, self.args.assets, self.args.size, augment=False, choices=choices)
        environments = load_environments(self.args.assets)
        paths = sorted(self.args.held_out.glob("*.npz"))[:48]
        made = [photos.photo(photos.load(p), environments, rng) for p in paths]
        self.surface_check = SurfaceCheck(paths, made)
        return [_stack(made[k : k + 8]) for k in range(0, len(made), 8)]

    def run(self) -> None:
        args = self.args
        photos = Photos(
            args.cache,
            args.assets,
            args.size,
            seed=args.seed,
            first=self.state["images"],
            batch=args.batch // self.world,
            rank=self.rank,
            world=self.world,
            choices=Choices(
                args.backgrounds,
                tuple(args.points),
                args.mask,
                args.told,
                args.strangers,
                enlarged=args.network == "head",
                field=not args.maps_only,
            ),
        )
        # a forked worker can inherit a held lock of a thread pool and never start
        spawn = {"num_workers": args.workers, "prefetch_factor": 4, "multiprocessing_context": "spawn"}
        loader = DataLoader(photos, photos.batch, **(spawn if args.workers else {}))
        started, spent = time.time(), self.state["seconds"]
        mean: dict[str, float] = {}
        saved = 0
        for batch in loader:
            self.state["seconds"] = processes.first_ones(spent + time.time() - started, args.device)
            if self.done() >= 1:
                break
            self.set_rate(self.done())
            for name, value in self.step({k: v.to(args.device) for k, v in batch.items()}).items():
                mean[name] = value if name not in mean else 0.98 * mean[name] + 0.02 * value
            if self.state["step"] % 100 == 0:
                self.log({"train": mean})
            if (self.state["seconds"] - spent) // SAVE_SECONDS > saved:
                saved += 1
                self.evaluate_and_save()
        self.evaluate_and_save()

    def done(self) -> float:
        """The part of this stage that lies behind, by time or by steps, whichever is more."""
        return max(self.state["seconds"] / (self.args.minutes * 60), self.state["step"] / self.args.steps)

    def losses(self, model: PhorhumModel, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        args = self.args
        batch = {**batch, "image": batch["image"].contiguous(memory_format=torch.channels_last)}
        with_field = not args.maps_only and "points" in batch
        return compute_losses(model, batch, with_field, not args.no_patches, self.perception, args.precision == "bf16")

    def set_rate(self, done: float) -> None:
        warm = min(1.0, (self.state["step"] + 1) / min(WARM_UP, 1 + self.args.steps // 10))
        last = self.args.last_rate
        rate = self.args.lr * warm * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * done)))
        self.optimiser.set_rate(rate)

    def step(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        losses = self.losses(self.model, batch)
        loss = total(losses, self.weights)
        self.optimiser.zero_grad()
        loss.backward()
        told = {"loss": loss.detach(), **{k: v.detach() for k, v in losses.items()}}
        processes.average([*told.values(), *(p.grad for p in self.model.parameters() if p.grad is not None)])
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.state["step"] += 1
        self.state["images"] += self.args.batch
        with torch.no_grad():
            decay = min(EMA_DECAY, 1 - 10 / (self.state["step"] + 10))
            for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)
        return {name: value.item() for name, value in told.items()}

    @torch.no_grad()
    def evaluate_and_save(self) -> None:
        """Checkpoint, weights, held-out losses and a picture; the first process alone does it."""
        if self.rank:
            return
        self.save()
        batches = [{k: v.to(self.args.device) for k, v in b.items()} for b in self.held_out]
        results = [self.losses(self.average, batch) for batch in batches]
        entry = {"held_out": {k: sum(r[k].item() for r in results) / len(results) for k in results[0]}}
        whole = self.args.network == "person"
        if whole and not self.args.maps_only and self.surface_check.due(self.state["seconds"]):
            weights = self.args.out / "weights.safetensors"
            entry["surface"] = self.surface_check(weights, self.args.device, self.args.threads)
        self.log(entry)
        folder = self.args.out / "progress"
        folder.mkdir(exist_ok=True)
        progress_picture(self.average, batches[0]).save(folder / f"{self.state['images']:08d}.png")

    def log(self, entry: dict) -> None:
        if self.rank:
            return
        state = {k: round(v, 1) if isinstance(v, float) else v for k, v in self.state.items()}
        line = json.dumps({**state, **{k: {n: round(x, 4) for n, x in v.items()} for k, v in entry.items()}})
        print(line, flush=True)
        with open(self.args.out / "log.jsonl", "a") as file:
            file.write(line + "\n")


def progress_picture(model: PhorhumModel, batch: dict[str, torch.Tensor]) -> Image.Image:
    """A row a photo: the photo; albedo, normals, front and back depth (bright is near) as predicted; then the true
    ones."""
    batch = {key: value[:SHOWN] for key, value in batch.items()}
    maps = dense_maps(model.encode(batch["image"], batch["view"]).features)
    predicted = {**maps, "albedo": torch.sigmoid(maps["albedo"])}
    weight = batch["weight"]

    def shown(of: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        depth = [(of[name] / DEPTH_RANGE / 2 + 0.5).expand(-1, 3, -1, -1) for name in ("front", "back")]
        return [part * weight for part in (of["albedo"], of["normal"] / 2 + 0.5, *depth)]

    photo = torch.nn.functional.interpolate(batch["image"][:, :3], weight.shape[-2:], mode="area")
    rows = torch.cat([photo, *shown(predicted), *shown(batch)], -1).clamp(0, 1)
    page = rows.permute(0, 2, 3, 1).flatten(0, 1)
    return Image.fromarray((page.float().cpu().numpy() * 255).astype(np.uint8))


def _stack(samples: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {key: torch.stack([s[key] for s in samples]) for key in samples[0]}


if __name__ == "__main__":
    main()
