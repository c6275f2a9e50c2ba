"""Trains the segmenter that ships: a network like G that cuts the person in a box out of the surroundings.

    python -m training.segmenter --cache CACHE --assets ../shared/assets --minutes 60 --out segmenter.safetensors

CACHE is filled by :mod:`training.cache`; the scenes are the detector's (:mod:`training.detector_scenes`). The run
begins with the G that ships (``--begin-with``), which knows bodies already, can be stopped at any time, and goes on
where the last checkpoint (``--state``) left off.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, IterableDataset

from phorhum_blender.engine.model import PhorhumModel
from phorhum_blender.engine.model.phorhum import DEFAULT_WEIGHTS
from phorhum_blender.engine.segmenter import Square, mask_logits, prompted
from training.detector_scenes import Scene, SceneMaker, SceneStream, cutout_paths
from training.optimiser import Optimiser
from training.train import best_precision

SCENE_SIZE = 256  # side of the scenes as they are made, pixels
SIZES = (128, 160, 192)  # sides at which the network sees the square, drawn anew for each batch
LARGEST = max(SIZES)
BATCH = 16
LEARNING_RATE = 6e-4
LAST_RATE = 0.02
WARM_UP = 0.02  # part of the run
EMA_DECAY = 0.998
CHECKPOINT_SECONDS = 300
LEAST_PERSON = 72  # pixels of the longer side of a person's box: smaller ones are blurred beyond use
THIN = 0.03  # of the person's longer side: half the width of things before the person that count as person
HELD_OUT_CROPS = 64


class Crops(IterableDataset):
    """Endless squares around persons of scenes: (4, LARGEST, LARGEST) float32 as :func:`prompted` makes them, and the
    person's mask (1, LARGEST, LARGEST) float32."""

    def __init__(self, cache: Path, assets: Path, seed: int, held_out: bool = False):
        self.cache, self.assets, self.seed, self.held_out = cache, assets, seed, held_out

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        cv2.setNumThreads(1)
        maker = SceneMaker(cutout_paths(self.cache, self.held_out), self.assets, self.seed)
        stream = SceneStream(maker)
        while True:
            scene = stream.next(SCENE_SIZE)
            boxes = scene.boxes()
            large = [k for k, box in enumerate(boxes) if max(box[2:] - box[:2]) >= LEAST_PERSON]
            if large:
                yield crop_of(scene, int(maker.rng.choice(large)), boxes, maker.rng)


def crop_of(
    scene: Scene, person: int, boxes: np.ndarray, rng: np.random.Generator, size: int = LARGEST
) -> tuple[torch.Tensor, torch.Tensor]:
    """The square around ``person`` (counted from 0) of a scene, cut out around a box as wrong as detectors give it."""
    box = inexact(boxes[person], rng)
    square = Square.around(box)
    image = prompted(square.cut(scene.image), square.inside(box), size)
    mask = square.cut(target(scene, person).astype(np.uint8), fill=0).astype(np.float32)
    mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA if square.side > size else cv2.INTER_LINEAR)
    return torch.from_numpy(image), torch.from_numpy(mask)[None]


def target(scene: Scene, person: int) -> np.ndarray:
    """(S, S) bool: what is seen of the person, and what thin things before it hide: a bar, a strap, a wrist. G makes
    whole bodies, and a bar before the neck must not cost the head."""
    seen, whole = scene.instances == person + 1, scene.whole[person]
    hidden = (whole & ~seen).astype(np.uint8)
    rows, columns = np.nonzero(whole)
    radius = max(1, round(THIN * max(np.ptp(rows), np.ptp(columns))))
    thick = cv2.dilate(cv2.erode(hidden, _disc(radius)), _disc(math.ceil(1.5 * radius)))  # with its corners
    return seen | (hidden > thick)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)


