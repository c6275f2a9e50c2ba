"""Writing where nobody may read any more."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def no_signal() -> Iterator[None]:
    """Within it, this thread's writes into a pipe without a reader are a ``BrokenPipeError`` and nothing else.

    Python's own program ignores the signal that comes with it; Blender (seen in 4.3) does not, and would end at once.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows has no such signal
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            if signal.SIGPIPE in signal.sigpending():
                signal.sigwait({signal.SIGPIPE})  # takes it away before it is let through again
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPIPE})
