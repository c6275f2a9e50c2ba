"""Made-up results that need no network: a blob of body-like size and a person of capsules, under a known light rig."""

from __future__ import annotations

import functools

import numpy as np

from phorhum_blender.addon.scene.space import to_blender
from phorhum_blender.engine.contracts import DirectionalLight, LightRig, PhotoCamera, Result
from phorhum_blender.engine.skeleton import BONES, JOINT

KEY_DIRECTION = np.array([0.5, 0.5, np.sqrt(0.5)])
FILL_DIRECTION = np.array([-0.8, 0.0, 0.6])
RIG = LightRig(
    key=DirectionalLight(tuple(KEY_DIRECTION), (0.9, 0.8, 0.6)),
    fill=DirectionalLight(tuple(FILL_DIRECTION), (0.15, 0.2, 0.3)),
    ambient=(0.25, 0.27, 0.3),
    sh=((0.0, 0.0, 0.0),) * 9,
)
REPORT = {
    "seconds": {"Finding person": 2.0, "Finding surface": 3.0, "Colouring": 1.0, "all": 6.0},
    "peak_memory_mb": 500.0,
}
CAMERA = PhotoCamera(position=(0.1, 1.1, 4.0), focal=900.0, principal=(250.0, 330.0), width=480, height=640)

# a person with hanging arms inside of the blob, in the order of engine.skeleton.JOINTS
JOINTS = np.array(
    [[0, 0.95, 0], [0, 1.2, 0], [0, 1.42, 0], [0, 1.5, 0], [0, 1.7, 0]]
    + [
        [side * x, y, z]
        for x, y, z in (
            (0.17, 1.36, 0), (0.22, 1.1, 0), (0.24, 0.85, 0.02), (0.24, 0.77, 0.04),
            (0.1, 0.9, 0), (0.1, 0.5, 0.02), (0.1, 0.1, -0.02), (0.1, 0.03, 0.1),
        )
        for side in (1, -1)
    ],
    np.float32,
)  # fmt: skip


def shading(normals: np.ndarray) -> np.ndarray:
    """(N, 3) unit normals in scene space to (N, 3) linear shading under :data:`RIG`."""
    value = np.tile(np.array(RIG.ambient), (len(normals), 1))
    for light in (RIG.key, RIG.fill):
        cosine = np.clip(normals @ np.array(light.direction), 0, None)
        value += cosine[:, None] * np.array(light.colour)
    return value


def blob(rings: int = 48, segments: int = 64) -> Result:
    """A closed ellipsoid 1.7 m tall with a waist, standing on y = 0, albedo varying over the height."""
    polar = np.linspace(0, np.pi, rings + 1)[1:-1]
    around = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    theta, phi = np.meshgrid(polar, around, indexing="ij")
    radius = np.sin(theta) * (0.3 - 0.08 * np.sin(theta) ** 8)
    ring_points = np.stack([radius * np.sin(phi), 0.85 + 0.85 * np.cos(theta), 0.8 * radius * np.cos(phi)], axis=-1)
    vertices = np.concatenate([[[0.0, 1.7, 0.0]], ring_points.reshape(-1, 3), [[0.0, 0.0, 0.0]]]).astype(np.float32)
    faces = _sphere_faces(rings, segments)
    normals = _vertex_normals(vertices, faces)
    tone = vertices[:, 1:2] / 1.7
    albedo = (np.array([[0.6, 0.2, 0.1]]) * tone + np.array([[0.1, 0.3, 0.5]]) * (1 - tone)).astype(np.float32)
    shaded = (albedo * shading(normals)).astype(np.float32)
    return Result(vertices, faces, normals, albedo, shaded, CAMERA, RIG, JOINTS, REPORT)


def arms_away() -> np.ndarray:
    """:data:`JOINTS` with the arms held out at 45 degrees, (21, 3)."""
    joints = JOINTS.copy()
    for side, sign in (("l", 1), ("r", -1)):
        shoulder = joints[JOINT[f"{side}_shoulder"]]
        for name, along in (("elbow", 0.27), ("wrist", 0.52), ("hand", 0.6)):
            joints[JOINT[f"{side}_{name}"]] = shoulder + along * np.sqrt(0.5) * np.array([sign, -1, 0])
    return joints


