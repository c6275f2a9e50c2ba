"""Triangle meshes in few bytes: connectivity by growing a region face by face, coordinates by parallelogram prediction.

A face is coded by what lies across an edge of a face already known (after Touma and Gotsman, "Triangle mesh
compression", 1998): nothing, a corner never seen yet, or one seen some time ago. Most of the symbols are then small. A
new corner is expected where it would complete a parallelogram, and only the difference is kept. What comes out is
meant for a general-purpose compressor such as lzma.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

NOTHING, NEW = 0, 1  # symbols; the corner seen k corners ago is NEW + k


@dataclass(frozen=True)
class Walk:
    """Faces in the order in which they were grown, their corners numbered as they were met."""

    faces: np.ndarray  # (F, 3) int64
    predictors: np.ndarray  # (W, 3) int64: corners a, b, c known before; the corner is expected at a + b - c


def encode_faces(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Symbols (S,) int64 from which :func:`decode_faces` makes the same faces in another order.

    ``faces`` (F, 3): no face may have a corner twice. Returns also the rows of ``faces`` in their new order (F,) and
    the old number of each new corner (W,).
    """
    across: dict[tuple[int, int], list[int]] = {}
    corners = faces.tolist()
    for row, (a, b, c) in enumerate(corners):
        for edge in ((a, b), (b, c), (c, a)):
            across.setdefault(edge, []).append(row)
    symbols: list[int] = []
    rows: list[int] = []
    number: dict[int, int] = {}
    old: list[int] = []
    waiting = [True] * len(corners)
    starts = iter(range(len(corners)))

    def note(corner: int) -> int:
        if corner in number:
            symbols.append(NEW + len(old) - number[corner])
        else:
            symbols.append(NEW)
            number[corner] = len(old)
            old.append(corner)
        return number[corner]

    def take(row: int) -> list[int]:
        waiting[row] = False
        rows.append(row)
        return corners[row]

    def start() -> tuple[int, int, int]:
        a, b, c = take(next(row for row in starts if waiting[row]))
        return note(a), note(b), note(c)

    def third(a: int, b: int) -> int | None:
        row = next((row for row in across.get((old[a], old[b]), ()) if waiting[row]), None)
        if row is None:
            symbols.append(NOTHING)
            return None
        return note(next(corner for corner in take(row) if corner not in (old[a], old[b])))

    _grow(len(corners), start, third)
    return np.array(symbols), np.array(rows, np.int64), np.array(old, np.int64)


def decode_faces(symbols: np.ndarray, count: int) -> Walk:
    """The ``count`` faces that :func:`encode_faces` wrote as ``symbols``."""
    stream = iter(symbols.tolist())
    known = 0

    def meet(symbol: int) -> int:
        nonlocal known
        known += symbol == NEW
        return known - 1 if symbol == NEW else known - (symbol - NEW)

    def start() -> tuple[int, int, int]:
        return meet(next(stream)), meet(next(stream)), meet(next(stream))

    def third(a: int, b: int) -> int | None:
        symbol = next(stream)
        return None if symbol == NOTHING else meet(symbol)

    return _grow(count, start, third)


def _grow(count: int, start: Callable[[], tuple[int, int, int]], third: Callable[[int, int], int | None]) -> Walk:
    """Grows ``count`` faces: ``start`` gives the first of a piece, ``third`` the corner across an edge, if any.

    The coder and the decoder both run this, so both know the same faces at each symbol.
    """
    faces: list[tuple[int, int, int]] = []
    predictors: list[tuple[int, int, int]] = []
    grown: set[tuple[int, int]] = set()
    gates: list[tuple[int, int, int]] = []  # an edge as the face across it runs through it, and the corner on this side
    while len(faces) < count:
        if gates:
            a, b, behind = gates.pop()
            if (a, b) in grown:
                continue
            corner = third(a, b)
            if corner is None:
                continue
            face = (a, b, corner)
            if corner == len(predictors):
                predictors.append((a, b, behind))
        else:
            face = start()
            for corner in face:
                if corner == len(predictors):
                    before = max(corner - 1, 0)
                    predictors.append((before, before, before))
        faces.append(face)
        a, b, c = face
        grown.update(((a, b), (b, c), (c, a)))
        gates += [(a, c, b), (c, b, a)]
    return Walk(np.array(faces, np.int64).reshape(-1, 3), np.array(predictors, np.int64).reshape(-1, 3))


def encode_values(values: np.ndarray, predictors: np.ndarray) -> np.ndarray:
    """What each row of the integers ``values`` (W, C) differs from its prediction; the first row from zero."""
    a, b, c = predictors.T
    values = values.astype(np.int64)
    difference = values - (values[a] + values[b] - values[c])
    difference[:1] = values[:1]
    return difference


def decode_values(differences: np.ndarray, predictors: np.ndarray, first: np.ndarray | None = None) -> np.ndarray:
    """The values (W, C) int64 that :func:`encode_values` wrote as ``differences``.

    Where several corners share a value, ``first`` (W,) names the first of them (itself, for most), and ``differences``
    has rows of first corners only.
    """
    rows = np.arange(len(predictors)) if first is None else first
    columns = []
    for column in differences.T.tolist():
        given = iter(column)
        values: list[int] = [next(given)]
        for row, (here, (a, b, c)) in enumerate(zip(rows[1:].tolist(), predictors[1:].tolist(), strict=True), 1):
            values.append(values[a] + values[b] - values[c] + next(given) if here == row else values[here])
        columns.append(values)
    return np.array(columns, np.int64).T
