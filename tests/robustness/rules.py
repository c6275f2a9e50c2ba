"""What holds for every input of the suite, and the count of what became of them."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

HANG_SECONDS = 180.0  # an input that takes longer ends the run with a traceback of all threads
UNCLEAR = ("Traceback", "Unexpected error", "Errno", "object at 0x", "NoneType", "<class")

READ, REFUSED = "right result", "clear error"


class Fault(AssertionError):
    """Something that must not happen did."""


@dataclass
class Tally:
    """What became of the inputs of one part of the suite."""

    part: str
    outcomes: dict[str, int] = field(default_factory=dict)
    distinct: int = 0
    slowest: float = 0.0  # seconds of one input
    figures: dict[str, Any] = field(default_factory=dict)  # what else was measured
    fault: str = ""  # empty where all rules held

    def note(self, outcome: str, seconds: float) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.slowest = max(self.slowest, round(seconds, 2))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def feed(part: str, inputs: SearchStrategy[Any], check: Callable[[Any], str], count: int, number: int = 0) -> Tally:
    """Gives ``count`` of ``inputs`` to ``check``, which returns the outcome or raises; stops at the first fault.

    ``number`` is the seed: the same one gives the same inputs.
    """
    tally, seen = Tally(part), set()

    def one(case: Any) -> None:
        started = time.monotonic()
        with no_hang():
            outcome = check(case)
        seen.add(repr(case))
        tally.note(outcome, time.monotonic() - started)

    # not shrunk: a photo cut in fewer places is no clearer, and each attempt may take seconds
    rules = settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=HealthCheck
    )
    try:
        seed(number)(rules(given(inputs)(one)))()
    except Exception as error:
        tally.fault = traceback_of(error)
    tally.distinct = len(seen)
    return tally


def traceback_of(error: BaseException) -> str:
    """With the notes in which hypothesis names the input, as long as its lines may be."""
    return "\n".join(line[:400] for line in "".join(traceback.format_exception(error)).strip().splitlines())


@contextlib.contextmanager
def no_hang(seconds: float = HANG_SECONDS) -> Iterator[None]:
    """Ends the process, all threads told, if the block takes longer; also where C code holds Python's lock."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def nothing_left(*folders: Path) -> Iterator[None]:
    """After the block ``folders`` hold the same files as before."""
    before = [files(folder) for folder in folders]
    yield
    for folder, old in zip(folders, before, strict=True):
        if files(folder) != old:
            raise Fault(f"{folder} changed: {sorted(files(folder) ^ old)}")


def files(folder: Path) -> set[str]:
    """Everything in ``folder``, folders included, by its path within."""
    found = (os.path.join(at, name) for at, folders, names in os.walk(folder) for name in (*folders, *names))
    return {os.path.relpath(path, folder) for path in found}


def must_be_clear(sentence: str) -> None:
    """Raises :class:`Fault` unless a user can make sense of ``sentence``."""
    reasons = [words for words in UNCLEAR if words in sentence]
    if reasons or "\n" in sentence or not sentence.endswith((".", ")")) or not 10 < len(sentence) < 1500:
        raise Fault(f"no clear sentence: {sentence!r}")


def must(holds: object, otherwise: str) -> None:
    if not holds:
        raise Fault(otherwise)


@contextlib.contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Root may write everywhere; meanwhile it is nobody. Nothing changes for other users."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
