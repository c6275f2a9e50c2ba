"""What can compute on this machine."""

from __future__ import annotations

import torch


def available_devices() -> list[str]:
    """Names for ``Request.device`` that work here; "cpu" is always among them and comes first."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return ["cpu", *(name for name, there in present.items() if there)]
