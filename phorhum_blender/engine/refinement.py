"""Finer triangles where there is more to see than a cell holds: the mesh stays closed and in one piece."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_array, csr_array

from .surface import CHUNK, Field, Surface

RELAXATIONS = 3  # steps in which they come to lie evenly before
LEAST_SLOPE = 0.3  # of a field along the mesh's normal: less is not believed


def refined(
    surface: Surface,
    field: Field,
    chosen: Callable[[np.ndarray], np.ndarray],
    times: int,
    cell: float,
    chunk: int = CHUNK,
) -> Surface:
    """``surface`` with every face divided in four, ``times`` over, of which ``chosen`` says so of a vertex.

    ``chosen`` maps points (N, 3) to (N,) bool. The corners of all new faces come to lie on the surface of ``field``, of
    which ``surface`` is the mesh on cells of the side ``cell``: marching cubes put vertices beside it where it bends
    within a cell. Asks the field at most ``chunk`` points a call.
    """
    vertices, faces = surface.vertices, surface.faces
    for _ in range(times):
        vertices, faces = divided(vertices, faces, chosen(vertices)[faces].any(1))
    moving = np.unique(faces[(faces >= len(surface.vertices)).any(1)])
    vertices = relaxed(vertices, faces, moving)
    normals = vertex_normals(vertices, faces)
    for start in range(0, len(moving), chunk):
        part = moving[start : start + chunk]
        vertices[part] = settled(vertices[part], normals[part], field, cell / 2**times)
    return Surface(vertices, faces)


def divided(vertices: np.ndarray, faces: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh with each ``chosen`` (F,) face divided in four at the middles of its edges, and each face beside one in
    two or three, so that no edge ends in another's middle. The old vertices come first."""
    edges = np.sort(np.stack([faces, np.roll(faces, -1, 1)], 2).reshape(-1, 2), 1).astype(np.int64)
    key, of_face = np.unique(edges @ np.array([len(vertices), 1]), return_inverse=True)
    of_face = of_face.reshape(-1, 3)  # the edges from corner 0 to 1, from 1 to 2, from 2 to 0
    split = np.zeros(len(key), bool)
    split[of_face[chosen]] = True
    ends = np.stack(np.divmod(key[split], len(vertices)), 1)
    middle = np.where(split, len(vertices) + np.cumsum(split) - 1, -1)[of_face]
    count = (middle >= 0).sum(1)
    # turn the corners until those of one divided edge come first, or those of two
    turn = np.where(count == 1, (middle >= 0).argmax(1), np.where(count == 2, (middle < 0).argmax(1) + 1, 0))
    order = (turn[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(faces, order, 1).T
    ab, bc, ca = np.take_along_axis(middle, order, 1).T
    patterns = (
        ((a, b, c),),
        ((a, ab, c), (ab, b, c)),
        ((ab, b, bc), (a, ab, bc), (a, bc, c)),
        ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)),
    )
    parts = [np.stack(triangle, 1)[count == k] for k, triangles in enumerate(patterns) for triangle in triangles]
    return np.concatenate([vertices, vertices[ends].mean(1)]), np.concatenate(parts).astype(np.int32)


def relaxed(vertices: np.ndarray, faces: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """``vertices`` (V, 3) of which those of the numbers ``moving`` have stepped to the mean of their neighbours: no
    needles are left, which would turn over when their corners move onto a surface that bends."""
    beside = _neighbours(faces, len(vertices))[moving]
    count = beside.sum(1)[:, None]
    vertices = vertices.copy()
    for _ in range(RELAXATIONS):
        vertices[moving] = beside @ vertices / count
    return vertices


def settled(points: np.ndarray, normals: np.ndarray, field: Field, step: float) -> np.ndarray:
    """``points`` (N, 3) moved along ``normals`` (N, 3) to where ``field`` is zero, by no more than a ``step`` at a
    time; asks it three times a point."""
    here = field(points)
    slope = np.maximum((field(points + normals * np.float32(step)) - here) / step, LEAST_SLOPE)
    moved = points - np.clip(here / slope, -step, step)[:, None] * normals
    return moved - np.clip(field(moved) / slope, -step, step)[:, None] * normals


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Normals (F, 3) of the triangles, twice as long as their areas."""
    corner = vertices[faces]
    return np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])


def vertex_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,) the area of a closed mesh that each vertex stands for: a third of the faces around it."""
    area = np.linalg.norm(face_normals(vertices, faces), axis=1) / 6
    return np.bincount(faces.ravel(), np.repeat(area, 3), len(vertices))


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward unit normals (V, 3) float32, the mean of the faces around by their areas; zero where there are none."""
    face = face_normals(vertices, faces)
    total = np.stack([sum(np.bincount(faces[:, k], axis, len(vertices)) for k in range(3)) for axis in face.T], 1)
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward unit normals (V, 3) float32 of a surface that bends less sharply than its mesh: those of the vertices,
    averaged with the neighbours'; (0, 1, 0) where there are none."""
    normals = vertex_normals(vertices, faces)
    beside = _neighbours(faces, len(vertices))
    return unit(normals + beside @ normals / np.maximum(beside.sum(1)[:, None], 1))


def unit(vectors: np.ndarray) -> np.ndarray:
    """``vectors`` (N, 3) float32 of length 1; (0, 1, 0) for those without length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    some = length > 1e-12
    return np.where(some, vectors / np.where(some, length, 1), [0, 1, 0]).astype(np.float32)


def _neighbours(faces: np.ndarray, count: int) -> csr_array:
    """(V, V) float64: for each of ``count`` vertices 1 at those with which it shares an edge of a closed mesh."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count)).tocsr()
