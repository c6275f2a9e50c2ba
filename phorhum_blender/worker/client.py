"""The parent's side of the wall: starts the child, submits jobs, collects events. Standard library only.

A :class:`Client` and its jobs belong to one thread. One job has two drivers: a modal operator calls :meth:`Job.poll` on
every timer tick, everything else calls :meth:`Job.wait`.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from ..engine.bugs import bug_line, mask_private, traceback_text
from ..engine.errors import UserError
from .broken_pipe import no_signal
from .protocol import Command, Event, ProtocolError, encode, look_file, read, result_file

if TYPE_CHECKING:
    import numpy as np

    from ..engine.contracts import People, Request, Result

CANCEL_SECONDS = 0.8  # between Cancel and killing a child that has not noticed it; the next job starts another
GRACE_SECONDS = 3.0  # between asking the child to end and killing it
MAX_LOG = 4 << 20  # bytes; a longer log starts afresh
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")

Loaded = TypeVar("Loaded")


class Client:
    """Owner of one child process, which is started when first needed and kept warm between jobs.

    ``python`` is the interpreter to run, ``extra_paths`` site folders to add to its path (where an extension's wheels
    lie), ``log_path`` the file that takes whatever the child and its libraries print.
    """

    def __init__(self, python: str = sys.executable, extra_paths: Sequence[str] = (), log_path: str = os.devnull):
        self.python = python
        self.extra_paths = tuple(extra_paths)
        self.log_path = log_path
        self._child: _Child | None = None
        self._job: Job | None = None
        self._submitted = 0

    def start(self) -> None:
        """Start the child now unless it runs, so that the first job finds it warm. Raises :class:`UserError`."""
        self._living_child()

    @property
    def running(self) -> bool:
        """True while the child holds its memory."""
        return self._child is not None and self._child.alive

    def submit(self, request: Request) -> Job:
        """Start a reconstruction. Raises :class:`UserError` if a job is running or the child cannot be started."""
        return self._start_job("reconstruct", request.to_json())

    def find_people(self, request: Request) -> Job:
        """Start a search for the persons of the request's photo. Raises as :meth:`submit`."""
        return self._start_job("find_people", request.to_json())

    def find_mask(self, request: Request) -> Job:
        """Start a search for the mask of the person that the request asks for. Raises as :meth:`submit`."""
        return self._start_job("find_mask", request.to_json())

    def ask_devices(self) -> Job:
        """Ask what can compute here: the text of the job's last event names it. Raises as :meth:`submit`."""
        return self._start_job("devices", {})

    def _start_job(self, kind: str, request: dict[str, Any]) -> Job:
        if self._job and not self._job.finished:
            raise UserError("The engine is already at work.", "Wait for it or cancel it first.")
        before = self._child
        child = self._living_child()
        self._submitted += 1
        self._job = Job(child, Command(kind, self._submitted, request), fresh=child is not before)
        return self._job

    def stop(self) -> None:
        """End the child and remove its files; a running job ends as cancelled. A later :meth:`submit` starts anew."""
        if self._job:
            self._job.cancel()
        if self._child:
            self._child.end()
            self._child = None

    def _living_child(self) -> _Child:
        if self._child and not self._child.alive:
            self._child.end()
            self._child = None
        if not self._child:
            self._child = _Child(self.python, self.extra_paths, self.log_path)
        return self._child


