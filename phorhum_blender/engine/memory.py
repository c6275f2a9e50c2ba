"""Whether a reconstruction fits into the memory that is free. Standard library only."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

from .errors import UserError

# What a reconstruction takes beyond a process with its networks loaded. benchmarks/memory.py measured 124, 138, 191 and
# 357 MB at 128, 256, 384 and 512 cells of a photo of one megapixel: the finding of the person at first, then the
# surface. The base leaves room for larger photos: one of twelve took 437 and 475 MB at 256 and 512 cells.
BASE_MB = 350.0
BYTES_PER_PIXEL = 16  # of the square around the person: colour and mask, and both once more while they are resized
MB_PER_SQUARE_CELL = 1.45e-3


def check_memory(resolution: int) -> None:
    """Raises :class:`UserError` where a reconstruction needs more memory than is free, as far as the system tells."""
    needed, free = needed_mb(resolution), free_mb()
    if free is not None and free < needed:
        raise UserError(
            f"Resolution {resolution} needs about {needed:.0f} MB of memory, but only {free:.0f} MB are free.",
            "Choose a lower resolution or close other programs.",
        )


def check_square(side: int) -> None:
    """Raises :class:`UserError` where a square of ``side`` pixels around the person needs more memory than is free: a
    long strip of a photo, taken whole, is a small part of its square."""
    needed, free = BASE_MB + BYTES_PER_PIXEL * side**2 / (1 << 20), free_mb()
    if free is not None and free < needed:
        raise UserError(
            f"The square around the person has {side} x {side} pixels and needs about {needed:.0f} MB of memory, but "
            f"only {free:.0f} MB are free.",
            "Use a smaller copy of the photo or cut the person out.",
        )


def needed_mb(resolution: int) -> float:
    return BASE_MB + MB_PER_SQUARE_CELL * resolution**2


def free_mb() -> float | None:
    """Memory that programs can still get without swapping; None where the system does not tell."""
    try:
        if sys.platform == "win32":
            return _free_on_windows()
        if sys.platform == "darwin":
            return free_in_vm_stat(subprocess.run(["vm_stat"], capture_output=True, text=True, check=True).stdout)
        return free_in_meminfo(Path("/proc/meminfo").read_text())
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError):
        return None


def free_in_meminfo(text: str) -> float:
    """From Linux' /proc/meminfo."""
    return _number(r"^MemAvailable:\s+(\d+) kB", text) / 1024


def free_in_vm_stat(text: str) -> float:
    """From what macOS' vm_stat prints: pages that are free or can be dropped at once."""
    pages = sum(_number(rf"^Pages {kind}:\s+(\d+)", text) for kind in ("free", "inactive", "speculative"))
    return pages * _number(r"page size of (\d+) bytes", text) / (1 << 20)


def _number(pattern: str, text: str) -> int:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise ValueError(f"no {pattern}")
    return int(match[1])


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = [
        ("dwLength", ctypes.c_uint32),
        ("dwMemoryLoad", ctypes.c_uint32),
        ("ullTotalPhys", ctypes.c_uint64),
        ("ullAvailPhys", ctypes.c_uint64),
        ("ullTotalPageFile", ctypes.c_uint64),
        ("ullAvailPageFile", ctypes.c_uint64),
        ("ullTotalVirtual", ctypes.c_uint64),
        ("ullAvailVirtual", ctypes.c_uint64),
        ("ullAvailExtendedVirtual", ctypes.c_uint64),
    ]


def _free_on_windows() -> float | None:
    memory = _MemoryStatus(dwLength=ctypes.sizeof(_MemoryStatus))
    told = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(memory))  # type: ignore[attr-defined]
    return memory.ullAvailPhys / (1 << 20) if told else None
