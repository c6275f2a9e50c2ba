"""The zero level set of a signed-distance-like field as one closed triangle mesh.

The field is evaluated coarse to fine. Its value at a node over its slope there, as measured on the grid, is a radius in
which there is no surface; the next level asks the nodes that no such ball holds. A network's field is only roughly a
distance, so the evaluated region then grows along the surface until every cell that the surface passes through is known
at all its corners. The result is the mesh that a dense evaluation would give, at a small part of its calls.

Memory: the levels but the finest are held whole, the finest in the box around the surface: for a person in a cube of
512 cells a side about 0.4 GB (docs/performance.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from .errors import UserError

Field = Callable[[np.ndarray], np.ndarray]
Progress = Callable[[float], None]

CHUNK = 8192  # points a call of the field
COARSE_CELLS = 32  # cells along the longest side that the coarsest level has at least
MARGIN = 1.1  # how much steeper than at a node the field may be around it without hiding a part of the surface
LEAST_STEP = 0.01  # of the field's step across one cell: keeps vertices off the grid's nodes, so that no face is flat
MOST_STEP = 8.0  # likewise, the upper limit


@dataclass(frozen=True)
class Surface:
    """A closed mesh in one piece: every edge lies in exactly two faces."""

    vertices: np.ndarray  # (V, 3) float32, in the units of the field's points
    faces: np.ndarray  # (F, 3) int32, counter-clockwise seen from outside


@dataclass(frozen=True)
class Grid:
    """Nodes at ``lower + index * cell``, ``cells + 1`` of them along each axis; the last lies on the upper bound."""

    lower: np.ndarray  # (3,) float64
    cell: np.ndarray  # (3,) float64, sides of a cell: nearly a cube, no side longer than longest bound / resolution
    cells: np.ndarray  # (3,) int64

    @classmethod
    def over(cls, bounds: np.ndarray, resolution: int) -> Grid:
        lower, upper = np.asarray(bounds, np.float64)
        side = upper - lower
        if resolution < 2 or not np.all(np.isfinite(side)) or not np.all(side > 0):
            raise ValueError(f"no grid of {resolution} cells over bounds {lower} to {upper}")
        cells = np.ceil(side / side.max() * resolution - 1e-6).astype(np.int64)
        return cls(lower, side / cells, cells)

    def points(self, index: np.ndarray) -> np.ndarray:
        """Node indices (..., 3) to positions (..., 3) float32. Fractional indices are fine."""
        return (self.lower + index * self.cell).astype(np.float32)


class Level:
    """What is known of the field at every ``stride``-th node of the grid and at the last one along each axis.

    The arrays hold a window of these nodes, from ``first`` on; around it the field is taken for positive.
    """

    def __init__(
        self, grid: Grid, stride: int, first: np.ndarray, values: np.ndarray, known: np.ndarray, free: np.ndarray
    ):
        self.grid = grid
        self.stride = stride
        self.first = first  # (3,) int
        self.values = values  # float32; a guess where not known
        self.known = known  # bool, same shape
        self.free = free  # float32: how near to each node there is no surface for sure; <= 0 tells nothing

    @classmethod
    def coarsest(cls, grid: Grid) -> Level:
        stride = 1
        while grid.cells.max() >= 2 * stride * COARSE_CELLS:
            stride *= 2
        shape = _cells_at(grid, stride) + 1
        values = np.ones(shape, np.float32)
        return cls(grid, stride, np.zeros(3, np.int64), values, np.zeros(shape, bool), np.zeros(shape, np.float32))

    def finer(self, low: np.ndarray, high: np.ndarray) -> Level:
        """The next level within the nodes ``low`` to ``high`` (3,) of this one, which must hold the whole level.

        It starts with this level's values and, between them, guesses by linear interpolation.
        """
        stride = self.stride // 2
        cells = np.minimum(2 * high, _cells_at(self.grid, stride)) - 2 * low
        window = _window(low, high + 1)
        values, known, free = self.values[window], self.known[window], self.free[window]
        for axis in range(3):
            values = _between(values, axis, cells[axis], _mean)
            known = _interleaved(known, axis, cells[axis])
            free = _between(free, axis, cells[axis], np.maximum)
        _shrink_to_between(free, self.grid.cell * stride)
        return Level(self.grid, stride, 2 * low, values, known, free)

    def crossed(self) -> np.ndarray:
        """Cells (bool) that have corners on both sides of the surface."""
        inside = self.values < 0
        return _any_corner(inside) & _any_corner(~inside)

    def evaluate(self, field: Field, chunk: int, progress: Progress) -> None:
        """Ask the field where the surface may be, then along it until each crossed cell is known at all corners."""
        self.ask((self.free <= 0) & ~self.known, field, chunk, progress)
        while (nodes := _corners(self.crossed()) & ~self.known).any():
            self.ask(nodes, field, chunk, lambda _: progress(1))
        if self.stride > 1:
            self._measure_free()

    def _measure_free(self) -> None:
        """The field can't reach zero nearer than its value over how fast it changes here."""
        slope = _slope(self.values, self.grid.cell * self.stride)
        slope *= MARGIN
        np.maximum(slope, np.finfo(np.float32).tiny, out=slope)
        np.divide(np.abs(self.values), slope, out=self.free, where=self.known)

    def ask(self, nodes: np.ndarray, field: Field, chunk: int, progress: Progress) -> None:
        index = np.stack(np.unravel_index(np.flatnonzero(nodes), nodes.shape), axis=1)  # quicker than np.argwhere
        for start in range(0, len(index), chunk):
            progress(start / len(index))
            part = index[start : start + chunk]
            points = self.grid.points(np.minimum((self.first + part) * self.stride, self.grid.cells))
            values = np.asarray(field(points), np.float32)
            if values.shape != (len(points),) or not np.all(np.isfinite(values)):
                raise ValueError("the field must return one finite value a point")
            self.values[tuple(part.T)] = values
        self.known |= nodes
        self._close_at_bounds()

    def _close_at_bounds(self) -> None:
        """Count the outermost nodes of the grid as outside, so that the mesh is closed and stays within the bounds."""
        last = _cells_at(self.grid, self.stride)
        for axis in range(3):
            side = np.moveaxis(self.values, axis, 0)
            for end, is_bound in (
                (0, self.first[axis] == 0),
                (-1, self.first[axis] + len(side) - 1 == last[axis]),
            ):
                if is_bound:
                    np.abs(side[end], out=side[end])

    def surface_leaves(self) -> bool:
        """Whether the surface, or the inside, reaches the rim of the window."""
        inside = self.values < 0
        return any(np.moveaxis(inside, axis, 0)[[0, -1]].any() for axis in range(3))

    def learn(self, other: Level) -> None:
        """Take over what another window of the same level, inside this one, knows."""
        window = _window(other.first - self.first, other.first - self.first + other.values.shape)
        self.values[window] = other.values
        self.known[window] = other.known