class Job:
    """Work of the child under way, made by a :class:`Client`."""

    def __init__(self, child: _Child, command: Command, fresh: bool):
        self.outcome: Event | None = None  # the last event, once there is one
        self._child = child
        self._number = command.job
        self._result = result_file(child.folder, command.job)
        self._deadline: float | None = None  # when a cancelled job loses patience
        if fresh:  # loading the libraries takes the child seconds before it can speak
            child.inbox.put(Event("stage", command.job, text="Starting engine"))
        child.send(command)

    @property
    def finished(self) -> bool:
        return self.outcome is not None

    def poll(self, timeout: float = 0.0) -> list[Event]:
        """Events since the last call; waits up to ``timeout`` seconds for the first. The last is "done" or "error"."""
        events: list[Event] = []
        while not self.finished:
            try:
                patience = 0.0 if events else timeout
                event = self._child.inbox.get(patience > 0, patience or None)
            except queue.Empty:
                if self._deadline is None or time.monotonic() < self._deadline:
                    break
                self._child.kill()
                event = None
            event = event or self._stopped()
            if event.job == self._number:
                events.append(event)
                self.outcome = event if event.last else None
        return events

    def wait(self, on_event: Callable[[Event], None] = lambda event: None) -> Event:
        """Block until the job ends and return its last event. Ctrl-C cancels the job."""
        while self.outcome is None:
            try:
                for event in self.poll(timeout=0.1):
                    on_event(event)
            except KeyboardInterrupt:
                self.cancel()
        return self.outcome

    def cancel(self) -> None:
        """Ask the job to end; keep polling. After a grace time the child is killed. May be called again."""
        if not self.finished and self._deadline is None:
            self._deadline = time.monotonic() + CANCEL_SECONDS
            self._child.send(Command("cancel", self._number))

    def load_result(self) -> Result:
        """The result of a reconstruction that is done. Its file is removed: call once."""
        from ..engine.export import load_npz

        return self._take(load_npz)

    def load_people(self) -> People:
        """The persons that a search found. Their file is removed: call once."""
        from ..engine.export import load_people

        return self._take(load_people)

    def load_mask(self) -> np.ndarray:
        """(H, W) uint8, first row on top: the mask that a search found. Its file is removed: call once."""
        from ..engine.export import load_picture

        return self._take(load_picture)

    def load_look(self) -> np.ndarray:
        """(S, S, 4) uint8 sRGB, first row on top: the person at work and its mask, once ``look`` was told."""
        from ..engine.export import load_picture

        return load_picture(look_file(self._child.folder))

    def _take(self, load: Callable[[Path], Loaded]) -> Loaded:
        try:
            return load(self._result)
        finally:
            self._result.unlink(missing_ok=True)

    def _stopped(self) -> Event:
        if self._deadline is not None:
            return Event("error", self._number, text="Cancelled", cause="cancelled")
        return Event("error", self._number, text=self._child.obituary(), cause="stopped")


class _Child:
    """A running child, the thread that reads it, and the private folder for its results."""

    def __init__(self, python: str, extra_paths: Sequence[str], log_path: str):
        self.log_path = log_path
        self.inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()  # None: the child is gone
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="phorhum-"))  # readable by this user only
        except OSError as error:
            raise _not_started(python, error) from error
        # isolated (-I): the caller's PYTHONPATH and user packages must not reach the engine
        command = [python, "-I", "-X", "faulthandler", str(BOOTSTRAP), str(self.folder), log_path, *extra_paths]
        # what its libraries put aside goes when the child goes, however it ends
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.folder))
        try:
            with open_log(log_path) as log:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, **temporary},
                    start_new_session=True,  # Ctrl-C in a terminal is for the parent, which then cancels
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise _not_started(python, error) from error
        assert self.process.stdin and self.process.stdout
        self._commands, self._events = self.process.stdin, self.process.stdout
        self._reader = threading.Thread(target=self._read, name="phorhum reader", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None and self._reader.is_alive()

    def send(self, command: Command) -> None:
        line = encode(command)  # raises where a value can't be told, or the job would wait for ever
        # a dead child shows as the end of its events
        with contextlib.suppress(OSError, ValueError), no_signal():
            self._commands.write(line)
            self._commands.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Let the child leave, or kill it; remove its folder."""
        self.send(Command("shutdown"))
        with contextlib.suppress(OSError), no_signal():  # what could not be written is tried once more
            self._commands.close()
        try:
            self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(GRACE_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def obituary(self) -> str:
        """One sentence for the user about a child that ended by itself."""
        try:
            self.process.wait(1.0)
        except subprocess.TimeoutExpired:  # it closed its stdout and lives on
            self.kill()
        return mask_private(
            f"The reconstruction process stopped unexpectedly (exit status {self.process.returncode}). Try again, with"
            f" a lower resolution if it happens again; it may have run out of memory. Log: {self.log_path}"
        )

    def _read(self) -> None:
        with self._events:
            for message in read(self._events, Event):
                if isinstance(message, ProtocolError):  # out of step: nothing that follows can be trusted
                    self.process.kill()
                    break
                self.inbox.put(message)
        self.inbox.put(None)


def _not_started(python: str, error: OSError) -> UserError:
    return UserError(f"The reconstruction process could not be started with {python}: {error.strerror or error}.")


def open_log(path: str) -> BinaryIO:
    """The log, open for appending bytes; its folder is made, and one that grew too long is emptied.

    Where it can't be written, as on a full disk, what is logged is lost: that is no reason not to work.
    """
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        long = os.path.exists(path) and os.path.getsize(path) > MAX_LOG
        return open(path, "wb" if long else "ab")
    except OSError:
        return open(os.devnull, "ab")


def log_bug(error: BaseException, path: str) -> str:
    """Puts the traceback into the log and returns the one line for the user."""
    with contextlib.suppress(OSError), open_log(path) as log:
        log.write(traceback_text(error).encode(errors="backslashreplace"))
    return bug_line(error, path)
