"""People of several photos stand in a row instead of in one another."""

from __future__ import annotations

from .scene.build import Built

GAP = 0.3  # part of the person's height between two people


def stand_beside(built: Built, right: float | None) -> float:
    """Moves a person just built, with camera and lights, to the right of X = ``right``; returns its own right edge.

    The first of a row, for whom ``right`` is None, stays where it was built.
    """
    corners = [corner[0] for corner in built.object.bound_box]
    shift = 0.0 if right is None else right + GAP * built.object.dimensions.z - min(corners)
    for thing in built.collection.all_objects:
        if thing.parent is None:
            thing.location.x += shift
    return max(corners) + shift
