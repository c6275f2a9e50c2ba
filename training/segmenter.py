"""Trains the segmenter that ships: a network like G that cuts the person in a box out of the surroundings.

    python -m training.segmenter --cache CACHE --assets ../shared/assets --minutes 60 --out segmenter.safetensors

CACHE is filled by :mod:`training.cache`; the scenes are the detector's (:mod:`training.detector_scenes`). The run
begins with the G that ships (``--begin-with``), which knows bodies already, can be stopped at any time, and goes on
where the last checkpoint (``--state``) left off.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, IterableDataset

from phorhum_blender.engine.model import PhorhumModel
from phorhum_blender.engine.model.phorhum import DEFAULT_WEIGHTS
from phorhum_blender.engine.segmenter import Square, fit, mask_logits, prompted
from training.detector_scenes import Scene, endless_scenes
from training.optimiser import Optimiser
from training.timed_run import TimedRun, parse_arguments
from training.train import best_precision

SCENE_SIZE = 320  # side of the scenes as they are made, pixels
SIZES = (128, 160, 192, 224)  # sides at which the network sees the square, drawn anew for each batch
LARGEST = max(SIZES)
BATCH = 16
LEARNING_RATE = 6e-4
EMA_DECAY = 0.998
LEAST_PERSON = 90  # pixels of the longer side of a person's box: smaller ones are blurred beyond use
THIN = 0.03  # of the person's longer side: half the width of things before the person that count as person
HELD_OUT_CROPS = 64


class Crops(IterableDataset):
    """Endless squares around persons of scenes: (4, LARGEST, LARGEST) float32 as :func:`prompted` makes them, and the
    person's mask (1, LARGEST, LARGEST) float32."""

    def __init__(self, cache: Path, assets: Path, seed: int, held_out: bool = False):
        self.cache, self.assets, self.seed, self.held_out = cache, assets, seed, held_out

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        cv2.setNumThreads(1)
        for scene, rng in endless_scenes(self.cache, self.assets, SCENE_SIZE, self.seed, self.held_out):
            boxes = scene.boxes()
            large = [k for k, box in enumerate(boxes) if max(box[2:] - box[:2]) >= LEAST_PERSON]
            if large:
                yield crop_of(scene, int(rng.choice(large)), boxes, rng)


def crop_of(
    scene: Scene, person: int, boxes: np.ndarray, rng: np.random.Generator, size: int = LARGEST
) -> tuple[torch.Tensor, torch.Tensor]:
    """The square around ``person`` (counted from 0) of a scene, cut out around a box as wrong as detectors give it."""
    box = inexact(boxes[person], rng)
    square = Square.around(box)
    image = prompted(square.cut(scene.image), square.inside(box), size)
    mask = square.cut(target(scene, person).astype(np.uint8), fill=0).astype(np.float32)
    return torch.from_numpy(image), torch.from_numpy(fit(mask, (size, size)))[None]


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


class Trainer(TimedRun):
    """The segmenter's run."""

    def __init__(self, start: Path, learning_rate: float = LEARNING_RATE) -> None:
        torch.manual_seed(0)
        super().__init__(PhorhumModel.load(start), learning_rate, EMA_DECAY)
        self.optimiser = Optimiser(self.network, learning_rate)
        self.half = best_precision("cpu") == "bf16"

    def step(self, images: torch.Tensor, masks: torch.Tensor, done: float) -> float:
        """One step of the optimiser; ``done`` is the part of the run that lies behind. The result is the loss."""
        self.optimiser.set_rate(self.rate(done))
        images = self.resized(images, SIZES)
        size = images.shape[-1] // 2
        wanted = F.interpolate(masks, (size, size), mode="bilinear", antialias=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            logits = mask_logits(self.network, images)
        value = loss(logits.float(), wanted)
        self.descend(value, len(images), longest_gradient=1.0)
        return float(value.detach())


def without_field(network: PhorhumModel) -> PhorhumModel:
    """The same G, with the f and s that it does not need as small as can be."""
    model = PhorhumModel(replace(network.config, field_width=1, field_layers=1, octaves=1, shading_width=1))
    model.feature_extractor.load_state_dict(network.feature_extractor.state_dict())
    return model


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
    trainer.resume(state)
    loader = iter(DataLoader(Crops(cache, assets, seed=1000 + trainer.steps), batch_size=BATCH, num_workers=workers))
    held_out = list(itertools.islice(Crops(cache, assets, seed=12345, held_out=True), HELD_OUT_CROPS))
    out.parent.mkdir(parents=True, exist_ok=True)
    trainer.spend(
        minutes,
        state,
        lambda done: {"loss": trainer.step(*next(loader), done)},
        lambda: {"mask_iou": evaluate(trainer.average, held_out)},
        lambda: without_field(trainer.average).save(out, eight_bits=True),
    )


def main() -> None:
    args = parse_arguments(__doc__.splitlines()[0], DEFAULT_WEIGHTS, LEARNING_RATE)
    train(Trainer(args.start, args.lr), args.cache, args.assets, args.minutes, args.out, args.state, args.workers)


if __name__ == "__main__":
    main()
