"""Kills and cancels of the real engine at random moments: answered, nothing left, and the next job comes out right."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from phorhum_blender.engine.contracts import Request
from phorhum_blender.worker.client import Client, Job
from tests.stand_ins import ROOT

from .pictures import cut_out_person, encoded, noise
from .rules import Fault, Tally, files, must, must_be_clear, no_hang, traceback_of

ANSWER_SECONDS = 1.0  # within which Cancel must be answered
LONGEST_SECONDS = 12.0  # to a random moment, however slow the machine's cold start is
GONE_SECONDS = 5.0  # within which a child must have ended after its parent


class Engine:
    """The real engine in a child process, whose every file lies in ``folder``."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.random = folder, random.Random(seed)
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        os.environ["TMPDIR"] = str(self.temporary)  # for the children; this process has asked already
        tempfile.tempdir = str(self.temporary)
        person, whole = folder / "person.png", folder / "whole.jpg"
        person.write_bytes(encoded(cut_out_person(4), "PNG"))
        whole.write_bytes(encoded(noise(300, 500), "JPEG"))
        self.short = Request(str(person), resolution=32, threads=1)
        self.long = [
            Request(str(person), resolution=128, threads=1),
            Request(str(whole), resolution=64, whole_frame=True, threads=1),
        ]
        self.client = Client(log_path=str(folder / "log"))
        began = time.monotonic()
        self.right = self.whole_job()
        self.cold_seconds = min(time.monotonic() - began, LONGEST_SECONDS)

    def whole_job(self) -> bytes:
        """The vertices of a short job that comes to its end."""
        job = self.client.submit(self.short)
        with no_hang():
            outcome = job.wait()
        must(outcome.kind == "done", f"the worker is not usable: {outcome}")
        return np.ascontiguousarray(job.load_result().vertices).tobytes()

    def begin(self) -> Job:
        """A longer job, seen to its random moment, or to its end if that comes first."""
        job = self.client.submit(self.random.choice(self.long))
        moment = time.monotonic() + self.random.uniform(0, self.cold_seconds)
        while not job.finished and time.monotonic() < moment:
            job.poll(0.01)
        return job

    def must_work_again(self) -> None:
        must(self.whole_job() == self.right, "after that the result is another one")

    def end(self) -> None:
        self.client.stop()
        must(not files(self.temporary), f"left behind: {files(self.temporary)}")
        must(not children_in(self.temporary), "a child lives on")


def run_cancels(count: int, seed: int, folder: Path) -> Tally:
    """Every third of them in a child that has just been started."""
    tally, engine, waits = Tally("cancels"), Engine(folder, seed), []

    def one(number: int) -> str:
        if number % 3 == 0:
            engine.client.stop()
        job = engine.begin()
        child = engine.client._child
        began = time.monotonic()
        job.cancel()
        outcome = job.wait()
        waits.append(time.monotonic() - began)
        must(waits[-1] < ANSWER_SECONDS, f"answered after {waits[-1]:.2f} s")
        must(outcome.cause == "cancelled" or outcome.kind == "done", f"ended as {outcome}")
        if outcome.kind == "done":
            job.load_result()
            how = "was done already"
        else:
            how = "the child noticed it" if child.alive else "the child was killed"
        engine.must_work_again()
        return how

    repeat(tally, count, one)
    engine.end()
    tally.figures = {"slowest answer s": round(max(waits), 2), "median answer s": round(float(np.median(waits)), 2)}
    return tally


def run_worker_kills(count: int, seed: int, folder: Path) -> Tally:
    """The child dies at a random moment; every second time the next one dies as well, while it starts."""
    tally, engine, waits = Tally("kills of the worker"), Engine(folder, seed), []

    def one(number: int) -> str:
        job = engine.begin()
        began = time.monotonic()
        process = engine.client._child.process
        process.send_signal(signal.SIGKILL)
        outcome = job.wait()
        waits.append(time.monotonic() - began)
        process.wait()  # one whose job was done already may be dying still
        if outcome.kind == "done":
            job.load_result()
        else:
            must(outcome.cause == "stopped", f"ended as {outcome}")
            must_be_clear(outcome.text.partition(" Log: ")[0])
        if number % 2:
            engine.must_work_again()
        return "was done already" if outcome.kind == "done" else "one clear error"

    repeat(tally, count, one)
    engine.must_work_again()
    engine.end()
    tally.figures = {"slowest answer s": round(max(waits), 2)}
    return tally


PARENT = """
import sys, time
from phorhum_blender.engine.contracts import Request
from phorhum_blender.worker.client import Client
client = Client(log_path=sys.argv[2])
print("ready", flush=True)
job = client.submit(Request(sys.argv[1], resolution=128, threads=1))
while True:
    job.poll(0.05)
"""


def run_parent_kills(count: int, seed: int, folder: Path) -> Tally:
    """The parent dies at a random moment after it began to start its child; the child must follow."""
    tally, engine, waits = Tally("kills of the parent"), Engine(folder, seed), []
    engine.end()

    def one(number: int) -> str:
        command = [sys.executable, "-c", PARENT, engine.long[0].photo, str(folder / "log")]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as parent:
            must(parent.stdout.readline() == b"ready\n", "the parent did not start")
            time.sleep(engine.random.uniform(0.05, engine.cold_seconds))
            parent.kill()
        began = time.monotonic()
        while children_in(engine.temporary) or files(engine.temporary):
            if time.monotonic() - began > GONE_SECONDS:
                raise Fault(f"left: {children_in(engine.temporary)} {files(engine.temporary)}")
            time.sleep(0.02)
        waits.append(time.monotonic() - began)
        return "no orphan, no file"

    repeat(tally, count, one)
    tally.figures = {"slowest end of a child s": round(max(waits), 2)}
    return tally


def repeat(tally: Tally, count: int, one: Callable[[int], str]) -> None:
    try:
        for number in range(count):
            began = time.monotonic()
            with no_hang():
                outcome = one(number)
            tally.note(outcome, time.monotonic() - began)
            tally.distinct += 1
    except Exception as error:
        tally.fault = traceback_of(error)


def children_in(folder: Path) -> list[int]:
    """Living processes that were started with a result folder in ``folder``."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path("/proc", pid, "cmdline").read_bytes()
        except OSError:  # gone meanwhile
            continue
        if b"bootstrap.py" in command and os.fsencode(folder) in command:
            found.append(int(pid))
    return found
