"""Posed people seen by a camera, ready for training: everything that is slow to make and does not depend on the light.

A sample is one person in one pose from one camera: albedo, normals, depth (front and back), from which directions light
reaches each pixel, points with signed distance, surface points. Light, background, photo effects and mirroring are put
on in training.

    python -m training.cache --assets ../shared/assets --out CACHE --first 0 --count 2000 --processes 4

With ``--heads`` a sample is a person's head, as the head's own networks see it (``engine.head``).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import igl
import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from phorhum_blender.engine.head import HeadFrame
from phorhum_blender.engine.refinement import face_normals
from training.render import Hits, Scene, pixel_rays, sphere_directions, visibility
from training.retarget import bone_of_vertices, enliven, retarget, skeleton_joints, skin, unbend, vary
from training.subjects import HELD_OUT_GROUPS, Subject, list_subjects, load_poses, load_subject, recolour

SIZE = 256  # pixels a side, unless told otherwise
EXTERIOR_POINTS, HEAD_POINTS = 20_000, 60_000  # that stand for the outer surface: of a person, of a head
SURFACE_POINTS = 3_000  # of these, kept
NEAR_POINTS, RAY_POINTS, BOX_POINTS = 3_500, 2_000, 1_000
VIEWS = 2  # of a posed person
DIRECTIONS, MAPS_DIRECTIONS = 256, 64  # to which each pixel's view is free or not; of heads and samples for G alone
ESCAPES, FEW_ESCAPES = 32, 2  # rays from a point, and of these, no more of which get away from an enclosed one
POINT_STEP, NORMAL_STEP = 1 / 8192, 1 / 127  # of stored points (crop units) and normals
BOX = np.array([[-1.1, -1.1, -0.9], [1.1, 1.1, 0.9]])  # crop units
MAKEHUMAN_SHARE = float(os.environ.get("PHORHUM_MAKEHUMAN_SHARE", "0.3"))
VALID_SHARE = 0.5  # of the other people; the others are Rocketbox', of whom G's depth is a quarter more wrong
REACH = np.array([1.2, 1.2, 1.5])  # crop units from the middle: the surface farther out is not learned
HEAD_SHIFT, HEAD_SCALE = 0.08, 0.1  # standard deviations of errors of a head's square: half sides, a share of its size
LIVELY_SHARE = 0.1  # of poses, see :func:`training.retarget.enliven`
MOST_UNBENT = 1.3  # from poses as captured to straight ones, see :func:`training.retarget.unbend`
STANDARD_HEIGHT = 1.70  # metres: errors are given for a person of this height


@dataclass(frozen=True)
class Placed:
    """A posed person in crop units before a camera."""

    subject: Subject
    vertices: np.ndarray  # (V, 3) crop units
    distance: float  # crop units
    unit: float  # metres of a 1.70 m person per crop unit
    joints: np.ndarray  # (21, 3) crop units, in the order of engine.skeleton.JOINTS
    pitch: float  # degrees by which the camera looks down

    def scene(self) -> Scene:
        s = self.subject
        return Scene(self.vertices, s.faces, s.uv, s.face_uv, s.material, s.textures)


def pose_subject(subject: Subject, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posed vertices (V, 3) and joints (21, 3) in the order of engine.skeleton.JOINTS; metres, z up."""
    transform = retarget(subject.kind, subject.bone_name, subject.bone_head, subject.bone_parent, pose)
    vertices = skin(subject.vertices, subject.bone_index, subject.bone_weight, transform)
    return vertices, skeleton_joints(subject, transform)


