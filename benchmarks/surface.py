"""What the surface of a person costs: our scheme, Seg3dLossless and dense evaluation, with the same network.

``OMP_WAIT_POLICY=passive python -m benchmarks.surface PHOTO [--box X0 Y0 X1 Y1]`` writes two tables into
docs/performance.md. All schemes run twice: with f as the product evaluates it, and point by point as training does. CPU
seconds count the work of all threads; they bear a busy machine better than seconds do, where idle threads sleep.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from benchmarks import seg3d
from phorhum_blender.engine import reconstruct, surface
from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.model import PreparedField
from phorhum_blender.engine.model.surface_field import SurfaceField, without_creases
from phorhum_blender.engine.person import select_person
from phorhum_blender.engine.photo import load_photo
from phorhum_blender.engine.reconstruct import CHUNK, Encoded, Reconstructor
from phorhum_blender.engine.surface import Field, Grid, Level
from training.evaluate import write_section

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"

Scheme = Callable[[Field, Grid, int], Level]


def ours(field: Field, grid: Grid, chunk: int) -> Level:
    return surface.finest_level(field, grid, chunk=chunk)


def dense(field: Field, grid: Grid, chunk: int) -> Level:
    """Every node of the grid: the coarsest level is then the finest."""
    with mock.patch.object(surface, "COARSE_CELLS", int(grid.cells.max())):
        return surface.finest_level(field, grid, chunk=chunk)


SCHEMES: dict[str, Scheme] = {
    "ours": ours,
    "Seg3dLossless": seg3d.finest_level,
    "Seg3dLossless, a node wider": partial(seg3d.finest_level, wider=1),
    "dense": dense,
}


class PointByPoint:
    """f as in training: the whole network for every point."""

    def __init__(self, field: SurfaceField, encoded: Encoded):
        self._field, self._encoding, self._distance = field, encoded.encoding, encoded.distance
        self._smooth = without_creases(encoded.encoding.features)

    def distances(self, points: torch.Tensor) -> torch.Tensor:
        return self._field.upon(self._smooth, self._encoding, points.unsqueeze(0), self._distance)[0][0]


class HalfPrecision:
    """The layers of f in bf16."""

    def __init__(self, field: PreparedField):
        self._field = field

    def distances(self, points: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self._field.distances(points).float()


class Counted:
    """Counts the points that ``field`` is asked."""

    def __init__(self, field: PreparedField | PointByPoint | HalfPrecision):
        self._field = field
        self.points = 0

    def distances(self, points: torch.Tensor) -> torch.Tensor:
        self.points += len(points)
        return self._field.distances(points)


@dataclasses.dataclass(frozen=True)
class Cost:
    points: int  # of f
    seconds: float
    cpu_seconds: float
    level: Level
    mesh: surface.Surface


class Person:
    """A person in a photo, encoded, whose surface can be extracted by any scheme."""

    def __init__(self, network: Reconstructor, request: Request):
        self.network = network
        photo = load_photo(request.photo)
        self.encoded = network.encode(photo, select_person(photo, request))
        self.bounds = network.bounds(self.encoded)
        self.point_by_point = PointByPoint(network.model.surface_field, self.encoded)

    def cost(self, scheme: Scheme, resolution: int, *, f: object = None, chunk: int = CHUNK, repeat: int = 1) -> Cost:
        """The cheapest of ``repeat`` runs, of nodes and mesh. ``f`` stands in for the product's."""
        return min((self._cost(scheme, resolution, f, chunk) for _ in range(repeat)), key=lambda cost: cost.cpu_seconds)

    def _cost(self, scheme: Scheme, resolution: int, f: object, chunk: int) -> Cost:
        counted = Counted(f or self.encoded.field)
        encoded = dataclasses.replace(self.encoded, field=counted)
        start, cpu_start = time.perf_counter(), time.process_time()
        grid = Grid.over(self.bounds, resolution)
        level = scheme(lambda points: self.network.distances(encoded, points), grid, chunk)
        mesh = surface.mesh_of(level)
        return Cost(counted.points, time.perf_counter() - start, time.process_time() - cpu_start, level, mesh)


@contextlib.contextmanager
def asked_everywhere() -> Iterator[None]:
    """f is asked outside of the silhouette too."""
    with mock.patch.object(reconstruct, "WELL_OUTSIDE", math.inf):
        yield


def crossed_cells(level: Level) -> np.ndarray:
    """Numbers, one for each cell that the surface crosses, of its place and of which of its corners are inside."""
    inside = np.zeros(level.grid.cells + 1, bool)
    inside[surface._window(level.first, level.first + level.values.shape)] = level.values < 0
    first, last = slice(None, -1), slice(1, None)
    pattern = np.zeros(level.grid.cells, np.uint8)
    for bit, corner in enumerate(np.ndindex(2, 2, 2)):
        pattern |= inside[tuple(last if k else first for k in corner)].astype(np.uint8) << bit
    place = np.flatnonzero((pattern > 0) & (pattern < 255))
    return place * 256 + pattern.ravel()[place]


