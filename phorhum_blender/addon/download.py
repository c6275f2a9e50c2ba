"""A checked download: https from named hosts, pinned size and SHA-256, written atomically. Standard library only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..engine.errors import Cancelled, UserError
from ..worker.broken_pipe import no_signal
from ..worker.protocol import Event

TIMEOUT_SECONDS = 30.0
CHUNK = 1 << 16
_GITHUB_HOSTS = frozenset({"github.com", "objects.githubusercontent.com", "release-assets.githubusercontent.com"})


@dataclass(frozen=True)
class PinnedFile:
    name: str
    url: str
    size: int  # bytes
    sha256: str


YOLO_DETECTOR = PinnedFile(
    name="yolo11n-seg.pt",
    url="https://github.com/ultralytics/assets/releases/download/v8.4.0/yolo11n-seg.pt",
    size=6_182_636,
    sha256="55ed65c56c91713d23e8402371c6c49a6fd84f257f7dce452e8d70e41dcbe152",
)


def is_github(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and parts.hostname in _GITHUB_HOSTS and parts.port in (None, 443)


def matches(path: Path, pinned: PinnedFile) -> bool:
    """True where ``path`` is exactly the pinned file."""
    if not path.is_file() or path.stat().st_size != pinned.size:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == pinned.sha256


def fetch(
    pinned: PinnedFile,
    folder: Path,
    *,
    allowed: Callable[[str], bool] = is_github,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Path:
    """Downloads ``pinned`` into ``folder`` unless it lies there already, and returns its path.

    ``allowed`` judges the address and every redirect. ``progress`` gets 0..1 and may raise ``Cancelled``. Raises
    ``UserError`` when the address is not allowed, the server fails, or what comes is not the pinned file; no file is
    left then.
    """
    target = folder / pinned.name
    if matches(target, pinned):
        return target
    handle, part = tempfile.mkstemp(prefix=pinned.name, suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            _receive(pinned, file.write, allowed, progress)
        os.replace(part, target)
    except OSError as error:  # urllib's errors are OSErrors too
        reason = getattr(error, "reason", None) or error.strerror or error
        sentence = f"The download of {pinned.name} failed: {reason}."
        raise UserError(sentence, "Check the connection and try again.") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    return target


def _receive(
    pinned: PinnedFile,
    write: Callable[[bytes], object],
    allowed: Callable[[str], bool],
    progress: Callable[[float], None],
) -> None:
    opener = urllib.request.build_opener(_CheckedRedirects(allowed))
    _check_address(pinned.url, allowed)
    digest, received = hashlib.sha256(), 0
    with opener.open(pinned.url, timeout=TIMEOUT_SECONDS) as response:
        while chunk := response.read(CHUNK):
            received += len(chunk)
            if received > pinned.size:
                break
            digest.update(chunk)
            write(chunk)
            progress(received / pinned.size)
    if received != pinned.size or digest.hexdigest() != pinned.sha256:
        raise UserError(f"What was downloaded is not the expected {pinned.name}; it was thrown away.")


def _check_address(url: str, allowed: Callable[[str], bool]) -> None:
    if not allowed(url):
        raise UserError(f"The download was stopped: {urlsplit(url).hostname} is not a trusted https address.")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, allowed: Callable[[str], bool]):
        self._allowed = allowed

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # the signature is urllib's
        _check_address(newurl, self._allowed)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class DownloadTask:
    """:func:`fetch` in a thread, with the same interface as a job of the engine."""

    def __init__(self, pinned: PinnedFile, folder: Path, *, allowed: Callable[[str], bool] = is_github):
        self.outcome: Event | None = None
        self.path: Path | None = None  # once done
        self._inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(pinned, folder, allowed), daemon=True)
        self._thread.start()

    def poll(self, timeout: float = 0.0) -> list[Event]:
        events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            if timeout:
                events.append(self._inbox.get(timeout=timeout))
            while True:
                events.append(self._inbox.get_nowait())
        for event in events:
            self.outcome = event if event.last else None
        return events

    def wait(self, on_event: Callable[[Event], None]) -> Event:
        while self.outcome is None:
            try:
                for event in self.poll(timeout=0.1):
                    on_event(event)
            except KeyboardInterrupt:
                self.cancel()
        return self.outcome

    def cancel(self) -> None:
        self._cancelled.set()

    def _run(self, pinned: PinnedFile, folder: Path, allowed: Callable[[str], bool]) -> None:
        def progress(fraction: float) -> None:
            if self._cancelled.is_set():
                raise Cancelled
            self._inbox.put(Event("progress", fraction=fraction))

        try:
            with no_signal():  # a server may hang up amid a request
                self.path = fetch(pinned, folder, allowed=allowed, progress=progress)
        except Cancelled:
            self._inbox.put(Event("error", text="Cancelled", cause="cancelled"))
        except UserError as error:
            self._inbox.put(Event("error", text=str(error), cause="user"))
        except Exception as error:  # the thread's end must reach the one who waits
            self._inbox.put(Event("error", text=f"The download failed: {error}", cause="bug"))
        else:
            self._inbox.put(Event("done"))
