"""What is known of this machine: its devices, and what the last reconstructions cost. Kept in the user's folder."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ..engine.contracts import Request
from ..engine.errors import UserError
from ..engine.export import atomic_file
from .package import user_folder

KEPT_RUNS = 20
RECENT_RUNS = 5  # those that a forecast is made from
GROWING_STAGES = ("Finding surface", "Colouring")  # their time grows with the surface, the square of the resolution
MB_PER_SQUARE_CELL = 6.5e-4  # memory that grows likewise, measured between 128 and 384 cells


@dataclass(frozen=True)
class Cost:
    seconds: float
    memory_mb: float  # 0: not known


@dataclass(frozen=True)
class Run:
    """The cost of one reconstruction."""

    device: str
    threads: int
    resolution: int
    seconds: float  # of the stages that take the same time at every resolution
    growing_seconds: float  # of GROWING_STAGES
    memory_mb: float  # peak of the engine's process; 0 where the system does not tell

    @classmethod
    def of(cls, request: Request, report: dict[str, Any]) -> Run:
        """``report`` is :attr:`Result.report`."""
        growing = sum(report["seconds"].get(stage, 0.0) for stage in GROWING_STAGES)
        fixed = report["seconds"]["all"] - growing
        return cls(request.device, request.threads, request.resolution, fixed, growing, report["peak_memory_mb"])

    def scaled(self, resolution: int) -> Cost:
        """What it would have cost at another resolution."""
        seconds = self.seconds + self.growing_seconds * (resolution / self.resolution) ** 2
        more_memory = MB_PER_SQUARE_CELL * (resolution**2 - self.resolution**2)
        return Cost(seconds, max(0.0, self.memory_mb + more_memory) if self.memory_mb else 0.0)


@dataclass(frozen=True)
class Knowledge:
    devices: tuple[str, ...] = ("cpu",)
    runs: tuple[Run, ...] = ()  # the latest last

    def expected(self, resolution: int, device: str, threads: int) -> Cost | None:
        """What a reconstruction will cost, from the last ones on this device; None without any.

        All of them are scaled to ``resolution``, so that more cells never seem to cost less, whatever else the machine
        did at the time.
        """
        costs = [run.scaled(resolution) for run in self.runs if (run.device, run.threads) == (device, threads)]
        if not costs:
            return None
        latest = costs[-RECENT_RUNS:]
        # the process keeps its peak, so after a large run all seem large: the least tells most
        return Cost(median(cost.seconds for cost in latest), min(cost.memory_mb for cost in latest))


_known: Knowledge | None = None


def knowledge() -> Knowledge:
    """Read from the disk once; cheap enough for a panel's draw."""
    global _known
    if _known is None:
        _known = _read(_path())
    return _known


def forget() -> None:
    """The next :func:`knowledge` is read from the disk again."""
    global _known
    _known = None


def remember_devices(devices: Sequence[str]) -> None:
    _keep(Knowledge(tuple(devices), knowledge().runs))


def remember_run(run: Run) -> None:
    _keep(Knowledge(knowledge().devices, (*knowledge().runs, run)[-KEPT_RUNS:]))


def forget_runs() -> None:
    _keep(Knowledge(knowledge().devices))


def _path() -> Path:
    return Path(user_folder("measured"), "machine.json")


def _read(path: Path) -> Knowledge:
    """What the file holds; nothing is known where it is missing, damaged or of another version."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Knowledge(tuple(map(str, values["devices"])), tuple(Run(**run) for run in values["runs"]))
    except (OSError, ValueError, TypeError, KeyError):
        return Knowledge()


def _keep(known: Knowledge) -> None:
    global _known
    _known = known
    # a full disk costs only the memory of a cost; another Blender may write at the same time
    with contextlib.suppress(UserError), atomic_file(_path()) as file:
        file.write(json.dumps(asdict(known)).encode())
