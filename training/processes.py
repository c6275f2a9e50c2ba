"""Several processes that train one model together, started by torchrun: their gradients are averaged.

One process alone needs none of it; every function then does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
from torch import distributed


def join() -> tuple[int, int]:
    """(number of this process, number of processes), after meeting the others if torchrun started several."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return int(os.environ.get("RANK", "0")), world


def leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def average(tensors: Iterable[torch.Tensor]) -> None:
    """Each tensor becomes its mean over the processes, in place."""
    if not distributed.is_initialized():
        return
    tensors = list(tensors)
    flat = torch.cat([t.reshape(-1) for t in tensors])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    start = 0
    for tensor in tensors:
        tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
        start += tensor.numel()


def first_ones(value: float, device: str | torch.device) -> float:
    """``value`` of the first process: clocks differ, and all must stop at the same step."""
    if not distributed.is_initialized():
        return value
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.broadcast(shared, 0)
    return float(shared)
