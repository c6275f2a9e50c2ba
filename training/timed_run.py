"""A run of training that lasts for given minutes, can be stopped at any time and goes on where its last checkpoint left
off: what :mod:`training.detector` and :mod:`training.segmenter` share."""

from __future__ import annotations

import argparse
import copy
import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WARM_UP = 0.02  # part of the run
LAST_RATE = 0.02  # of the highest learning rate, at the end
CHECKPOINT_SECONDS = 300


class TimedRun:
    """Network, averaged copy, optimiser and the time spent; saved and loaded as one."""

    def __init__(self, network: nn.Module, learning_rate: float, averaging: float, images: int = 0) -> None:
        """``averaging`` is the decay of the moving average, ``images`` how many pictures lie behind the weights."""
        self.network = network.requires_grad_(True).to(memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimiser: Any = None  # of the subclass
        self.learning_rate, self.averaging = learning_rate, averaging
        self.seconds = 0.0
        self.steps = 0
        self.images = images

    def rate(self, done: float) -> float:
        """The learning rate when ``done`` is the part of the run that lies behind: warm-up, then a cosine."""
        cosine = LAST_RATE + (1 - LAST_RATE) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, done)))
        return self.learning_rate * min(1.0, done / WARM_UP + 0.01) * cosine

    def resized(self, images: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
        """``images`` (B, C, S, S) at the one of ``sizes`` that is this step's turn."""
        size = random.Random(self.steps).choice(sizes)
        if size != images.shape[-1]:
            images = F.interpolate(images, (size, size), mode="bilinear", antialias=True)
        return images.contiguous(memory_format=torch.channels_last)

    def descend(self, loss: torch.Tensor, images: int, longest_gradient: float) -> None:
        """One step of the optimiser down the ``loss`` of so many ``images``, and the moving average's."""
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), longest_gradient)
        self.optimiser.step()
        self.steps += 1
        self.images += images
        decay = min(self.averaging, (1 + self.steps) / (20 + self.steps))
        with torch.no_grad():
            current = self.network.state_dict()
            for name, value in self.average.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(current[name], 1 - decay)
                else:
                    value.copy_(current[name])

    def save(self, path: Path) -> None:
        """The whole state, replacing ``path`` at once."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": (self.seconds, self.steps, self.images),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        torch.save(state, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.seconds, self.steps, self.images = state["progress"]

    def resume(self, path: Path) -> None:
        """Goes on where the checkpoint at ``path`` left off, if there is one."""
        if path.exists():
            self.load(path)
            print(f"going on after {self.seconds / 60:.1f} minutes, {self.images} pictures", flush=True)

    def spend(
        self,
        minutes: float,
        state: Path,
        learn: Callable[[float], dict[str, float]],
        judge: Callable[[], dict[str, float]],
        export: Callable[[], None],
    ) -> None:
        """Learns until ``minutes`` are spent, over all runs with this ``state``.

        ``learn`` makes a step, told which part of the run lies behind, and gives its losses, ``judge`` measures on
        held-out pictures, ``export`` writes the weights.
        """
        budget = minutes * 60
        started, before, saved = time.time(), self.seconds, self.seconds
        history: list[dict[str, float]] = []
        while self.seconds < budget:
            history.append(learn(self.seconds / budget))
            self.seconds = before + time.time() - started
            if self.seconds - saved > CHECKPOINT_SECONDS or self.seconds >= budget:
                saved = self.seconds
                self.save(state)
                report = {name: float(np.mean([losses[name] for losses in history])) for name in history[0]} | judge()
                history = []
                print(
                    f"{self.seconds / 60:6.1f} min {self.images:7d} pictures "
                    + " ".join(f"{name} {value:.3f}" for name, value in report.items()),
                    flush=True,
                )
                export()
        export()


def parse_arguments(description: str, start: Path | None, learning_rate: float) -> argparse.Namespace:
    """The command line of a run, with its usual first weights and highest learning rate; sets up this process."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=None, help="checkpoint; default: beside the output")
    parser.add_argument(
        "--begin-with", dest="start", type=Path, default=start, help="weights that a new run begins with"
    )
    parser.add_argument("--lr", type=float, default=learning_rate, help="highest learning rate")
    parser.add_argument("--workers", type=int, default=1, help="processes that make pictures")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    args.state = args.state or args.out.with_suffix(".state.pt")
    torch.set_flush_denormal(True)
    torch.set_num_threads(args.threads)
    return args
