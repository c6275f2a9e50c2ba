"""The reconstruction engine: torch and numpy, never Blender. Importing this package is quick; torch comes later."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    from .reconstruct import Reconstructor


def load_reconstructor() -> type[Reconstructor]:
    """Import the engine's heavy part, which takes seconds. Raises :class:`UserError` where Python lacks a package."""
    try:
        from .reconstruct import Reconstructor
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(__name__.partition(".")[0]):
            raise  # a part of this very package: a bug
        raise UserError(
            f"The Python that runs the reconstruction ({sys.executable}) lacks the package '{error.name}'.",
            "Install the complete extension, or choose a Python that has the package.",
        ) from error
    return Reconstructor
