"""The held-out pictures: a fixed list of people, poses, views and lights that training never sees, with the truth.

Their background, light and photo effects come from the same functions as the training pictures', with fixed seeds; the
camera is known and the mask is the true one. :func:`fingerprint` tells whether two tables were made on equal pictures.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from phorhum_blender.engine.colour import linear_to_srgb, srgb_to_linear
from training.cache import SIZE, Placed, load_sample, make_sample, place, pose_subject, standing
from training.dataset import LEAST_SHADING, photo_effects, random_background, random_light
from training.light import Environment, Light, lit_pixels, load_environments, shade
from training.metrics import Mesh, outer_mesh
from training.render import ALPHA_CUT
from training.retarget import unbend
from training.subjects import Subject, list_subjects, load_poses, load_subject

GROUPS = ("seen garments", "unseen garments", "rocketbox")
CASES_PER_GROUP = 16
MEAN_SHADING = 0.8  # exposure: mean shading of the person
# Rocketbox colours are a re-projection of one frontal picture: true only where that picture looked.
ROCKETBOX_COLOUR_YAW = 45.0
CARD_PROBES = np.array([[4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 2, 1], [2, 1, 2], [1, 2, 2]])


@dataclass(frozen=True)
class Case:
    """One picture of the held-out set. The list is fixed: case k of a group is the same whenever it is made."""

    group: str
    kind: str
    subject: str
    pose: int  # row of the held-out poses
    yaw: float  # degrees
    pitch: float
    roll: float
    distance: float  # metres
    seed: int  # of light, background and photo effects

    @property
    def colour_front(self) -> bool:
        """Whether the visible side's true albedo is known."""
        return self.kind != "rocketbox" or abs(self.yaw) <= ROCKETBOX_COLOUR_YAW

    @property
    def colour_back(self) -> bool:
        return self.kind != "rocketbox"


@dataclass(frozen=True)
class Truth:
    """A held-out picture and all that is known of it. Pictures have the crop's size, rows from the top."""

    case: Case
    image: np.ndarray  # (4, S, S) float32: sRGB-encoded colour 0..1 and the true mask 0..1
    mask: np.ndarray  # (S, S) bool
    front: np.ndarray  # (S, S) z in crop units, nan outside
    back: np.ndarray
    albedo: np.ndarray  # (S, S, 3) sRGB-encoded 0..1
    albedo_back: np.ndarray
    shaded: np.ndarray  # (S, S, 3) sRGB-encoded, before photo effects
    light: Light  # exposure applied
    distance: float  # of the camera, crop units
    unit: float  # metres of a 1.70 m person per crop unit
    solid: Mesh  # all triangles, crop units: for inside and outside
    outer: Mesh  # those seen from outside

    def shading(self, normals: np.ndarray) -> np.ndarray:
        """Linear shading (N, 3) of an unshadowed surface with unit ``normals`` (N, 3)."""
        return np.maximum(self.light.shading(normals), LEAST_SHADING)


def held_out_cases(assets: Path, per_group: int = CASES_PER_GROUP) -> list[Case]:
    """``per_group`` cases of each group: its people in turn, every other one standing, most of them seen from about
    the front, as people are in photos."""
    poses = load_poses(assets, held_out=True)
    upright = np.flatnonzero(standing(poses))
    cases = []
    for number, group in enumerate(GROUPS):
        people = list_subjects(assets, group)
        order = np.random.default_rng([2, number]).permutation(len(people))
        for k in range(per_group):
            rng = np.random.default_rng([3, number, k])
            kind, subject = people[order[k % len(people)]]
            pose = int(rng.choice(upright)) if k % 2 == 0 else int(rng.integers(len(poses)))
            yaw = rng.uniform(-180, 180) if k % 4 == 3 else rng.normal(0, 25)
            pitch, roll, distance = rng.normal(3, 5), rng.normal(0, 2), rng.uniform(2.5, 7)
            view = (float(yaw), float(pitch), float(roll), float(distance))
            cases.append(Case(group, kind, subject, pose, *view, seed=int(rng.integers(2**31))))
    return cases


