"""Several processes that train one model together, started by torchrun: their gradients are averaged, and work that all
would do alike is shared out.

One process alone needs none of it; every function then does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

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


def shared_out(work: Callable[[torch.Tensor], torch.Tensor], matrices: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """``work`` of each matrix, which all processes have alike: each does a part of them and gets the rest from the
    others. ``work`` returns 16-bit floats of the matrix's shape."""
    if not distributed.is_initialized():
        return [work(matrix) for matrix in matrices]
    rank, world = distributed.get_rank(), distributed.get_world_size()
    by_size = sorted(range(len(matrices)), key=lambda k: -matrices[k].numel())
    mine = set(by_size[rank::world])
    done = [work(m) if k in mine else m.new_zeros(m.shape, dtype=torch.bfloat16) for k, m in enumerate(matrices)]
    flat = torch.cat([matrix.reshape(-1) for matrix in done])
    distributed.all_reduce(flat)  # a sum with zeros
    parts = flat.split([matrix.numel() for matrix in matrices])
    return [part.view(matrix.shape) for part, matrix in zip(parts, matrices, strict=True)]


def first_ones(value: float, device: str | torch.device) -> float:
    """``value`` of the first process: clocks differ, and all must stop at the same step."""
    if not distributed.is_initialized():
        return value
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.broadcast(shared, 0)
    return float(shared)
