"""Measures of a reconstruction against the true person: surface, volume, depth, images and light.

A mesh is compared as it lies, with no alignment (no ICP). Inputs are metres, scaled so that the person would be 1.70 m
tall standing; lengths come out in centimetres. Distances go from random surface samples to the other mesh's exact
triangles, so equal meshes give exactly 0. All sampling is seeded: the same meshes give the same numbers.

The true meshes are not closed (hair cards, mouths, layered clothes). Their surface is therefore first reduced to the
faces that can be seen from outside (:func:`outer_mesh`), and their inside is where the generalised winding number of
the whole mesh exceeds 0.5, so a single open sheet has no inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import igl
import numpy as np
import trimesh
from skimage.metrics import structural_similarity
from trimesh.ray.ray_pyembree import RayMeshIntersector

from training.render import pixel_rays, sphere_directions

SURFACE_SAMPLES = 20_000
VOLUME_SAMPLES = 100_000
F_SCORE_DISTANCE = 0.01  # metres
VISIBILITY_DIRECTIONS = 96
MIN_OPEN = 3  # of those directions: how many must see the sky for a face to count as outer
CLEAR_LEAD = 6  # by how many of them one side must lead to be believed before all were tried
SKIN_OFFSET = 2e-4  # metres a visibility ray starts off its own surface


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh; counter-clockwise faces seen from outside."""

    vertices: np.ndarray  # (V, 3) float
    faces: np.ndarray  # (F, 3) int

    @cached_property
    def _solid(self) -> trimesh.Trimesh:
        return trimesh.Trimesh(self.vertices, self.faces, process=False)

    @cached_property
    def _caster(self) -> RayMeshIntersector:
        return RayMeshIntersector(self._solid)

    @cached_property
    def face_normals(self) -> np.ndarray:
        """(F, 3) unit normals; zero for a face without area."""
        return self._cross / np.maximum(np.linalg.norm(self._cross, axis=1, keepdims=True), 1e-30)

    @cached_property
    def face_areas(self) -> np.ndarray:
        return np.linalg.norm(self._cross, axis=1) / 2

    @cached_property
    def _cross(self) -> np.ndarray:
        a, b, c = np.moveaxis(self.vertices[self.faces].astype(np.float64), 1, 0)
        return np.cross(b - a, c - a)

    def scaled(self, factor: float) -> Mesh:
        return Mesh(self.vertices * factor, self.faces)

    @property
    def closed(self) -> bool:
        """Whether every edge joins exactly two faces that agree on which side is outside."""
        return bool(self._solid.is_watertight and self._solid.is_winding_consistent)

    @property
    def components(self) -> int:
        """Number of parts that share no edge."""
        adjacency = self._solid.face_adjacency
        labels = trimesh.graph.connected_component_labels(adjacency, node_count=len(self.faces))
        return int(labels.max()) + 1 if len(labels) else 0

    def first_hit(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(N,) index of the first face each ray meets, -1 where none."""
        return self._caster.intersects_first(origins, directions)

    def blocked(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(N,) bool: whether each ray meets any face."""
        return self._caster.intersects_any(origins, directions)


def sample_surface(mesh: Mesh, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 3) spread evenly over the area, and the face (count,) each lies on."""
    rng = np.random.default_rng(seed)
    total = np.cumsum(mesh.face_areas)
    face = np.searchsorted(total, (np.arange(count) + rng.random(count)) / count * total[-1])
    face = np.minimum(face, len(mesh.faces) - 1)
    root, v = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - v), root * v], 1)
    return np.einsum("nk,nkd->nd", weights, mesh.vertices[mesh.faces[face]]), face


def outer_mesh(mesh: Mesh) -> Mesh:
    """The faces that can be seen from outside, each turned towards the side it is seen from.

    From three points of every face rays leave in ``VISIBILITY_DIRECTIONS`` directions; the face is kept when at least
    ``MIN_OPEN`` of the rays of one point meet nothing. So mouths, eye sockets and a body under its clothes drop out.
    """
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    weights = np.array([(0.6, 0.2, 0.2), (0.2, 0.6, 0.2), (0.2, 0.2, 0.6)])
    points = np.einsum("pk,fkd->fpd", weights, corners).reshape(-1, 3)
    normals = np.repeat(mesh.face_normals, len(weights), axis=0)
    free = np.zeros((len(points), 2), int)  # rays that left from the front and from the back
    directions = sphere_directions(VISIBILITY_DIRECTIONS)
    for direction in np.random.default_rng(0).permutation(directions):
        open_question = np.flatnonzero(np.abs(free[:, 0] - free[:, 1]) < CLEAR_LEAD)
        side = np.where(normals[open_question] @ direction > 0, 0, 1)
        offset = np.where(side == 0, SKIN_OFFSET, -SKIN_OFFSET)[:, None] * normals[open_question]
        away = ~mesh.blocked(points[open_question] + offset, np.broadcast_to(direction, offset.shape))
        free[open_question[away], side[away]] += 1
    front, back = free.reshape(-1, len(weights), 2).max(1).T
    faces = np.where((back > front)[:, None], mesh.faces[:, ::-1], mesh.faces)
    return Mesh(mesh.vertices, faces[np.maximum(front, back) >= MIN_OPEN])


def nearest(mesh: Mesh, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (N,) from each point to the mesh's surface and the nearest face (N,)."""
    squared, face, _ = igl.point_mesh_squared_distance(
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(mesh.vertices, np.float64),
        np.ascontiguousarray(mesh.faces, np.int64),
    )
    return np.sqrt(np.maximum(squared, 0)), face


def inside(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """(N,) bool: generalised winding number above a half."""
    return (
        igl.fast_winding_number(
            np.ascontiguousarray(mesh.vertices, np.float64),
            np.ascontiguousarray(mesh.faces, np.int64),
            np.ascontiguousarray(points, np.float64),
        )
        > 0.5
    )


def surface_metrics(predicted: Mesh, truth: Mesh, samples: int = SURFACE_SAMPLES, seed: int = 0) -> dict[str, float]:
    """Distances, normals and F-score between ``predicted`` and the outer surface ``truth``, both in metres.

    ``chamfer_cm`` is the mean of both ways: ``point_to_surface_cm`` (predicted to true) and ``completeness_cm`` (true
    to predicted). ``normal_consistency`` is the mean dot product of a sample's normal with that of the nearest face of
    the other mesh, over both ways; ``f_score`` is at 1 cm.
    """
    there, there_face = sample_surface(predicted, samples, seed)
    back, back_face = sample_surface(truth, samples, seed + 1)
    to_truth, truth_face = nearest(truth, there)
    to_predicted, predicted_face = nearest(predicted, back)
    agree_there = np.einsum("nd,nd->n", predicted.face_normals[there_face], truth.face_normals[truth_face])
    agree_back = np.einsum("nd,nd->n", truth.face_normals[back_face], predicted.face_normals[predicted_face])
    precision = float((to_truth < F_SCORE_DISTANCE).mean())
    recall = float((to_predicted < F_SCORE_DISTANCE).mean())
    return {
        "chamfer_cm": float(to_truth.mean() + to_predicted.mean()) * 50,
        "point_to_surface_cm": float(to_truth.mean()) * 100,
        "completeness_cm": float(to_predicted.mean()) * 100,
        "normal_consistency": float(agree_there.mean() + agree_back.mean()) / 2,
        "f_score": 2 * precision * recall / max(precision + recall, 1e-9),
    }


def volume_iou(predicted: Mesh, truth: Mesh, samples: int = VOLUME_SAMPLES, seed: int = 0) -> float:
    """Intersection over union of the insides, from random points of the box around both meshes."""
    both = np.concatenate([m.vertices[np.unique(m.faces)] for m in (predicted, truth)])
    points = np.random.default_rng(seed).uniform(both.min(0), both.max(0), (samples, 3))
    return mask_iou(inside(predicted, points), inside(truth, points))


def mask_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two bool arrays; 1 when both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


@dataclass(frozen=True)
class Raster:
    """What each ray of an image first meets."""

    face: np.ndarray  # (H, W) int, -1 where nothing
    weights: np.ndarray  # (H, W, 3) barycentric; zero where nothing
    points: np.ndarray  # (H, W, 3); nan where nothing

    @property
    def mask(self) -> np.ndarray:
        return self.face >= 0

    def interpolate(self, mesh: Mesh, values: np.ndarray, background: float = 0.0) -> np.ndarray:
        """Per-vertex ``values`` (V, C) of ``mesh`` as an image (H, W, C)."""
        image = np.einsum("hwk,hwkc->hwc", self.weights, values[mesh.faces[self.face]])
        return np.where(self.mask[..., None], image, background)


def cast(mesh: Mesh, origins: np.ndarray, directions: np.ndarray, shape: tuple[int, int]) -> Raster:
    """First hits of the rays (H * W, 3) of an image of ``shape`` (H, W), in row order; directions need not be unit."""
    face = mesh.first_hit(origins, directions)
    met = np.flatnonzero(face >= 0)
    points, weights = np.full(origins.shape, np.nan), np.zeros(origins.shape)
    start, along = origins[met], directions[met]
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[face[met]]].astype(np.float64), 1, 0)
    normal = np.cross(b - a, c - a)
    share = np.einsum("nd,nd->n", a - start, normal) / np.einsum("nd,nd->n", along, normal)
    at = points[met] = start + share[:, None] * along
    area = np.einsum("nd,nd->n", normal, normal)
    u = np.einsum("nd,nd->n", np.cross(b - at, c - at), normal) / area
    v = np.einsum("nd,nd->n", np.cross(c - at, a - at), normal) / area
    weights[met] = np.clip(np.stack([u, v, 1 - u - v], 1), 0, 1)
    return Raster(face.reshape(shape), weights.reshape(*shape, 3), points.reshape(*shape, 3))


