"""Lines of the protocol, damaged: read alone, sent to a real child, and told by a child that is none of ours."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from hypothesis import strategies as st

from phorhum_blender.engine.contracts import Request
from phorhum_blender.worker import client as client_module
from phorhum_blender.worker.client import Client
from phorhum_blender.worker.protocol import MAX_LINE, Command, Event, ProtocolError, encode, read
from tests.stand_ins import write_fake_site

from .mutations import damage, edits
from .rules import READ, REFUSED, Tally, feed, must, nothing_left

ANSWER_SECONDS = 30.0  # within which a job must end

COMMANDS = [
    Command("reconstruct", 7, Request("good.jpg").to_json()),
    Command("find_people", 8, Request("good.jpg").to_json()),
    Command("devices", 9),
    Command("cancel", 7),
    Command("shutdown"),
]
EVENTS = [
    Event("stage", 1, text="Finding surface"),
    Event("progress", 1, fraction=1 / 3),
    Event("warning", 1, text="The photo is blurred."),
    Event("error", 1, text="No person – none.", cause="user"),
    Event("done", 1),
]
NASTY = [None, -1, 10**400, 1e308, "", "\ud800", "x" * 2000, [], {}, True, "../../etc", [[]] * 50, {"a": {"b": []}}]
HUGE = [b"x" * (MAX_LINE + 1), b'{"kind": "stage", "text": "' + b"x" * MAX_LINE, b"[" * 200_000, b"\0" * MAX_LINE]


def lines(messages: list[Command] | list[Event]) -> st.SearchStrategy[bytes]:
    """Messages of which bytes or values were changed, parts of them, pieces of anything, and huge ones."""
    whole = st.sampled_from(messages).map(encode)
    keys = st.sampled_from([*messages[0].__dataclass_fields__, "KINDS", "surprise"])
    changed = st.builds(with_value, st.sampled_from(messages), keys, st.sampled_from(NASTY))
    junk = st.one_of(st.binary(max_size=60), st.text(max_size=30).map(lambda text: text.encode(errors="replace")))
    some = st.one_of(st.builds(damage, whole, edits), changed, junk, st.sampled_from(HUGE))
    return st.lists(some, min_size=1, max_size=3).map(b"\n".join)


def with_value(message: Command | Event, key: str, value: object) -> bytes:
    return json.dumps({**json.loads(encode(message)), key: value}).encode()


def run(count: int, number: int, folder: Path) -> list[Tally]:
    """Three in five are read alone, the others go through real processes."""
    through = count // 5
    return [
        feed("lines", lines(COMMANDS) | lines(EVENTS), check_reading, count - 2 * through, number),
        to_a_worker(folder, through, number),
        feed("lines from a worker", lines(EVENTS), told_by_impostor(folder), through, number),
    ]


def check_reading(data: bytes) -> str:
    became = set()
    for message in (Command, Event):
        for found in read(io.BytesIO(data), message):
            must(isinstance(found, message | ProtocolError), f"read as {type(found)}")
            became.add(REFUSED if isinstance(found, ProtocolError) else READ)
    return READ if READ in became else REFUSED


def to_a_worker(folder: Path, count: int, number: int) -> Tally:
    site = folder / "site"
    site.mkdir(exist_ok=True)
    client = Client(extra_paths=[write_fake_site(site)], log_path=str(folder / "log"))
    try:
        return feed("lines to the worker", lines(COMMANDS), sender(client), count, number)
    finally:
        client.stop()


def sender(client: Client) -> Callable[[bytes], str]:
    """A check that sends the data amid a job; whatever that does, a later job must come to its right end."""

    def check(data: bytes) -> str:
        job = client.submit(Request("slow.jpg"))
        raw = client._child.process.stdin
        with contextlib.suppress(OSError):  # what comes behind a shutdown finds nobody
            raw.write(data + b"\n")
            raw.flush()
        job.cancel()
        outcome = ended(job)
        must(outcome.kind == "error" and "\n" not in outcome.text, f"ended as {outcome}")
        again = client.submit(Request("good.jpg"))
        if ended(again).cause in ("stopped", "bug"):  # the child obeyed a shutdown, or complained of the rest just now
            again = client.submit(Request("good.jpg"))
        must(ended(again).kind == "done", f"the worker is not usable again: {again.outcome}")
        must(len(again.load_result().faces) == 8, "another result")
        return REFUSED if outcome.cause == "bug" else READ

    return check


def told_by_impostor(folder: Path) -> Callable[[bytes], str]:
    told, impostor = folder / "told", folder / "impostor.py"
    impostor.write_text(
        "import pathlib, sys\n"
        f"sys.stdout.buffer.write(pathlib.Path({str(told)!r}).read_bytes() + b'\\n')\n"
        "sys.stdout.flush()\n"
    )

    def check(data: bytes) -> str:
        told.write_bytes(data)
        with nothing_left(folder), mock.patch.object(client_module, "BOOTSTRAP", impostor):
            client = Client(log_path=str(folder / "impostor.log"))
            (folder / "impostor.log").touch()
            try:
                outcome = ended(client.submit(Request("good.jpg")))
            finally:
                client.stop()
            (folder / "impostor.log").unlink()
        must(outcome.last, f"ended as {outcome}")
        return REFUSED if outcome.cause == "stopped" else READ

    return check


def ended(job: client_module.Job) -> Event:
    """The job's last event; raises if there is none in time."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while job.outcome is None and time.monotonic() < deadline:
        job.poll(0.05)
    must(job.outcome, f"no answer within {ANSWER_SECONDS} s")
    return job.outcome
