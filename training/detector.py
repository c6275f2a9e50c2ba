"""Trains the person detector that ships: a small YOLO segmentation network, from scratch, on made-up scenes.

    python -m training.detector --cache CACHE --assets ../shared/assets --minutes 60 --out detector.safetensors

CACHE is filled by :mod:`training.cache`. The run can be stopped at any time; the same command goes on where the last
checkpoint (``--state``) left off. ``--begin-with`` starts a new schedule from weights of an earlier run. Architecture
and loss are ultralytics'; no weights of others go in.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader, IterableDataset

from phorhum_blender.engine.detector import FORMAT, Detector, build_network, tensors_sha256
from phorhum_blender.engine.segmenter import box_iou
from training.detector_scenes import Scene, SceneMaker, cutout_paths, endless_scenes
from training.timed_run import TimedRun, parse_arguments

MASK_STRIDE = 4  # the prototypes' cells, in network pixels
SCENE_SIZE = 256  # side of the pictures as they are made, pixels
SIZES = (160, 192, 224, 256)  # sides at which the network sees them, drawn anew for each batch
BATCH = 8
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 5e-4
EMA_DECAY = 0.999
INFERENCE_SIZE = 288
THRESHOLD = 0.3

# YOLO11's layout (ultralytics, AGPL-3.0) at a quarter of its width, with one class and narrower mask prototypes.
CONFIG = {
    "nc": 1,
    "scale": "n",
    "scales": {"n": [0.5, 0.25, 1024]},
    "backbone": [
        [-1, 1, "Conv", [64, 3, 2]],
        [-1, 1, "Conv", [128, 3, 2]],
        [-1, 2, "C3k2", [256, False, 0.25]],
        [-1, 1, "Conv", [256, 3, 2]],
        [-1, 2, "C3k2", [512, False, 0.25]],
        [-1, 1, "Conv", [512, 3, 2]],
        [-1, 2, "C3k2", [512, True]],
        [-1, 1, "Conv", [1024, 3, 2]],
        [-1, 2, "C3k2", [1024, True]],
        [-1, 1, "SPPF", [1024, 5]],
        [-1, 2, "C2PSA", [1024]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 6], 1, "Concat", [1]],
        [-1, 2, "C3k2", [512, False]],
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 4], 1, "Concat", [1]],
        [-1, 2, "C3k2", [256, False]],
        [-1, 1, "Conv", [256, 3, 2]],
        [[-1, 13], 1, "Concat", [1]],
        [-1, 2, "C3k2", [512, False]],
        [-1, 1, "Conv", [512, 3, 2]],
        [[-1, 10], 1, "Concat", [1]],
        [-1, 2, "C3k2", [1024, True]],
        [[16, 19, 22], 1, "Segment", [1, 16, 128]],
    ],
}
LOSS_GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5, "overlap_mask": True}  # ultralytics' own


def make_batch(scenes: list[Scene]) -> dict[str, torch.Tensor]:
    """The dictionary that ultralytics' loss asks for, and ``img`` (B, 3, S, S) uint8."""
    size = scenes[0].image.shape[0]
    cells = size // MASK_STRIDE
    boxes = [scene.boxes() for scene in scenes]
    corners = np.concatenate(boxes) / size
    masks = [cv2.resize(scene.instances, (cells, cells), interpolation=cv2.INTER_NEAREST) for scene in scenes]
    return {
        "img": torch.from_numpy(np.stack([scene.image.transpose(2, 0, 1) for scene in scenes])),
        "masks": torch.from_numpy(np.stack(masks)).float(),  # 0 = nobody, k = person k of the picture
        "batch_idx": torch.from_numpy(np.repeat(np.arange(len(scenes)), [len(b) for b in boxes])).float(),
        "cls": torch.zeros(len(corners)),
        "bboxes": torch.from_numpy(  # centre and size, in parts of the picture
            np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1)
        ).float(),
    }


class Batches(IterableDataset):
    """Endless batches."""

    def __init__(self, cache: Path, assets: Path, seed: int):
        self.cache, self.assets, self.seed = cache, assets, seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        scenes = endless_scenes(self.cache, self.assets, SCENE_SIZE, self.seed)
        while True:
            yield make_batch([scene for scene, _ in itertools.islice(scenes, BATCH)])


