"""The language spoken over the wall: one JSON object a line, UTF-8. Standard library only.

:class:`Command` goes from the client to the child's stdin, :class:`Event` from the child's stdout to the client. Arrays
never travel here: the child writes them to a file of its own folder, see :func:`result_file`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

MAX_LINE = 1 << 20  # bytes; real lines have a few hundred


class ProtocolError(ValueError):
    """A line that is not a message."""


@dataclass(frozen=True)
class Command:
    """What the client asks for.

    ``reconstruct`` runs ``request`` (:meth:`Request.to_json`) and writes the result to the job's file;
    ``find_people`` does so with the persons of the request's photo, ``find_mask`` with the mask of the person that it
    asks for; ``devices`` asks what can compute here, and its ``done`` tells. ``cancel`` ends the job early;
    ``shutdown`` ends the child.
    """

    JOBS: ClassVar = frozenset({"reconstruct", "find_people", "find_mask", "devices"})
    KINDS: ClassVar = JOBS | {"cancel", "shutdown"}

    kind: str
    job: int = 0
    request: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """What happens to a job. ``done`` or ``error`` comes last, exactly once. ``look``: there is an early look at the
    person, see :func:`look_file`."""

    KINDS: ClassVar = frozenset({"stage", "progress", "look", "warning", "done", "error"})

    kind: str
    job: int = 0
    text: str = ""  # stage: its name; warning and error: one sentence for the user; done of devices: "cpu cuda"
    fraction: float = 0.0  # progress: 0..1, as the engine reports it
    cause: str = ""  # error: "user" (can be mended), "cancelled", "bug" or "stopped" (the child is gone)

    @property
    def last(self) -> bool:
        return self.kind in ("done", "error")


Message = TypeVar("Message", Command, Event)

_ACCEPTED: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "dict[str, Any]": (dict,),
}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def result_file(folder: str | Path, job: int) -> Path:
    """Where the arrays of ``job`` lie in the child's ``folder``; both sides reckon it, so no line can name a file."""
    return Path(folder, f"{job}.npz")


def look_file(folder: str | Path) -> Path:
    """Where the picture of the person at work lies in the child's ``folder``; the next job's takes its place."""
    return Path(folder, "look.npz")


def encode(message: Command | Event) -> bytes:
    return json.dumps(asdict(message), allow_nan=False).encode("ascii") + b"\n"


def decode(line: bytes, message: type[Message]) -> Message:
    """Raises :class:`ProtocolError` unless ``line`` is a well-formed message of this class."""
    try:
        values = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {line[:80]!r}") from error
    fields = message.__dataclass_fields__
    if not isinstance(values, dict) or not set(values) <= set(fields) - {"KINDS", "JOBS"}:
        raise ProtocolError(f"not a {message.__name__}: {line[:80]!r}")
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, _ACCEPTED[str(fields[name].type)]):
            raise ProtocolError(f"{name} of a {message.__name__} must be {fields[name].type}: {line[:80]!r}")
    if values.get("kind") not in message.KINDS:
        raise ProtocolError(f"unknown kind of {message.__name__}: {line[:80]!r}")
    return message(**values)


def read(stream: IO[bytes], message: type[Message]) -> Iterator[Message | ProtocolError]:
    """Messages of ``stream`` until it ends. A bad line comes as a :class:`ProtocolError`; reading goes on after it."""
    while line := stream.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE)
            yield ProtocolError(f"a line of more than {MAX_LINE} bytes")
            continue
        try:
            yield decode(line, message)
        except ProtocolError as error:
            yield error