def extract_surface(
    field: Field, bounds: np.ndarray, resolution: int, progress: Progress = lambda fraction: None, chunk: int = CHUNK
) -> Surface:
    """The field's zero level set within ``bounds``, closed at them, its largest piece only, without inner bubbles.

    ``field`` maps points (N, 3) float32 to signed distances (N,), outside positive, N <= ``chunk``. ``bounds`` (2, 3)
    are the lower and upper corner in the field's units; ``resolution`` is the number of cells along the longest side.
    ``progress`` gets a fraction 0..1 before every call of the field and may raise to stop. Raises
    :class:`UserError` where the field has no surface and ``ValueError`` for a field that is not finite.
    """
    level = finest_level(field, Grid.over(bounds, resolution), progress, chunk)
    return mesh_of(level, _part(progress, _share(1), 1))


def finest_level(field: Field, grid: Grid, progress: Progress = lambda fraction: None, chunk: int = CHUNK) -> Level:
    """What must be known of the field for the surface in ``grid``."""
    level = Level.coarsest(grid)
    level.evaluate(field, chunk, _part(progress, 0, _share(level.stride)))
    while level.stride > 1:
        finer_progress = _part(progress, _share(level.stride), _share(level.stride // 2))
        level = _evaluated_finer(level, field, chunk, finer_progress)
    return level


def _evaluated_finer(coarse: Level, field: Field, chunk: int, progress: Progress) -> Level:
    near = coarse.free <= np.linalg.norm(coarse.grid.cell * coarse.stride)
    if not near.any():
        raise _no_surface()
    last = np.array(near.shape) - 1
    low, high = np.zeros(3, np.int64), last
    if coarse.stride == 2:  # the finest level is by far the largest and a person fills a small part of it
        low, high = _box_of(near)
        low, high = np.maximum(low - 1, 0), np.minimum(high, last)
    progress(0)
    level = coarse.finer(low, high)
    progress(0)
    level.evaluate(field, chunk, progress)
    if level.surface_leaves():
        progress(1)
        wider = coarse.finer(np.zeros(3, np.int64), last)
        wider.learn(level)
        wider.evaluate(field, chunk, lambda _: progress(1))
        level = wider
    return level


def mesh_of(level: Level, progress: Progress = lambda fraction: None) -> Surface:
    """Marching cubes over the finest level."""
    progress(0.1)
    inside = level.values < 0
    if not inside.any():
        raise _no_surface()
    low, high = _box_of(inside)
    volume = _conditioned(level.values[_window(low - 1, high + 1)])
    vertices, faces = _closed_mesh(volume, progress)
    progress(0.8)
    vertices, faces = _largest_piece(vertices, faces)
    progress(1.0)
    return Surface(level.grid.points(level.first + low - 1 + vertices.astype(np.float64)), faces)


def _share(stride: int) -> float:
    """Of all work, what is done after this level: the points to ask grow about fourfold a level."""
    return 0.95 / stride**2


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda fraction: progress(start * (1 - fraction) + end * fraction)


def _no_surface() -> UserError:
    return UserError(
        "No body surface was found around this person.", "Try another photo, or a box that holds the whole person."
    )


def _cells_at(grid: Grid, stride: int) -> np.ndarray:
    return -(-grid.cells // stride)


def _window(low: np.ndarray, high: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _box_of(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First index and last index + 1 (3,) of what is set."""
    present = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return np.array([index[0] for index in present]), np.array([index[-1] + 1 for index in present])


def _pairs(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Every element but the last and every element but the first along ``axis``."""
    moved = np.moveaxis(array, axis, 0)
    return np.moveaxis(moved[:-1], 0, axis), np.moveaxis(moved[1:], 0, axis)


def _any_corner(nodes: np.ndarray) -> np.ndarray:
    """Cells of which some corner is set."""
    for axis in range(3):
        nodes = np.logical_or(*_pairs(nodes, axis))
    return nodes


def _corners(cells: np.ndarray) -> np.ndarray:
    """Nodes that are a corner of some set cell."""
    return _any_corner(np.pad(cells, 1))


def _interleaved(coarse: np.ndarray, axis: int, cells: int) -> np.ndarray:
    """``coarse`` at its own places among ``cells + 1`` nodes along ``axis``, zero (False) at the new ones."""
    shape = list(coarse.shape)
    shape[axis] = cells + 1
    fine = np.zeros(shape, coarse.dtype)
    source, target = np.moveaxis(coarse, axis, 0), np.moveaxis(fine, axis, 0)
    target[0::2] = source[: cells // 2 + 1]
    target[-1] = source[-1]  # with an odd number of cells the last coarse cell is half as long
    return fine


def _between(coarse: np.ndarray, axis: int, cells: int, join: Callable[..., object]) -> np.ndarray:
    """As :func:`_interleaved`, with what ``join`` makes of both neighbours at the new nodes."""
    fine = _interleaved(coarse, axis, cells)
    target = np.moveaxis(fine, axis, 0)
    join(target[0:-2:2], target[2::2], out=target[1:-1:2])
    return fine


def _mean(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    np.add(a, b, out=out)
    out *= 0.5


def _shrink_to_between(radius: np.ndarray, cell: np.ndarray) -> None:
    """Takes off ``radius`` how far each node is from those of the next coarser level around it."""
    for odd in itertools.product((0, 1), repeat=3):
        radius[tuple(slice(start, None, 2) for start in odd)] -= np.float32(np.linalg.norm(odd * cell))


def _slope(values: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """How fast ``values`` change at each node a unit of length: the steeper side along each axis, together."""
    square = np.zeros(values.shape, np.float32)
    for axis in range(3):
        step = np.moveaxis(np.diff(values, axis=axis), axis, 0)
        step /= cell[axis]
        step *= step
        steeper = np.zeros(values.shape, np.float32)
        moved = np.moveaxis(steeper, axis, 0)
        moved[:-1] = step
        np.maximum(moved[1:], step, out=moved[1:])
        square += steeper
    return np.sqrt(square, out=square)


def _conditioned(values: np.ndarray) -> np.ndarray:
    """``values`` (float32) in units of the field's median step across the surface, clipped away from zero and infinity.

    So no vertex comes to lie on a node, where faces would have no area; none moves off the surface by much more than
    LEAST_STEP cells.
    """
    inside = values < 0
    steps = []
    for axis in range(3):
        crossing = np.not_equal(*_pairs(inside, axis))
        before, after = (side[crossing] for side in _pairs(values, axis))
        steps.append(np.abs(after - before))
    step = np.median(np.concatenate(steps))
    size = np.abs(values)
    size /= step
    np.clip(size, LEAST_STEP, MOST_STEP, out=size)
    return np.negative(size, out=size, where=inside)


def _closed_mesh(volume: np.ndarray, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Marching cubes: vertices (V, 3) float32 in node indices and faces (F, 3) int32, each edge in exactly two faces.

    Where four values of a cell's face are exactly balanced, Lewiner's method may put four faces on one edge. Such
    spots are resolved by counting the inner nodes there as outside, which ends, as each round leaves fewer of them.
    """
    while True:
        # "descent" is what the library calls fields that grow outwards
        vertices, faces, _, _ = marching_cubes(volume, 0.0, gradient_direction="descent")
        progress(0.5)
        doubled = _irregular_edges(faces)
        if not len(doubled):
            return vertices, faces
        places = vertices[np.unique(doubled)]
        for nodes in (np.floor(places).astype(int), np.ceil(places).astype(int)):
            index = tuple(nodes.T)
            volume[index] = np.abs(volume[index])
        if not (volume < 0).any():
            raise _no_surface()


def _irregular_edges(faces: np.ndarray) -> np.ndarray:
    """Vertex pairs (E, 2) of the edges that do not lie in exactly two faces."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1).astype(np.int64)
    count = faces.max() + np.int64(1)
    key, times = np.unique(edges[:, 0] * count + edges[:, 1], return_counts=True)
    return np.stack(np.divmod(key[times != 2], count), axis=-1)


def _largest_piece(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The connected piece that encloses the largest volume. Inner bubbles are pieces of negative volume."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    links = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(len(vertices),) * 2)
    _, piece = connected_components(links, directed=False)
    a, b, c = np.moveaxis(vertices.astype(np.float64)[faces], 1, 0)
    volumes = np.bincount(piece[faces[:, 0]], np.einsum("ij,ij->i", a, np.cross(b, c)))
    kept = piece == np.argmax(volumes)
    renumbered = np.cumsum(kept, dtype=np.int32) - 1
    return vertices[kept], renumbered[faces[kept[faces[:, 0]]]].astype(np.int32)