class Trainer(TimedRun):
    """The detector's run."""

    def __init__(self, start: Path | None = None, learning_rate: float = LEARNING_RATE) -> None:
        torch.manual_seed(0)
        network = Detector.load(start).network if start else build_network(copy.deepcopy(CONFIG))
        from ultralytics.utils import IterableSimpleNamespace

        network.args = IterableSimpleNamespace(**LOSS_GAINS)
        super().__init__(network, learning_rate, EMA_DECAY, _pictures_behind(start) if start else 0)
        self.criterion = self.network.init_criterion()
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        vectors = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99))

    def step(self, batch: dict[str, torch.Tensor], done: float) -> dict[str, float]:
        """One step of the optimiser; ``done`` is the part of the run that lies behind. The result is the loss terms."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(done)
        images = self.resized(batch["img"].float() / 255, SIZES)  # boxes are in parts of the picture; masks are fitted
        loss, terms = self.criterion(self.network(images), batch)
        self.descend(loss.sum() / len(images), len(images), longest_gradient=10.0)
        return {name: float(value) for name, value in terms.items()}


def _pictures_behind(weights: Path) -> int:
    """How many pictures the run that made ``weights`` saw."""
    with safe_open(str(weights), framework="pt") as opened:
        return int(json.loads(opened.metadata()["training"])["pictures"])


def export(network: torch.nn.Module, path: Path, training: dict) -> None:
    """Writes the weights as 16-bit floats with all that :class:`Detector` needs in the header."""
    tensors = {}
    for name, value in network.state_dict().items():
        tensors[name] = (value.half() if value.is_floating_point() else value).contiguous().clone()
    metadata = {
        "format": FORMAT,
        "config": json.dumps(CONFIG),
        "image_size": str(INFERENCE_SIZE),
        "threshold": str(THRESHOLD),
        "sha256": tensors_sha256(tensors),
        "training": json.dumps(training),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    save_file(tensors, str(partial), metadata=metadata)
    partial.chmod(0o644)  # safetensors makes files that only their owner can read
    os.replace(partial, path)


def held_out_scenes(cache: Path, assets: Path, count: int, size: int = SCENE_SIZE) -> list[Scene]:
    """Always the same scenes, of people that training does not see."""
    maker = SceneMaker(cutout_paths(cache, held_out=True), assets, seed=12345)
    return [maker.scene(size) for _ in range(count)]


def evaluate(network: torch.nn.Module, scenes: list[Scene]) -> dict[str, float]:
    """Recall and precision at box IoU 0.5, the recall of the largest person, and the mean IoU of found masks."""
    detector = Detector(copy.deepcopy(network), scenes[0].image.shape[0], THRESHOLD)
    found = wanted = right = shown = main_found = main_wanted = 0
    mask_ious = []
    for scene in scenes:
        detections = detector.detect(scene.image)
        boxes = scene.boxes()
        areas = [(scene.instances == k + 1).sum() for k in range(len(boxes))]
        shown, wanted, main_wanted = shown + len(detections), wanted + len(boxes), main_wanted + (len(boxes) > 0)
        for k, box in enumerate(boxes.tolist()):
            match = max(detections, key=lambda d: box_iou(d.box, box), default=None)
            if match is None or box_iou(match.box, box) < 0.5:
                continue
            found, right = found + 1, right + 1
            main_found += k == int(np.argmax(areas))
            mask = cv2.resize(match.logits, scene.instances.shape[::-1]) > 0
            truth = scene.instances == k + 1
            mask_ious.append((mask & truth).sum() / max(1, (mask | truth).sum()))
    return {
        "recall": found / max(1, wanted),
        "precision": min(1.0, right / max(1, shown)),
        "recall_largest": main_found / max(1, main_wanted),
        "mask_iou": float(np.mean(mask_ious)) if mask_ious else 0.0,
    }


def train(
    trainer: Trainer, cache: Path, assets: Path, minutes: float, out: Path, state: Path, workers: int = 1
) -> None:
    """Trains until ``minutes`` of training time are spent, over all runs with this ``state``; then exports."""
    trainer.resume(state)
    batches = Batches(cache, assets, seed=1000 + trainer.steps)
    loader = iter(DataLoader(batches, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None))
    scenes = held_out_scenes(cache, assets, count=40)

    def write() -> None:
        export(trainer.average, out, {"pictures": trainer.images, "minutes": round(trainer.seconds / 60, 1)})

    trainer.spend(
        minutes, state, lambda done: trainer.step(next(loader), done), lambda: evaluate(trainer.average, scenes), write
    )


def main() -> None:
    args = parse_arguments(__doc__.splitlines()[0], None, LEARNING_RATE)
    cv2.setNumThreads(1)
    train(Trainer(args.start, args.lr), args.cache, args.assets, args.minutes, args.out, args.state, args.workers)


if __name__ == "__main__":
    main()
