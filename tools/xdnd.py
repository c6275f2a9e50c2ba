"""Drop files on a window of an X display, as a file manager would.

    python tools/xdnd.py X Y FILE...

The X drag-and-drop protocol (XDND 5) spoken to the first window that takes part in it, at X, Y of the screen. Exit
status 0 where the window fetched the names of the files. Needs libX11 only, and a display in ``DISPLAY``.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import time
from pathlib import Path
from typing import Any

CLIENT_MESSAGE, SELECTION_REQUEST, SELECTION_NOTIFY = 33, 30, 31  # X.h
XA_ATOM, PROPERTY_REPLACE, CURRENT_TIME = 4, 0, 0
VERSION = 5
TIMEOUT_SECONDS = 60.0


# of every X event; of what is said about a selection
HEAD = (("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p))
SELECTION = tuple((name, ctypes.c_ulong) for name in ("requestor", "selection", "target", "property", "time"))


class ClientMessage(ctypes.Structure):
    _fields_ = (
        *HEAD,
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
    )


class SelectionRequest(ctypes.Structure):
    _fields_ = (*HEAD, ("owner", ctypes.c_ulong), *SELECTION)


class SelectionNotify(ctypes.Structure):
    _fields_ = (*HEAD, *SELECTION)


class Event(ctypes.Union):
    _fields_ = (
        ("type", ctypes.c_int),
        ("message", ClientMessage),
        ("request", SelectionRequest),
        ("notify", SelectionNotify),
        ("room", ctypes.c_long * 24),  # as large as Xlib's XEvent
    )


class Source:
    """A window of our own that offers files."""

    def __init__(self, files: list[str]):
        self.uris = "".join(f"{Path(file).resolve().as_uri()}\r\n" for file in files).encode()
        self.x11 = _library()
        self.display = self.x11.XOpenDisplay(None)
        if not self.display:
            raise SystemExit("xdnd: there is no display")
        self.root = self.x11.XDefaultRootWindow(self.display)
        self.window = self.x11.XCreateSimpleWindow(self.display, self.root, 0, 0, 1, 1, 0, 0, 0)
        self.x11.XSetSelectionOwner(self.display, self.atom("XdndSelection"), self.window, CURRENT_TIME)

    def atom(self, name: str) -> int:
        return self.x11.XInternAtom(self.display, name.encode(), 0)

    def target(self, window: int) -> int:
        """The first window at or below ``window`` that takes drops; 0 where there is none."""
        if self._takes_drops(window):
            return window
        root, parent, number = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
        children = ctypes.POINTER(ctypes.c_ulong)()
        told = [ctypes.byref(value) for value in (root, parent, children, number)]
        self.x11.XQueryTree(self.display, window, *told)
        return next(filter(None, map(self.target, children[: number.value])), 0)

    def drop(self, x: int, y: int) -> None:
        target = self.target(self.root)
        if not target:
            raise SystemExit("xdnd: no window takes drops")
        self._send(target, "XdndEnter", VERSION << 24, self.atom("text/uri-list"), 0, 0)
        self._send(target, "XdndPosition", 0, x << 16 | y, CURRENT_TIME, self.atom("XdndActionCopy"))
        self._serve("XdndStatus")
        self._send(target, "XdndDrop", 0, CURRENT_TIME, 0, 0)
        self._serve("XdndFinished")

    def _takes_drops(self, window: int) -> bool:
        kind, form, length, rest = ctypes.c_ulong(), ctypes.c_int(), ctypes.c_ulong(), ctypes.c_ulong()
        value = ctypes.c_void_p()
        told = [ctypes.byref(out) for out in (kind, form, length, rest, value)]
        self.x11.XGetWindowProperty(self.display, window, self.atom("XdndAware"), 0, 1, 0, XA_ATOM, *told)
        return length.value > 0

    def _send(self, target: int, kind: str, *data: int) -> None:
        event = Event()
        event.message.type, event.message.display = CLIENT_MESSAGE, self.display
        event.message.window, event.message.message_type, event.message.format = target, self.atom(kind), 32
        event.message.data[:] = (self.window, *data)
        self.x11.XSendEvent(self.display, target, 0, 0, ctypes.byref(event))
        self.x11.XFlush(self.display)

    def _serve(self, awaited: str) -> None:
        """Hands out the files' names until the window says ``awaited``."""
        until = time.monotonic() + TIMEOUT_SECONDS
        event = Event()
        while time.monotonic() < until:
            if not self.x11.XPending(self.display):
                time.sleep(0.02)
                continue
            self.x11.XNextEvent(self.display, ctypes.byref(event))
            if event.type == SELECTION_REQUEST:
                self._answer(event.request)
            elif event.type == CLIENT_MESSAGE and event.message.message_type == self.atom(awaited):
                return
        raise SystemExit(f"xdnd: the window did not answer with {awaited}")

    def _answer(self, request: SelectionRequest) -> None:
        names = (request.requestor, request.property, request.target)
        self.x11.XChangeProperty(self.display, *names, 8, PROPERTY_REPLACE, self.uris, len(self.uris))
        event = Event()
        event.notify.type, event.notify.display = SELECTION_NOTIFY, self.display
        for name, _ in SELECTION:
            setattr(event.notify, name, getattr(request, name))
        self.x11.XSendEvent(self.display, request.requestor, 0, 0, ctypes.byref(event))
        self.x11.XFlush(self.display)


def _library() -> Any:
    x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    display, number, text = ctypes.c_void_p, ctypes.c_ulong, ctypes.c_char_p
    signatures: dict[str, tuple[Any, list[Any]]] = {  # of those whose pointers and longs would be cut to C's int
        "XOpenDisplay": (display, [text]),
        "XDefaultRootWindow": (number, [display]),
        "XCreateSimpleWindow": (number, [display, number, *[ctypes.c_int] * 2, *[ctypes.c_uint] * 3, number, number]),
        "XInternAtom": (number, [display, text, ctypes.c_int]),
        "XSetSelectionOwner": (ctypes.c_int, [display, number, number, number]),
        "XQueryTree": (ctypes.c_int, [display, number, *[ctypes.c_void_p] * 4]),
        "XGetWindowProperty": (
            ctypes.c_int,
            [display, number, number, ctypes.c_long, ctypes.c_long, ctypes.c_int, number, *[ctypes.c_void_p] * 5],
        ),
        "XSendEvent": (ctypes.c_int, [display, number, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]),
        "XFlush": (ctypes.c_int, [display]),
        "XPending": (ctypes.c_int, [display]),
        "XNextEvent": (ctypes.c_int, [display, ctypes.c_void_p]),
        "XChangeProperty": (
            ctypes.c_int,
            [display, number, number, number, ctypes.c_int, ctypes.c_int, text, ctypes.c_int],
        ),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(x11, name)
        function.restype, function.argtypes = result, arguments
    return x11


if __name__ == "__main__":
    Source(sys.argv[3:]).drop(int(sys.argv[1]), int(sys.argv[2]))