def ends_of_crossed_edges(level: Level) -> int:
    """Nodes that have a neighbour on the other side: no scheme places the vertices without their values."""
    inside = level.values < 0
    ends = np.zeros(inside.shape, bool)
    for axis in range(3):
        crossed = np.moveaxis(np.not_equal(*surface._pairs(inside, axis)), axis, 0)
        along = np.moveaxis(ends, axis, 0)
        along[:-1] |= crossed
        along[1:] |= crossed
    return int(ends.sum())


def different_cells(level: Level, truth: Level) -> int:
    """How many cells the two cross differently."""
    return len(np.unique(np.setxor1d(crossed_cells(level), crossed_cells(truth)) // 256))


def compare(person: Person, resolutions: list[int], dense_up_to: int, repeat: int) -> list[str]:
    rows = [
        "| cells a side | f | scheme | points of f | of all nodes | seconds | CPU seconds | CPU seconds / ours | "
        "cells unlike dense | vertices moved by, mm |",
        "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for resolution in resolutions:
        nodes = np.prod(Grid.over(person.bounds, resolution).cells + 1)
        base = person.cost(ours, resolution, repeat=repeat)
        for kind, f, where in (
            ("the product's", None, contextlib.nullcontext()),
            ("point by point", person.point_by_point, asked_everywhere()),
        ):
            with where:
                costs = {
                    name: person.cost(scheme, resolution, f=f, repeat=1 if name == "dense" else repeat)
                    for name, scheme in SCHEMES.items()
                    if name != "dense" or resolution <= dense_up_to
                }
            for name, cost in costs.items():
                unlike, moved = "–", "–"
                if "dense" in costs:
                    unlike = str(different_cells(cost.level, costs["dense"].level))
                    farthest = shift(cost.mesh, costs["dense"].mesh)
                    moved = f"{1e3 * farthest:.3f}" if math.isfinite(farthest) else "other faces"
                rows.append(
                    f"| {resolution} | {kind} | {name} | {cost.points} | {100 * cost.points / nodes:.1f} % | "
                    f"{cost.seconds:.2f} | {cost.cpu_seconds:.2f} | {cost.cpu_seconds / base.cpu_seconds:.1f} | "
                    f"{unlike} | {moved} |"
                )
                print(rows[-1], flush=True)
    return rows


def shift(mesh: surface.Surface, truth: surface.Surface) -> float:
    """The farthest that a vertex moved, in crop units; infinite where the faces are others."""
    if not np.array_equal(mesh.faces, truth.faces):
        return math.inf
    return float(np.linalg.norm(mesh.vertices - truth.vertices, axis=1).max())


def what_each_buys(person: Person, resolution: int, repeat: int) -> list[str]:
    base = person.cost(ours, resolution, repeat=repeat)
    rows = [
        f"{resolution} cells a side: {len(base.mesh.vertices)} vertices, on edges that end in "
        f"{ends_of_crossed_edges(base.level)} nodes.",
        "",
        "| instead | points of f | seconds | CPU seconds | CPU seconds / the product's | cells unlike its |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]

    def add(name: str, cost: Cost) -> None:
        rows.append(
            f"| {name} | {cost.points} | {cost.seconds:.2f} | {cost.cpu_seconds:.2f} | "
            f"{cost.cpu_seconds / base.cpu_seconds:.2f} | {different_cells(cost.level, base.level)} |"
        )
        print(rows[-1], flush=True)

    add("(the product)", base)
    add("f point by point", person.cost(ours, resolution, f=person.point_by_point, repeat=repeat))
    with asked_everywhere():
        add("f asked outside of the silhouette too", person.cost(ours, resolution, repeat=repeat))
    for margin in (1.0, 1.5, 2.0):
        with mock.patch.object(surface, "MARGIN", margin):
            add(f"a margin of {margin}", person.cost(ours, resolution, repeat=repeat))
    for chunk in (1024, 2048, 4096, 8192, 16384):
        add(f"{chunk} points a call of f", person.cost(ours, resolution, chunk=chunk, repeat=repeat))
    add("layers in bf16", person.cost(ours, resolution, f=HalfPrecision(person.encoded.field), repeat=repeat))
    return rows


def exponent(person: Person, least: int, most: int, repeat: int) -> str:
    low, high = (person.cost(ours, resolution, repeat=repeat).cpu_seconds for resolution in (least, most))
    return (
        f"From {least} to {most} cells a side our CPU seconds grow with the power "
        f"{math.log(high / low, most / least):.2f} of the cells a side."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo")
    parser.add_argument("--box", type=float, nargs=4, metavar=("X0", "Y0", "X1", "Y1"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resolutions", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--dense-up-to", type=int, default=256, help="it takes minutes beyond")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    network = Reconstructor(threads=options.threads)
    box = tuple(options.box) if options.box else None
    with torch.inference_mode():
        person = Person(network, Request(options.photo, box=box))
        person.cost(ours, 64)  # warms up
        head = f"{options.threads} threads; weights `{network.model.sha256[:12]}`; {Path(options.photo).name}."
        grown = exponent(person, min(options.resolutions), max(options.resolutions), options.repeat)
        table = compare(person, options.resolutions, options.dense_up_to, options.repeat)
        write_section(DOCUMENT, "surface", "\n".join([head, grown, "", *table]), "benchmarks.surface")
        parts = what_each_buys(person, 256, options.repeat)
        write_section(DOCUMENT, "what each part buys", "\n".join(parts), "benchmarks.surface")


if __name__ == "__main__":
    main()