def cast_crop(mesh: Mesh, distance: float, size: int, from_behind: bool = False) -> Raster:
    """Casts the rays of the crop camera (see ``engine.camera``) at a mesh in crop units; first row at the top.

    ``from_behind`` follows the same rays from their far end, so that pixel by pixel one gets the hidden surface that
    the back depth and back colour maps show, in the front view's pixels.
    """
    plane, direction = pixel_rays(size, distance, (0, 0, size, size))
    if from_behind:
        return cast(mesh, plane + distance * direction, -direction, (size, size))
    return cast(mesh, plane - distance * direction, direction, (size, size))


def depth_metrics(
    predicted: tuple[np.ndarray, np.ndarray], truth: tuple[np.ndarray, np.ndarray], metres: float
) -> dict[str, float]:
    """Mean absolute errors in cm on the pixels both cover. Depths are (front, back) z maps in units of ``metres``,
    nan outside. ``thickness`` is front minus back: it stays large for an extrusion that sits at the right depth."""
    front, back = (p - t for p, t in zip(predicted, truth, strict=True))
    common = np.isfinite(front) & np.isfinite(back)
    if not common.any():
        return {"depth_front_cm": np.nan, "depth_back_cm": np.nan, "thickness_cm": np.nan}
    errors = {"depth_front_cm": front, "depth_back_cm": back, "thickness_cm": front - back}
    return {name: float(np.abs(error[common]).mean()) * metres * 100 for name, error in errors.items()}


def psnr(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of (H, W, 3) images in 0..1 over the pixels of ``mask``; at most 100."""
    if not mask.any():
        return float("nan")
    error = float(((image[mask].astype(np.float64) - truth[mask]) ** 2).mean())
    return float(-10 * np.log10(max(error, 1e-10)))


def ssim(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Mean structural similarity of (H, W, 3) images in 0..1 over ``mask``; outside it both are blanked alike."""
    if not mask.any():
        return float("nan")
    a, b = (np.where(mask[..., None], i, 0.0).astype(np.float64) for i in (image, truth))
    _, full = structural_similarity(
        a, b, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    return float(full.mean(-1)[mask].mean())


def angle_degrees(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two directions, e.g. the predicted and the true key light."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))
