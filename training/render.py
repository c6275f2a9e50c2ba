"""Ray casting of posed, textured people: what a camera sees from the front and through them from behind.

Space: crop units (see ``phorhum_blender.engine.camera``), x right, y up, z towards the camera.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

from phorhum_blender.engine.refinement import face_normals, vertex_normals

ALPHA_CUT = 128  # hair cards are cut out below this alpha
MAX_CUT_LAYERS = 6
NUDGE = 1e-4  # crop units: how far behind a cut-out hit a ray starts again


@dataclass(frozen=True)
class Hits:
    """First opaque hits of rays. Rows of rays that miss are all zero with ``hit`` False."""

    hit: np.ndarray  # (N,) bool
    position: np.ndarray  # (N, 3) float32
    normal: np.ndarray  # (N, 3) float32 interpolated vertex normal, of the side that the ray meets
    albedo: np.ndarray  # (N, 3) uint8 sRGB
    face: np.ndarray  # (N,) int32 index of the triangle


class Scene:
    """A posed textured mesh that answers rays."""

    def __init__(self, vertices, faces, uv, face_uv, material, textures):
        """vertices (V, 3) in crop units; the rest as in ``training.subjects.Subject``."""
        self.vertices = np.ascontiguousarray(vertices, np.float32)
        self.faces, self.uv, self.face_uv = faces, uv, face_uv
        self.material, self.textures = material, textures
        self.normals = vertex_normals(self.vertices, faces)
        self.face_normals = face_normals(self.vertices, faces)
        self.embree = rtcore_scene.EmbreeScene()
        self._mesh = TriangleMesh(self.embree, self.vertices, np.ascontiguousarray(faces, np.int32))
        # all texels in one row, so that those of any texture are looked up at once
        self._texels = np.concatenate([np.ascontiguousarray(t).view(np.uint32).reshape(-1) for t in textures])
        self._texture_size = np.array([t.shape[:2] for t in textures])  # rows, columns
        self._texture_start = np.cumsum([0, *self._texture_size.prod(1)[:-1]])
        self._turn, self._scale, self._offset = np.eye(3, dtype=np.float32), np.float32(1), np.zeros(3, np.float32)

    def moved(self, vertices: np.ndarray) -> Scene:
        """The same shape where turning, scaling and moving it takes its vertices to ``vertices`` (V, 3): rays are taken
        back to the shape as it was, for to build embree's tree costs more than a picture's rays."""
        turn, scale, offset = similarity(self.vertices, vertices)
        scene = copy.copy(self)
        scene.vertices = np.ascontiguousarray(vertices, np.float32)
        scene.normals = self.normals @ turn.T
        scene.face_normals = self.face_normals @ turn.T * scale**2
        scene._turn, scene._scale = turn @ self._turn, scale * self._scale
        scene._offset = turn @ self._offset * scale + offset
        return scene

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """First opaque hit of each ray; ``origins``, ``directions`` (N, 3)."""
        count = len(origins)
        position, normal = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32)
        albedo, face = np.zeros((count, 4), np.uint8), np.zeros(count, np.int32)
        for hit, at, direction, found, rgba in self._layers(origins, directions):
            position[hit], albedo[hit], face[hit] = at, rgba, found[0]
            normal[hit] = self._normal(*found, direction)
        return Hits(albedo[:, 3] > 0, position, normal, np.ascontiguousarray(albedo[:, :3]), face)

    def see(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Colour (N, 4) uint8 sRGB of the first opaque hit of each ray, with alpha; all zero where there is none."""
        albedo = np.zeros((len(origins), 4), np.uint8)
        for hit, _, _, _, rgba in self._layers(origins, directions):
            albedo[hit] = rgba
        return albedo

    def _layers(self, origins: np.ndarray, directions: np.ndarray) -> Iterator[tuple]:
        """The rays that hit something opaque, from the outermost surface in: rows, positions, directions, (triangle,
        u, v), colours (M, 4)."""
        rays = np.arange(len(origins))
        starts = np.ascontiguousarray(origins, np.float32)
        directions = np.ascontiguousarray(directions, np.float32)
        for _ in range(MAX_CUT_LAYERS):
            found = self.embree.run(*self._back(starts, directions), output=1)
            ok = np.flatnonzero(found["primID"] >= 0)
            triangle, u, v = found["primID"][ok], found["u"][ok], found["v"][ok]
            rays, directions = rays[ok], directions[ok]
            starts = starts[ok] + directions * (found["tfar"][ok, None] * self._scale)
            rgba = self._texture(triangle, u, v)
            solid = rgba[:, 3] >= ALPHA_CUT
            opaque, cut = np.flatnonzero(solid), np.flatnonzero(~solid)
            found_opaque = triangle[opaque], u[opaque], v[opaque]
            yield rays[opaque], starts[opaque], directions[opaque], found_opaque, rgba[opaque]
            if len(cut) == 0:
                break
            rays, directions = rays[cut], directions[cut]
            starts = starts[cut] + directions * np.float32(NUDGE)

    def occluded(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(N,) bool: something lies along the ray. Cut-outs count as solid: hair shades."""
        return self.embree.run(*self._back(origins, directions), query="OCCLUDED") >= 0

    def _back(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rays as they meet the shape before it was moved."""
        origins = (origins.astype(np.float32) - self._offset) @ self._turn / self._scale
        directions = directions.astype(np.float32) @ self._turn
        return np.ascontiguousarray(origins), np.ascontiguousarray(directions)

    def _texture(self, triangle: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        corner = self.uv[self.face_uv[triangle]]
        uv = corner[:, 0] * (1 - u - v)[:, None] + corner[:, 1] * u[:, None] + corner[:, 2] * v[:, None]
        which = self.material[triangle]
        height, width = self._texture_size[which].T
        x = np.clip((uv[:, 0] % 1.0001) * width, 0, width - 1).astype(np.int64)
        y = np.clip((1 - uv[:, 1] % 1.0001) * height, 0, height - 1).astype(np.int64)
        return self._texels[self._texture_start[which] + y * width + x].view(np.uint8).reshape(-1, 4)

    def _normal(self, triangle: np.ndarray, u: np.ndarray, v: np.ndarray, direction: np.ndarray) -> np.ndarray:
        corner = self.normals[self.faces[triangle]]
        n = corner[:, 0] * (1 - u - v)[:, None] + corner[:, 1] * u[:, None] + corner[:, 2] * v[:, None]
        n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-9)
        # the triangle tells the side: near outlines the interpolated normal of a front may turn away from the ray
        return np.where((self.face_normals[triangle] * direction).sum(1, keepdims=True) > 0, -n, n)


def similarity(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.float32, np.ndarray]:
    """Rotation (3, 3), scale and offset (3,), float32, with ``after`` = scale * rotation ``before`` + offset, of points
    (N, 3) that a similarity took from ``before`` to ``after`` (Umeyama, 1991)."""
    a, b = (points.astype(np.float64) - points.mean(0, dtype=np.float64) for points in (before, after))
    u, _, v = np.linalg.svd(b.T @ a)
    turn = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    scale = np.sqrt((b**2).sum() / (a**2).sum())
    offset = after.mean(0, dtype=np.float64) - scale * turn @ before.mean(0, dtype=np.float64)
    return turn.astype(np.float32), np.float32(scale), offset.astype(np.float32)


def pixel_rays(size: int, distance: float, window: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Camera origin-to-pixel rays of a ``window`` (x0, y0, x1, y1) of a size x size crop.

    Returns points on the plane z = 0 (N, 3) and unit directions (N, 3), in row order.
    """
    x0, y0, x1, y1 = window
    x = (np.arange(x0, x1) + 0.5) / size * 2 - 1
    y = 1 - (np.arange(y0, y1) + 0.5) / size * 2
    gx, gy = np.meshgrid(x, y)
    plane = np.stack([gx, gy, np.zeros_like(gx)], -1).reshape(-1, 3)
    direction = plane - np.array([0, 0, distance])
    return plane, direction / np.sqrt(np.einsum("ij,ij->i", direction, direction))[:, None]


def sphere_directions(count: int) -> np.ndarray:
    """(count, 3) unit vectors of a Fibonacci lattice."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    angle = np.pi * (1 + 5**0.5) * k
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], 1)


def visibility(scene: Scene, position: np.ndarray, normal: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Which of ``directions`` (D, 3) each surface point at ``position`` (N, 3) sees: (N, D / 8) uint8, a bit each, the
    first direction in the highest; what lies below the tangent plane of ``normal`` (N, 3) is not seen."""
    directions = directions.astype(np.float32)
    way, row = np.nonzero(directions @ normal.T.astype(np.float32) > 0.02)  # like rays one after another are quicker
    start = (position + normal * 4e-3).astype(np.float32)
    seen = np.zeros((len(position), len(directions)), bool)
    seen[row, way] = ~scene.occluded(start[row], directions[way])
    return np.packbits(seen, axis=1)
