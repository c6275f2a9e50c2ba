"""What a build has made so far, so that a failed one leaves nothing behind."""

from __future__ import annotations

from typing import TypeVar

import bpy

Block = TypeVar("Block", bound=bpy.types.ID)


class Created:
    """Remembers new data-blocks. Used as a context manager: an exception inside removes them all and goes on."""

    def __init__(self) -> None:
        self._blocks: list[bpy.types.ID] = []

    def add(self, block: Block) -> Block:
        self._blocks.append(block)
        return block

    def __enter__(self) -> Created:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.remove()

    def remove(self) -> None:
        """Takes all of it away again."""
        bpy.data.batch_remove(self._blocks)
        self._blocks.clear()