def place(
    subject: Subject,
    posed: np.ndarray,
    joints: np.ndarray,
    yaw: float,
    pitch: float = 0.0,
    roll: float = 0.0,
    distance: float = 4.0,
    padding: float = 1.18,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Placed:
    """Puts a posed person, of vertices ``posed`` and ``joints``, before a camera as a detector's crop shows it.

    Angles in degrees (yaw 0 = facing the camera), ``distance`` in metres, ``padding`` as the crop's, ``shift`` of the
    crop's centre in fractions of its half side.
    """
    view = np.concatenate([posed, joints])[:, [0, 2, 1]] * np.array([1, 1, -1])  # z up, facing -y  ->  y up, facing +z
    # first about the person's own vertical, then the camera's tilt and roll
    turn = (
        Rotation.from_euler("z", roll, degrees=True)
        * Rotation.from_euler("x", pitch, degrees=True)
        * Rotation.from_euler("y", yaw, degrees=True)
    ).as_matrix()
    view = view @ turn.T
    view -= surface_centre(view, subject.faces)
    centre = np.zeros(2)
    x, y, z = np.ascontiguousarray(view[: len(posed)].T)
    nearness = distance / (distance - z)
    flat = np.stack([x, y]) * nearness
    for _ in range(8):
        seen = flat - centre[:, None] * nearness
        low, high = seen.min(1), seen.max(1)
        centre += (low + high) / 2
    half = (high - low).max() / 2 * padding
    view[:, :2] -= centre + np.array(shift) * half
    height = np.ptp(subject.vertices[:, 2])
    view /= half
    unit = half * STANDARD_HEIGHT / height
    return Placed(subject, view[: len(posed)], distance / half, unit, view[len(posed) :], pitch)


def place_head(placed: Placed, rng: np.random.Generator) -> Placed:
    """The same person before the camera of the head's networks, in a square that is a little off."""
    found = placed.joints.astype(np.float64)
    frame = HeadFrame.of_joints(found, placed.distance)
    shift = np.append(rng.normal(0, HEAD_SHIFT, 2), 0) * frame.half
    half = frame.half * np.exp(rng.normal(0, HEAD_SCALE))
    frame = HeadFrame.looking_at(frame.centre + shift, half, placed.distance)
    return replace(
        placed,
        vertices=frame.inwards(placed.vertices),
        distance=frame.distance,
        unit=placed.unit * frame.half,
        joints=frame.inwards(placed.joints),
        pitch=placed.pitch + np.degrees(frame.pitch),
    )


def surface_centre(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted centre (3,) of a surface."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(face_normals(vertices, faces), axis=1)
    return area @ (a + b + c) / (3 * area.sum())


def held_out_subject(rng: np.random.Generator, assets: Path) -> Subject:
    """A person that training never sees, as modelled, of one of the three held-out groups."""
    names = list_subjects(assets, HELD_OUT_GROUPS[rng.integers(len(HELD_OUT_GROUPS))])
    return load_subject(assets, *names[rng.integers(len(names))])


def random_subject(rng: np.random.Generator, assets: Path) -> Subject:
    """A training person: modelled (VALID, Rocketbox) or made up (MakeHuman), recoloured."""
    pick = rng.random()
    if pick < MAKEHUMAN_SHARE:
        from training.makehuman import random_person

        return random_person(rng, assets, texture_size=512)
    kind = "valid" if pick < MAKEHUMAN_SHARE + VALID_SHARE * (1 - MAKEHUMAN_SHARE) else "rocketbox"
    names = [n for k, n in list_subjects(assets) if k == kind]
    return recolour(load_subject(assets, kind, names[rng.integers(len(names))]), rng)


def random_pose(
    rng: np.random.Generator, assets: Path, held_out: bool = False, lively: float = LIVELY_SHARE
) -> np.ndarray:
    """A motion-capture pose (22, 3): as they occur, or one of those spread far apart; half of them standing relaxed.
    Training varies it, half of the time with the arms of another, holds it straighter than the captures are, and
    enlivens it with the chance ``lively``."""
    poses = load_poses(assets, held_out, spread=rng.random() < 0.2)
    some = poses[standing(poses)] if rng.random() < 0.5 else poses
    pose = some[rng.integers(len(some))]
    if held_out:
        return pose
    arms_of = poses[rng.integers(len(poses))] if rng.random() < 0.5 else pose
    varied = vary(unbend(pose, rng.uniform(0, MOST_UNBENT)), arms_of, rng)
    return enliven(varied, rng) if rng.random() < lively else varied


def standing(poses: np.ndarray) -> np.ndarray:
    """(N,) bool: upright, both feet low, hands below the shoulders: as most people stand in photos."""
    from training.retarget import JOINT

    z = poses[:, :, 2]
    upright = (z[:, JOINT["htop"]] - z[:, JOINT["pelvis"]]) > 0.58
    straight = np.minimum(z[:, JOINT["lank"]], z[:, JOINT["rank"]]) < -0.72
    level = np.abs(z[:, JOINT["lank"]] - z[:, JOINT["rank"]]) < 0.15
    low_hands = np.maximum(z[:, JOINT["lwri"]], z[:, JOINT["rwri"]]) < z[:, JOINT["lsho"]]
    return upright & straight & level & low_hands


def random_view(rng: np.random.Generator) -> dict:
    """Keyword arguments of :func:`place`: mostly frontal, phone to portrait distances, a detector's sloppy crop."""
    wide = rng.random()
    if wide < 0.7:
        yaw = rng.normal(0, 30)
    else:
        yaw = rng.uniform(-180, 180)
    return {
        "yaw": float(yaw),
        "pitch": float(rng.normal(3, 6)),
        "roll": float(rng.normal(0, 2.5)),
        "distance": float(np.exp(rng.uniform(np.log(2.2), np.log(9)))),
        "padding": float(np.clip(rng.normal(1.18, 0.06), 1.04, 1.4)),
        "shift": tuple(rng.normal(0, 0.03, 2).tolist()),
    }


def exterior(scene: Scene, rng: np.random.Generator, count: int) -> Hits:
    """About ``count`` points within REACH of the surface that can be seen from outside, from rays all around."""
    low, high = scene.vertices.min(0), scene.vertices.max(0)
    corner = scene.vertices[scene.faces]
    area = np.linalg.norm(face_normals(scene.vertices, scene.faces), axis=1)
    area[(np.abs(corner) > REACH).all(1).any(1)] = 0
    tried = count + count // 10  # a few rays leave through the holes of hair cards
    pick = np.searchsorted(np.cumsum(area), rng.uniform(0, area.sum(), tried)).clip(max=len(area) - 1)
    u, v = rng.random((2, tried, 1), dtype=np.float32)
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    target = corner[pick, 0] * (1 - u - v) + corner[pick, 1] * u + corner[pick, 2] * v
    direction = rng.standard_normal((tried, 3), dtype=np.float32)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    origin = target - direction * np.float32(np.linalg.norm(high - low) + 0.1)
    hits = scene.cast(origin, direction)
    keep = np.flatnonzero(hits.hit & (np.abs(hits.position) <= REACH).all(1))[:count]
    return Hits(*(values[keep] for values in vars(hits).values()))


def signed_distance(scene: Scene, outer: Hits, points: np.ndarray) -> np.ndarray:
    """(N,) signed distance in crop units, outside positive.

    The sign is the generalised winding number's (Jacobson et al., 2013), which bears hair cards, open garments and
    layered clothes; the size is the distance to the outer surface only, so layers beneath clothes do not count.
    """
    # points spread evenly: a tree that is not balanced is as good, and for those far away several times as fast
    distance, index = cKDTree(outer.position, balanced_tree=False, compact_nodes=False).query(points)
    plane = np.abs(((points - outer.position[index]) * outer.normal[index]).sum(1))
    spacing = 0.02
    size = np.where(distance < spacing, plane, np.sqrt(np.maximum(distance**2 - (spacing / 3) ** 2, 0)))
    winding = igl.fast_winding_number(scene.vertices.astype(np.float64), scene.faces.astype(np.int64), points)
    return np.where(winding > 0.5, -size, size)


def enclosed(scene: Scene, points: np.ndarray) -> np.ndarray:
    """(N,) bool: hardly any ray from a point gets away. In a mouth or an eye socket of a modelled head is air, which no
    photo shows; the head's field learns that it is solid."""
    ways = sphere_directions(ESCAPES).astype(np.float32)
    rays = np.repeat(points.astype(np.float32), ESCAPES, axis=0), np.tile(ways, (len(points), 1))
    return (~scene.occluded(*rays)).reshape(-1, ESCAPES).sum(1) <= FEW_ESCAPES


def make_sample(
    placed: Placed,
    rng: np.random.Generator,
    size: int = SIZE,
    scene: Scene | None = None,
    maps_only: bool = False,
    head: bool = False,
) -> dict[str, np.ndarray]:
    """All arrays of one sample, as they are stored; see :func:`load_sample`, which lays them out.

    Picture arrays hold only the pixels of ``pixel`` (N,), each row * size + column. ``scene``: that of ``placed``, if
    it is at hand. ``maps_only`` leaves out what f alone learns from, points and surface, and shadows are coarser.
    """
    scene, distance = scene or placed.scene(), placed.distance
    low, high = _pixel_window(scene.vertices, distance, size)
    window = (low[0], low[1], high[0], high[1])
    fine = tuple(2 * k for k in window)
    plane, direction = pixel_rays(2 * size, distance, fine)
    shape = (fine[3] - fine[1], fine[2] - fine[0])
    albedo, alpha = _supersample(scene.see(plane - direction * 3, direction), shape)
    plane, direction = pixel_rays(size, distance, window)
    front = scene.cast(plane - direction * 3, direction)
    back = scene.cast(plane + direction * 3, -direction)
    hit = front.hit & back.hit & np.all([np.abs(side.position[:, 2]) <= REACH[2] for side in (front, back)], 0)
    seen = np.flatnonzero((alpha > 0) | front.hit)
    centre_albedo = np.where(alpha[seen, None] > 0, albedo[seen], front.albedo[seen])
    count = MAPS_DIRECTIONS if maps_only or head else DIRECTIONS
    # a random rotation; scipy's own takes its seed by other names in other versions
    quaternion = np.random.RandomState(rng.integers(2**31)).normal(size=4)
    axes = Rotation.from_quat(quaternion).apply(sphere_directions(count)).astype(np.float32)
    visible = np.zeros((len(seen), count // 8), np.uint8)
    lit = front.hit[seen]
    visible[lit] = visibility(scene, front.position[seen[lit]], front.normal[seen[lit]], axes)
    width = window[2] - window[0]
    pixel = (seen // width + window[1]) * size + seen % width + window[0]

    part = bone_of_vertices(placed.subject)[scene.faces[:, 0]]

    return {
        "size": np.array(size),
        "pixel": pixel.astype(_pixel_type(size)),
        "alpha": alpha[seen].astype(np.uint8),
        "albedo": centre_albedo.astype(np.uint8),
        "hit": hit[seen],
        "normal": np.round(front.normal[seen] * 127).astype(np.int8),
        "front": front.position[seen, 2].astype(np.float16),
        "back": back.position[seen, 2].astype(np.float16),
        "albedo_back": back.albedo[seen],
        "normal_back": np.round(back.normal[seen] * 127).astype(np.int8),
        "visible": visible,
        "directions": axes,
        "camera": np.array([distance, placed.unit], np.float32),
        "pitch": np.array(placed.pitch, np.float32),
        "part": part[front.face[seen]],
        "joints": placed.joints.astype(np.float32),
        "kind": np.array(placed.subject.kind),
        **({} if maps_only else _points_and_surface(scene, front, back, hit, direction, rng, head)),
    }


def _points_and_surface(
    scene: Scene,
    front: Hits,
    back: Hits,
    hit: np.ndarray,
    direction: np.ndarray,
    rng: np.random.Generator,
    head: bool,
) -> dict[str, np.ndarray]:
    """What f learns from; ``front`` and ``back`` of rays in ``direction`` (N, 3), ``hit`` (N,) those of which points
    are taken; ``head`` as in :func:`make_sample`."""
    outer = exterior(scene, rng, HEAD_POINTS if head else EXTERIOR_POINTS)
    points = np.round(_sample_points(outer, front, back, hit, direction, rng) / POINT_STEP).astype(np.int16)
    distance = signed_distance(scene, outer, points * POINT_STEP)
    if head:
        outside = np.flatnonzero(distance > 0)
        distance[outside[enclosed(scene, points[outside] * POINT_STEP)]] *= -1
    keep = rng.permutation(len(outer.position))[:SURFACE_POINTS]
    return {
        "points": points,
        "distance": distance.astype(np.float16),
        "surface": np.round(outer.position[keep] / POINT_STEP).astype(np.int16),
        "surface_normal": np.round(outer.normal[keep] / NORMAL_STEP).astype(np.int8),
        "surface_albedo": outer.albedo[keep],
    }


def _pixel_window(vertices: np.ndarray, distance: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    seen = vertices[:, :2] * (distance / (distance - vertices[:, 2]))[:, None] * [1, -1]
    pixel = (seen + 1) / 2 * size
    low = np.clip(np.floor(pixel.min(0)).astype(int) - 1, 0, size - 1)
    return low, np.clip(np.ceil(pixel.max(0)).astype(int) + 1, low + 1, size)


def _supersample(colour: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean colour (N, 3) of what is covered of each 2 x 2 rays of ``colour`` (4N, 4), and its cover (N,) 0..255."""
    rows, columns = shape
    blocks = colour.reshape(rows // 2, 2, columns // 2, 2, 4)
    cover = blocks[..., 3] > 0
    total = cover.sum((1, 3))
    # colours are zero where nothing is covered
    albedo = blocks[..., :3].sum((1, 3), dtype=np.float32) / np.maximum(total, 1)[..., None]
    return albedo.reshape(-1, 3), total.reshape(-1) * (255 / 4)


def _sample_points(
    outer: Hits, front: Hits, back: Hits, hit: np.ndarray, direction: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Near the surface, along whole rays, and in the whole box."""
    pick = rng.integers(len(outer.position), size=NEAR_POINTS)
    spread = rng.choice([0.008, 0.025, 0.07], size=(NEAR_POINTS, 1))
    near = outer.position[pick] + rng.normal(size=(NEAR_POINTS, 3)) * spread
    both = np.flatnonzero(hit)
    ray = both[rng.integers(len(both), size=RAY_POINTS)]
    z = rng.uniform(back.position[ray, 2] - 0.3, front.position[ray, 2] + 0.3)
    along = front.position[ray] + direction[ray] * ((z - front.position[ray, 2]) / direction[ray, 2])[:, None]
    box = rng.uniform(BOX[0], BOX[1], (BOX_POINTS, 3))
    return np.concatenate([near, along, box])


def load_sample(path: Path, field: bool = True) -> dict[str, np.ndarray]:
    """Reads a sample and lays its pixels out as pictures of ``size`` x ``size`` (S x S; rows from the top).

    albedo, albedo_back (S, S, 3) uint8 sRGB; alpha (S, S) uint8; normal, normal_back (S, S, 3) int8 / 127;
    front, back (S, S) float16 z in crop units where hit (S, S) bool; visible (S, S, D / 8) uint8, which of directions
    (D, 3) each pixel sees, see :func:`training.render.visibility`; points (P, 3) and
    surface (Q, 3) float32 crop units, distance (P,) and surface_normal (Q, 3) float32, surface_albedo (Q, 3) uint8
    sRGB; camera (2,): distance in crop units, metres of a 1.70 m person per crop unit; pitch (): degrees by which the
    camera looks down; part (S, S) uint8 number of the bone (engine.skeleton.BONES) that moves what is seen; joints
    (21, 3) crop units. A sample for G alone has no points and no surface (FIELD); with ``field`` False none has.
    """
    with np.load(path) as data:
        sample = {key: data[key] for key in data.files if field or key not in FIELD}
    if "points" in sample:
        for key, step in (("points", POINT_STEP), ("surface", POINT_STEP), ("surface_normal", NORMAL_STEP)):
            sample[key] = sample[key].astype(np.float32) * np.float32(step)
        sample["distance"] = sample["distance"].astype(np.float32)
    return lay_out(sample)


def sample_arrays(path: Path) -> list[str]:
    """The names of a sample's arrays; nothing else is read."""
    with np.load(path) as data:
        return data.files


def lay_out(sample: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The sample with its pixels, numbered in ``pixel``, laid out as pictures (size, size, ...), zero elsewhere."""
    out, size = dict(sample), int(sample["size"])
    pixel = out.pop("pixel")
    for key in PICTURES:
        values = sample[key]
        picture = np.zeros((size * size, *values.shape[1:]), values.dtype)
        picture[pixel] = values
        out[key] = picture.reshape(size, size, *values.shape[1:])
    return out


def gather(sample: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inverse of :func:`lay_out`: only the pixels of the person, a tenth of the memory."""
    pixel = np.flatnonzero(sample["hit"] | (sample["alpha"] > 0))
    pictures = {key: sample[key].reshape(-1, *sample[key].shape[2:])[pixel] for key in PICTURES}
    return {**sample, **pictures, "pixel": pixel.astype(_pixel_type(int(sample["size"])))}


def _pixel_type(size: int) -> np.dtype:
    """The smallest type that numbers all pixels of a picture."""
    return np.min_scalar_type(size * size - 1)


FIELD = ("points", "distance", "surface", "surface_normal", "surface_albedo")  # what f alone learns from
PICTURES = ("alpha", "albedo", "hit", "normal", "front", "back", "albedo_back", "normal_back", "visible", "part")


def random_placed(
    seed: int,
    assets: Path,
    held_out: bool = False,
    views: int = VIEWS,
    poses: int = 1,
    lively: float = LIVELY_SHARE,
) -> Iterator[list[tuple[Placed, np.random.Generator]]]:
    """A random person of one side of the split in ``poses`` random poses: the views of one pose after the other, each
    with the generator that draws its sample.

    The same for the same seed; each pose and view is the same however many there are.
    """
    rng = np.random.default_rng(seed)
    subject = held_out_subject(rng, assets) if held_out else random_subject(rng, assets)
    for number in range(poses):
        posed, joints = pose_subject(subject, random_pose(rng, assets, held_out, lively))
        further = [number] if number else []  # the first pose's seeds are those of people in one pose
        generators = [np.random.default_rng([seed, view, *further]) for view in range(views)]
        yield [(place(subject, posed, joints, **random_view(rng)), rng) for rng in generators]


@dataclass(frozen=True)
class Job:
    """What a process makes of each seed it is given."""

    assets: Path
    out: Path
    views: int
    held_out: bool
    size: int = SIZE
    poses: int = 1
    maps_only: bool = False
    lively: float = LIVELY_SHARE
    heads: bool = False

    def __call__(self, seed: int) -> int:
        """Writes the samples of one person that are not there yet; returns how many."""
        paths = [self.out / f"{seed:07d}_{k}.npz" for k in range(self.poses * self.views)]
        if all(path.exists() for path in paths):
            return 0
        made = 0
        todo = iter(paths)
        for views in random_placed(seed, self.assets, self.held_out, self.views, self.poses, self.lively):
            scene = views[0][0].scene()
            for placed, rng in views:
                path = next(todo)
                if path.exists():
                    continue
                placed = place_head(placed, rng) if self.heads else placed
                partial = path.with_suffix(".part")
                with open(partial, "wb") as file:
                    here = scene.moved(placed.vertices)
                    np.savez(file, **make_sample(placed, rng, self.size, here, self.maps_only, self.heads))
                os.replace(partial, path)
                made += 1
        return made


def run(job: Job, seeds: range, processes: int = 1) -> Iterator[int]:
    """Does ``job`` for all ``seeds``; yields how many samples each made, in the order in which they are ready."""
    job.out.mkdir(parents=True, exist_ok=True)
    if processes == 1:
        yield from map(job, seeds)
        return
    for name in ("IGL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # the new processes inherit it
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=_one_thread) as pool:
        yield from pool.imap_unordered(job, seeds)


def _one_thread() -> None:
    """Keeps embree's scheduler to this one thread: it counts, once, the cores that its first scene may use."""
    if not hasattr(os, "sched_setaffinity"):
        return  # not Linux: only slower
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    corner, uv = np.eye(3), np.zeros((1, 2))
    face, grey = np.array([[0, 1, 2]]), np.full((1, 1, 4), 128, np.uint8)
    Scene(corner, face, uv, np.zeros_like(face), np.zeros(1, int), (grey,)).cast(corner * 2, -corner)
    os.sched_setaffinity(0, cores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="seed of the first person")
    parser.add_argument("--count", type=int, default=1000, help="people")
    parser.add_argument("--poses", type=int, default=1, help="of each person")
    parser.add_argument("--views", type=int, default=VIEWS, help="samples of each pose")
    parser.add_argument("--size", type=int, default=SIZE, help="pixels a side: small ones are made sooner")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="people and poses that training never sees")
    parser.add_argument("--maps-only", action="store_true", help="for training.train --maps-only: made sooner")
    parser.add_argument("--lively", type=float, default=LIVELY_SHARE, help="share of lively poses in training")
    parser.add_argument("--heads", action="store_true", help="samples of heads, for training.train --network head")
    args = parser.parse_args()
    job = Job(
        args.assets, args.out, args.views, args.held_out, args.size, args.poses, args.maps_only, args.lively, args.heads
    )
    start, made, told = time.time(), 0, 0
    for count in run(job, range(args.first, args.first + args.count), args.processes):
        made += count
        if made >= told + 100:
            told = made
            print(f"{made} samples, {made / (time.time() - start):.2f} a second", flush=True)


if __name__ == "__main__":
    main()
