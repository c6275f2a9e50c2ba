"""What a bug looks like to the user: one line that names the log, with private paths masked. Standard library only."""

from __future__ import annotations

import os
import re
import traceback


def mask_private(text: str) -> str:
    """``text`` with the user's home folder written as ``~``."""
    home = os.path.expanduser("~").rstrip("/\\")
    for spelling in {home, home.replace("\\", "/"), home.replace("\\", "\\\\")}:
        if len(spelling) > 1:
            text = re.sub(re.escape(spelling) + r"(?![\w.-])", "~", text)
    return text


def bug_line(error: BaseException, log: str | os.PathLike[str]) -> str:
    """The one line for the user; the traceback belongs in the file ``log``."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return mask_private(f"Unexpected error ({reason}). Please report it together with the log file {log}")


def traceback_text(error: BaseException) -> str:
    return mask_private("".join(traceback.format_exception(error)))
