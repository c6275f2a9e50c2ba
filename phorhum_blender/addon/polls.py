"""How an operator's poll says why it can't be used."""

from __future__ import annotations

from typing import Any


def allowed(cls: Any, reason: str) -> bool:
    """What the poll of the operator ``cls`` returns: true without a ``reason`` against it; else Blender shows that."""
    if reason:
        cls.poll_message_set(reason)
    return not reason