def inexact(box: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A box x0 y0 x1 y1 as detectors give it: each side off by a few hundredths; now and then a limb is missing, or
    something beside the person is taken in."""
    extent = np.tile(box[2:] - box[:2], 2)
    outwards = rng.normal(0, 0.04, 4)
    if rng.random() < 0.3:
        outwards[rng.integers(4)] += rng.uniform(-0.4, 0.3)
    x0, y0, x1, y1 = box + extent * outwards * [-1, -1, 1, 1]
    return float(x0), float(y0), float(x1), float(y1)


def loss(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Cross entropy and soft Dice loss (Milletari et al., 2016, V-Net) of (B, 1, h, w)."""
    chance = torch.sigmoid(logits)
    shared = (chance * mask).sum((1, 2, 3))
    dice = 1 - (2 * shared + 1) / (chance.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, mask) + 0.5 * dice.mean()


class Trainer:
    """Network, averaged copy, optimiser and the time spent; saved and loaded as one."""

    def __init__(self, start: Path, learning_rate: float = LEARNING_RATE) -> None:
        torch.manual_seed(0)
        self.network = PhorhumModel.load(start).requires_grad_(True).to(memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.learning_rate = learning_rate
        self.optimiser = Optimiser(self.network, learning_rate)
        self.half = best_precision("cpu") == "bf16"
        self.seconds = 0.0
        self.steps = 0

    def step(self, images: torch.Tensor, masks: torch.Tensor, done: float) -> float:
        """One step of the optimiser; ``done`` is the part of the run that lies behind."""
        rate = min(1.0, done / WARM_UP + 0.01)
        rate *= LAST_RATE + (1 - LAST_RATE) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, done)))
        self.optimiser.set_rate(self.learning_rate * rate)
        size = random.Random(self.steps).choice(SIZES)
        if size != images.shape[-1]:
            images = F.interpolate(images, (size, size), mode="bilinear", antialias=True)
        wanted = F.interpolate(masks, (size // 2, size // 2), mode="bilinear", antialias=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            logits = mask_logits(self.network, images.contiguous(memory_format=torch.channels_last))
        value = loss(logits.float(), wanted)
        self.optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1
        decay = min(EMA_DECAY, (1 + self.steps) / (20 + self.steps))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)
        return float(value.detach())

    def save(self, path: Path) -> None:
        """The whole state, replacing ``path`` at once."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": (self.seconds, self.steps),
        }
        partial = path.with_suffix(".part")
        torch.save(state, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.seconds, self.steps = state["progress"]


@torch.inference_mode()
def evaluate(network: PhorhumModel, crops: list[tuple[torch.Tensor, torch.Tensor]], size: int = 160) -> float:
    """Mean IoU of the masks of ``crops``, as the network sees them at ``size`` pixels."""
    ious = []
    for image, mask in crops:
        image = F.interpolate(image[None], (size, size), mode="bilinear", antialias=True)
        logits = F.interpolate(mask_logits(network, image).float(), mask.shape[-2:], mode="bilinear")[0]
        found, wanted = logits > 0, mask > 0.5
        ious.append(float((found & wanted).sum() / (found | wanted).sum().clamp(min=1)))
    return float(np.mean(ious))


def train(trainer: Trainer, cache: Path, assets: Path, minutes: float, out: Path, state: Path, workers: int) -> None:
    """Trains until ``minutes`` of training time are spent, over all runs with this ``state``; then exports."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if state.exists():
        trainer.load(state)
        print(f"going on after {trainer.seconds / 60:.1f} minutes, {trainer.steps * BATCH} pictures", flush=True)
    crops = Crops(cache, assets, seed=1000 + trainer.steps)
    loader = iter(DataLoader(crops, batch_size=BATCH, num_workers=workers))
    held_out = [
        crop for crop, _ in zip(Crops(cache, assets, 12345, held_out=True), range(HELD_OUT_CROPS), strict=False)
    ]
    budget = minutes * 60
    started, before, saved = time.time(), trainer.seconds, trainer.seconds
    history: list[float] = []
    while trainer.seconds < budget:
        history.append(trainer.step(*next(loader), trainer.seconds / budget))
        trainer.seconds = before + time.time() - started
        if trainer.seconds - saved > CHECKPOINT_SECONDS or trainer.seconds >= budget:
            saved = trainer.seconds
            trainer.save(state)
            trainer.average.save(out)
            print(
                f"{trainer.seconds / 60:6.1f} min {trainer.steps * BATCH:7d} pictures loss {np.mean(history):.4f} "
                f"held-out mask IoU {evaluate(trainer.average, held_out):.4f}",
                flush=True,
            )
            history = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=None, help="checkpoint; default: beside the output")
    parser.add_argument("--begin-with", dest="start", type=Path, default=DEFAULT_WEIGHTS, help="weights to begin with")
    parser.add_argument("--lr", type=float, default=LEARNING_RATE, help="highest learning rate")
    parser.add_argument("--workers", type=int, default=1, help="processes that make pictures")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    torch.set_num_threads(args.threads)
    state = args.state or args.out.with_suffix(".state.pt")
    train(Trainer(args.start, args.lr), args.cache, args.assets, args.minutes, args.out, state, args.workers)


if __name__ == "__main__":
    main()
