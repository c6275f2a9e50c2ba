"""A box dragged over a photo: from places of the mouse to the four numbers. Knows nothing of Blender.

Boxes are (left, top, right, bottom) in whole pixels of the upright photo, places (x, y) likewise, y down. An Image
Editor counts otherwise: its photo spans 0 to 1 both ways, and v goes up.
"""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[int, int]
Box = tuple[int, int, int, int]

LEAST_WIDTH, LEAST_HEIGHT = 16, 32  # pixels: what the engine asks of a box; a smaller drag is taken for a click


def to_photo(u: float, v: float, size: tuple[int, int]) -> Place:
    """The place in a photo of ``size`` (width, height) where the editor has (``u``, ``v``); what lies beyond the photo
    goes to its edge."""
    return round(_unit(u) * size[0]), round((1 - _unit(v)) * size[1])


def to_editor(place: Place, size: tuple[int, int]) -> tuple[float, float]:
    """Where the editor has ``place``: the other way round of :func:`to_photo`."""
    return place[0] / size[0], 1 - place[1] / size[1]


def box_between(one: Place, other: Place) -> Box:
    """The box of which the two are opposite corners, whichever."""
    (left, right), (top, bottom) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    return left, top, right, bottom


@dataclass
class BoxDrag:
    """The box while it is dragged; each drag draws it anew."""

    box: Box | None = None
    _start: Place | None = None
    _before: Box | None = None  # the box before this drag

    def press(self, place: Place) -> None:
        self._start, self._before = place, self.box

    def move(self, place: Place) -> None:
        if self._start:
            self.box = box_between(self._start, place)

    def release(self, place: Place) -> bool:
        """True for a click on the spot, which leaves the box as it was."""
        if self._start is None:  # the button went down elsewhere
            return False
        left, top, right, bottom = self.box = box_between(self._start, place)
        self._start = None
        if right - left >= LEAST_WIDTH and bottom - top >= LEAST_HEIGHT:
            return False
        self.box = self._before
        return True


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
