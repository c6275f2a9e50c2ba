"""The child's side of the wall: reads commands, runs reconstructions, tells events.

The main thread works; a second thread listens, so that a cancel, a shutdown and the end of stdin (the parent is gone)
are noticed amid heavy work.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, BinaryIO

from ..engine import load_reconstructor
from ..engine.bugs import bug_line, traceback_text
from ..engine.contracts import Request
from ..engine.errors import Cancelled, UserError
from .protocol import Command, Event, ProtocolError, encode, look_file, read, result_file

if TYPE_CHECKING:
    import numpy as np

    from ..engine.reconstruct import Reconstructor

LEAVE_SECONDS = 2.0  # at most, for the removal of files
PROGRESS_SECONDS = 0.05  # at most one progress event in this time


def main(result_folder: str, log: str) -> None:
    """Serve until told to stop or until stdin ends; never returns."""
    commands, events = claim_streams()
    Server(commands, events, result_folder, log).run()


def claim_streams() -> tuple[BinaryIO, BinaryIO]:
    """Stdin and stdout for the protocol alone.

    File descriptor 1 becomes a second stderr, which is the log, so that nothing a library prints, not even from C,
    gets between the events; descriptor 0 becomes empty.
    """
    commands = os.fdopen(os.dup(0), "rb")
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout = sys.stderr
    return commands, events


class Server:
    def __init__(self, commands: BinaryIO, events: BinaryIO, result_folder: str, log: str):
        self._commands = commands
        self._events = events
        self._result_folder = result_folder
        self._log = log
        self._write_lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._warm_key: tuple[Any, ...] = ()
        self._warm: Reconstructor | None = None

    def run(self) -> None:
        threading.Thread(target=self._listen, name="phorhum listener", daemon=True).start()
        with contextlib.suppress(Exception):  # a head start; a job that needs it will meet the failure and report it
            load_reconstructor()
        while True:
            self._serve(self._jobs.get())

    def _listen(self) -> None:
        latest = 0  # number of the last job
        for message in read(self._commands, Command):
            if isinstance(message, ProtocolError):  # it may have been a cancel, so the last job must not go on
                self._cancelled.add(latest)
                self._tell(Event("error", latest, text=bug_line(message, self._log), cause="bug"))
            elif message.kind == "cancel":
                self._cancelled.add(message.job)
            elif message.kind in Command.JOBS:
                latest = message.job
                self._jobs.put(message)
            else:
                break
        self._leave()

    def _leave(self) -> None:
        """End at once, whatever the main thread does, and leave no file behind."""
        deadline = time.monotonic() + LEAVE_SECONDS
        while os.path.isdir(self._result_folder) and time.monotonic() < deadline:  # files may still come
            shutil.rmtree(self._result_folder, ignore_errors=True)
        os._exit(0)

    def _tell(self, event: Event) -> None:
        try:
            with self._write_lock:
                self._events.write(encode(event))
                self._events.flush()
        except OSError:  # nobody listens any more
            self._leave()

    def _serve(self, command: Command) -> None:
        try:
            event = Event("done", command.job, text=self._do(command))
        except Cancelled:
            event = Event("error", command.job, text="Cancelled", cause="cancelled")
        except UserError as error:
            event = Event("error", command.job, text=str(error), cause="user")
        except MemoryError:
            event = Event("error", command.job, text="Not enough memory. Try a lower resolution.", cause="user")
        except Exception as error:
            with contextlib.suppress(OSError):  # a full disk takes no log
                print(traceback_text(error), file=sys.stderr, flush=True)
            event = Event("error", command.job, text=bug_line(error, self._log), cause="bug")
        self._tell(event)

    def _do(self, command: Command) -> str:
        """Runs the job; returns the text of its last event."""
        if command.kind == "devices":
            load_reconstructor()  # says what is missing where there is no torch
            from ..engine.devices import available_devices

            return " ".join(available_devices())
        request = Request.from_json(command.request)
        progress = _Progress(self, command.job)
        if command.kind == "find_people":
            self._find_people(request, progress, command)
        elif command.kind == "find_mask":
            self._find_mask(request, progress, command)
        else:
            self._reconstruct(request, progress, command)
        return ""

    def _reconstruct(self, request: Request, progress: _Progress, command: Command) -> None:
        def show(picture: np.ndarray) -> None:
            from ..engine.export import save_picture

            save_picture(picture, look_file(self._result_folder))
            self._tell(Event("look", command.job))

        result = self._reconstructor(request).run(request, progress, show)
        progress.check()
        from ..engine.export import save_mesh

        save_mesh(result, result_file(self._result_folder, command.job))
        for text in result.report.get("warnings", ()):
            self._tell(Event("warning", command.job, text=text))

    def _find_people(self, request: Request, progress: _Progress, command: Command) -> None:
        people = self._reconstructor(request).find_people(request, progress)
        progress.check()
        from ..engine.export import save_people

        save_people(people, result_file(self._result_folder, command.job))

    def _find_mask(self, request: Request, progress: _Progress, command: Command) -> None:
        mask = self._reconstructor(request).find_mask(request, progress)
        progress.check()
        from ..engine.export import save_picture

        save_picture(mask, result_file(self._result_folder, command.job))

    def _reconstructor(self, request: Request) -> Reconstructor:
        """The engine for this request; kept, with its networks loaded, until a request needs another."""
        files = (request.weights, request.detector)
        key = (*map(_stamp, files), request.device, request.threads)
        if self._warm is None or key != self._warm_key:
            self._warm = None  # let go of the memory first
            self._warm = load_reconstructor()(request.weights, request.detector, request.device, request.threads)
            self._warm_key = key
        return self._warm


class _Progress:
    """The engine's progress callback for one job: tells the client, and unwinds the job once it is cancelled."""

    def __init__(self, server: Server, job: int):
        self._server = server
        self._job = job
        self._stage = ""
        self._told = 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        self.check()
        now = time.monotonic()
        if stage != self._stage:
            self._stage = stage
            self._server._tell(Event("stage", self._job, text=stage))
        elif now < self._told + PROGRESS_SECONDS:
            return
        self._told = now
        self._server._tell(Event("progress", self._job, fraction=float(fraction)))

    def check(self) -> None:
        if self._job in self._server._cancelled:
            raise Cancelled


def _stamp(path: str) -> tuple[str, int]:
    """Changes when the file at ``path`` is replaced."""
    return path, os.stat(path).st_mtime_ns if os.path.isfile(path) else 0
