"""Requests with odd values, sent through the worker to the real engine with tiny networks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from phorhum_blender.engine.contracts import Request
from phorhum_blender.worker.client import Client
from phorhum_blender.worker.protocol import look_file
from tests.stand_ins import save_tiny_model

from .pictures import cut_out_person, encoded
from .rules import READ, REFUSED, Tally, feed, files, must, must_be_clear

WHOLE = [-(2**31), -1, 0, 1, 15, 16, 33, 999, 1025, 10**6, 2**31 - 1]
REAL = [float("-inf"), -1.0, 0.0, 1e-300, 0.1, 1.0, 9.99, 10.001, 1e300]
TEXT = ["", " ", ".", "/", "absent.png", "~", "x" * 300, "nul\0", "\udcff", "/dev/null", "/proc/self/mem", "写.png"]
BOXES = [(0, 0, 0, 0), (90, 90, 10, 10), (-1e9, -1e9, 1e9, 1e9), (5e8, 0, 6e8, 9), (0, 0, 1e-3, 9), (10, 10, 90, 150)]
WRONG_KIND = [None, [], {}, True, "7", 7, 1.5, [1, 2], 2**31, {"a": [[]]}]

values: dict[str, list[Any]] = {
    "photo": TEXT,
    "resolution": [n for n in WHOLE if n != 999],  # which is allowed, and takes its time
    "height": REAL,
    "person": WHOLE,
    "box": BOXES,
    "whole_frame": [True],
    "photo_detail": [False],
    "back_photo": TEXT,
    "back_person": WHOLE,
    "weights": TEXT,
    "detector": TEXT,
    "device": [*TEXT, "cuda", "mps", "meta", "cpu:7", "tpu"],
    "threads": [-1, 0, 1],
    "version": [0, 2],
}
fields = st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(values[name])))
of_wrong_kind = st.tuples(st.sampled_from([*sorted(values), "of a newer version"]), st.sampled_from(WRONG_KIND))


def run(count: int, number: int, folder: Path) -> Tally:
    photo, weights = folder / "person.png", folder / "tiny.safetensors"
    photo.write_bytes(encoded(cut_out_person(), "PNG"))
    save_tiny_model(weights)
    usual = Request(str(photo), resolution=32, weights=str(weights), threads=1).to_json()
    client = Client(log_path=str(folder / "log"))

    def check(changes: list[tuple[str, Any]]) -> str:
        client.start()
        child = client._child
        request = {**usual, **dict(changes)}
        try:
            job = client._start_job("reconstruct", request)
        except ValueError:
            must(request["height"] == float("-inf"), "refused though it can be told")
            return "a bug of the caller, before anything is sent"
        outcome = job.wait()
        if outcome.kind == "done":
            must(len(job.load_result().faces) > 0, "an empty result")
        left = files(child.folder) - {look_file("").name}  # which the next job's replaces
        must(not left, f"left behind: {left}")
        must(client.running and client._child is child, "the worker died")
        return READ if outcome.kind == "done" else must_be_answered(outcome.text, outcome.cause, changes)

    try:
        return feed("requests", st.lists(fields | of_wrong_kind, min_size=1, max_size=3), check, count, number)
    finally:
        client.stop()


def must_be_answered(text: str, cause: str, changes: list[tuple[str, Any]]) -> str:
    """A user can set each value, but none of another kind: only a program can, and may be told of a bug."""
    if cause == "user":
        must_be_clear(text)
        return REFUSED
    known = {f.name for f in dataclasses.fields(Request)}
    foreign = [
        name
        for name, value in changes
        if name not in known or repr(value) not in map(repr, values[name]) or name == "version"
    ]
    must(cause == "bug" and foreign and "ValueError: " in text and "\n" not in text, f"{cause}: {text}")
    return "a bug of the caller, in one line"