def arms_down() -> np.ndarray:
    """:data:`JOINTS` with four centimetres of air between the arms' flesh and the hips', (21, 3)."""
    joints = JOINTS.copy()
    for name in ("elbow", "wrist", "hand"):
        joints[JOINT[f"l_{name}"], 0] += 0.04
        joints[JOINT[f"r_{name}"], 0] -= 0.04
    return joints


POSES = {"away": arms_away, "down": arms_down, "touching": JOINTS.copy}


RADII = {"spine": 0.13, "chest": 0.13, "neck": 0.06, "head": 0.09}
RADII |= {"upper_arm": 0.045, "forearm": 0.04, "hand": 0.035, "thigh": 0.08, "shin": 0.055, "foot": 0.045}


@functools.cache
def person(cell: float = 0.02, arms: str = "away") -> Result:
    """A closed person of capsules around the bones, 1.8 m tall; the ``arms`` are "away", "down" or "touching" the body.

    ``cell`` in metres is the grid of the marching cubes. The colour is banded, so that a blurred one shows.
    """
    from skimage.measure import marching_cubes  # late: those who need only the blob may do without

    joints = POSES[arms]()
    low, high = joints.min(axis=0) - 0.2, joints.max(axis=0) + 0.2
    axes = [np.arange(a, b, cell, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    field = _capsules(points.reshape(-1, 3), joints).reshape(points.shape[:3])
    vertices, faces, _, _ = marching_cubes(field, 0.0, spacing=(cell,) * 3)
    vertices = (vertices + low).astype(np.float32)
    faces = faces.astype(np.int32)
    floor = vertices[:, 1].min()
    vertices[:, 1] -= floor
    joints[:, 1] -= floor
    normals = _vertex_normals(vertices, faces)
    albedo = banded(to_blender(vertices)).astype(np.float32)
    shaded = (albedo * shading(normals)).astype(np.float32)
    return Result(vertices, faces, normals, albedo, shaded, CAMERA, RIG, joints.astype(np.float32), {"seconds": 1.0})


def banded(points: np.ndarray) -> np.ndarray:
    """(N, 3) linear albedo of :func:`person` at ``points`` (N, 3) in Blender's axes."""
    return 0.45 + 0.35 * np.sin(points @ np.array([[9.0, 0, 5], [0, -5, -11], [2, 14, 0]]))


def _capsules(points: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Signed distance of ``points`` (N, 3) to a smooth union of capsules around the bones, metres, (N,)."""
    radii = [RADII[name.removeprefix("l_").removeprefix("r_")] for name in BONES]
    segments = [(joints[a], joints[b], radius) for (a, b), radius in zip(BONES.values(), radii, strict=True)]
    for side in "lr":
        segments.append((joints[JOINT["neck"]] - (0, 0.05, 0), joints[JOINT[f"{side}_shoulder"]], 0.05))
        segments.append((joints[JOINT["pelvis"]], joints[JOINT[f"{side}_hip"]], 0.1))
    total = np.zeros(len(points))
    for start, end, radius in segments:
        along = end - start
        t = np.clip((points - start) @ along / (along @ along), 0, 1)
        distance = np.linalg.norm(points - start - t[:, None] * along, axis=1) - radius
        total += np.exp(-distance / 0.008)
    return -0.008 * np.log(total + 1e-30)


def _sphere_faces(rings: int, segments: int) -> np.ndarray:
    def at(ring: int, segment: int) -> int:
        return 1 + ring * segments + segment % segments

    last = 1 + (rings - 1) * segments
    faces = []
    for s in range(segments):
        faces.append((0, at(0, s), at(0, s + 1)))
        faces.append((last, at(rings - 2, s + 1), at(rings - 2, s)))
        for r in range(rings - 2):
            a, b, c, d = at(r, s), at(r + 1, s), at(r + 1, s + 1), at(r, s + 1)
            faces += [(a, b, c), (a, c, d)]
    return np.array(faces, dtype=np.int32)


def _vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    weighted = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(total, faces[:, i], weighted)
    return total / np.linalg.norm(total, axis=1, keepdims=True)