def place_case(case: Case, assets: Path, unbent: float = 0.0, **crop: Any) -> Placed:
    """The person of a case before the camera; ``unbent``: how much straighter than captured, see
    :func:`training.retarget.unbend`; ``crop``: arguments of :func:`place` (padding, shift) for another than the usual
    crop."""
    subject = load_subject(assets, case.kind, case.subject)
    posed, joints = pose_subject(subject, unbend(load_poses(assets, held_out=True)[case.pose], unbent))
    return place(subject, posed, joints, case.yaw, case.pitch, case.roll, case.distance, **crop)


def make_truth(case: Case, assets: Path, unbent: float = 0.0, **crop: Any) -> Truth:
    """The picture of a case; ``unbent`` and ``crop`` as in :func:`place_case`."""
    placed = place_case(case, assets, unbent, **crop)
    subject = placed.subject
    sample = render(placed, case.seed)
    hit = sample["hit"]
    albedo, albedo_back = (sample[name].astype(np.float32) / 255 for name in ("albedo", "albedo_back"))
    image, shaded, light = light_picture(sample, albedo, load_environments(assets), case.seed)
    opaque = subject.faces[opaque_faces(subject)]
    return Truth(
        case=case,
        image=image,
        mask=hit,
        front=np.where(hit, sample["front"].astype(np.float64), np.nan),
        back=np.where(hit, sample["back"].astype(np.float64), np.nan),
        albedo=albedo,
        albedo_back=albedo_back,
        shaded=shaded,
        light=light,
        distance=placed.distance,
        unit=placed.unit,
        solid=Mesh(placed.vertices, subject.faces),
        outer=outer_mesh(Mesh(placed.vertices, opaque)),
    )


def render(placed: Placed, seed: int, size: int = SIZE) -> dict[str, np.ndarray]:
    """The sample's pictures of ``size`` pixels, exactly as the training cache holds them."""
    file = BytesIO()
    np.savez(file, **make_sample(placed, np.random.default_rng(seed), size))
    file.seek(0)
    return load_sample(file)


def light_picture(
    sample: dict[str, np.ndarray], albedo: np.ndarray, environments: tuple[Environment, ...], seed: int
) -> tuple[np.ndarray, np.ndarray, Light]:
    """Input (4, S, S), shaded colour (S, S, 3) sRGB-encoded without background and effects, and the light."""
    rng = np.random.default_rng([4, seed])
    environment, turn = environments[rng.integers(len(environments))], rng.random()
    light = random_light(environment, turn, rng)
    hit = sample["hit"]
    lit = shade(light, *lit_pixels(sample))
    exposure = float(MEAN_SHADING / np.maximum(lit, LEAST_SHADING).mean())
    light, lit = light.times(exposure), np.maximum(lit * exposure, LEAST_SHADING)
    shading = np.full((*hit.shape, 3), lit.mean(0))  # of pixels at the edge, too, whose centre misses the person
    shading[hit] = lit
    shaded = linear_to_srgb(srgb_to_linear(albedo) * shading).astype(np.float32)
    alpha = sample["alpha"].astype(np.float32)[..., None] / 255
    behind = random_background(environment.picture, turn, exposure, rng, len(alpha))
    picture = photo_effects((shaded * alpha + behind * (1 - alpha)).astype(np.float32), rng)
    return np.concatenate([picture, alpha], -1).transpose(2, 0, 1).astype(np.float32), shaded, light


def opaque_faces(subject: Subject) -> np.ndarray:
    """(F,) bool: faces of which at least half is not cut out by their texture's alpha (hair cards)."""
    solid = np.zeros(len(subject.faces), int)
    for weights in CARD_PROBES / CARD_PROBES.sum(1, keepdims=True):
        uv = np.einsum("k,fkd->fd", weights, subject.uv[subject.face_uv]) % 1.0
        for k, texture in enumerate(subject.textures):
            mine = np.flatnonzero(subject.material == k)
            height, width = texture.shape[:2]
            row = np.minimum(((1 - uv[mine, 1]) * height).astype(int), height - 1)
            column = np.minimum((uv[mine, 0] * width).astype(int), width - 1)
            solid[mine] += texture[row, column, 3] >= ALPHA_CUT
    return solid * 2 >= len(CARD_PROBES)


def fingerprint(*parts: np.ndarray | str) -> str:
    """Twelve digits that change when a picture (0..1) does by more than rounding, or one of several fingerprints."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else np.round(part * 32).astype(np.uint8).tobytes())
    return digest.hexdigest()[:12]
