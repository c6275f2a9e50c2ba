"""Turns samples into photos: light, background, photo effects, the detector's mask; and the targets beside them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch.utils.data import IterableDataset

from phorhum_blender.engine.camera import view_code
from phorhum_blender.engine.colour import linear_to_srgb, srgb_to_linear
from phorhum_blender.engine.skeleton import MIRRORED_BONES, MIRRORED_JOINTS
from training.backgrounds import photo_background
from training.cache import BOX_POINTS, NEAR_POINTS, PICTURES, RAY_POINTS, gather, lay_out, load_sample, sample_arrays
from training.light import Environment, Light, disc_lamp, even_sky, lit_pixels, load_environments, shade

NEAR_TRUNCATION = 0.1  # crop units: signed distances are learned exactly up to here
KEPT_SIZE = 128  # pixels: samples up to this size (0.2 MB each) stay in memory
LEAST_SHADING = 0.01
LARGEST_LAMP = 40  # degrees: radius of drawn lamps, from a point to a wide window
POINTS, SURFACE, SHADED = 1500, 400, 256  # points a picture in one step
SPHERE = 64  # normals all around at which the light itself is learned
OFF_SURFACE = 0.01  # crop units: standard deviation of points beside the surface whose albedo is learned
PATCH = (32, 16)  # rows and columns of the rendered patch, pixels of the maps: 512 rays
KNOWN_SHARE = 0.5  # see Choices.told
PITCH_NOISE = 1.0  # degrees: standard deviation of the error of a pitch that is told
STRANGER_SHARE = 0.12  # see Choices.strangers
UNKNOWN_SHARE, GOOD_SHARE = 0.03, 0.57  # of the masks that are not known, and that are right; the others are coarse
PIECE_SHARE = 0.3  # of the coarse masks that take in a piece of the background; twice as many where somebody is there
BAR_SHARE = 0.1  # of the pictures with something thin before the person: a bar, a strap, a branch
ENLARGED_SHARE, LEAST_PIXELS = 0.6, 32  # see Choices.enlarged: of the pictures; pixels a side that they are made of
OWN_PHOTO_SHARE = 0.5  # of the pictures, where the user has given photos as backgrounds
# rows of a sample's points: near the surface, along whole rays, in the whole box
POINT_KINDS = dict(zip(("near", "rays", "box"), np.cumsum([NEAR_POINTS, RAY_POINTS, BOX_POINTS]).tolist(), strict=True))
MASKS = ("detected", "true", "unknown")


@dataclass(frozen=True)
class Choices:
    """How photos are made, where runs of training may differ."""

    backgrounds: Path | None = None  # folder of the user's own photos
    points: tuple[str, ...] = tuple(POINT_KINDS)  # kinds of points that f learns from
    mask: str = "detected"  # of MASKS: as detectors give it, the true one, or never known
    told: float = KNOWN_SHARE  # share of the pictures where G is told the camera's distance, and likewise its pitch
    strangers: float = STRANGER_SHARE  # share of the pictures where somebody else stands behind the person
    enlarged: bool = False  # whether some have fewer pixels than they are shown with: a head is small in most photos
    field: bool = True  # whether f learns, too, from the samples that have what it learns from


USUAL = Choices()


class Photos(IterableDataset):
    """Endless randomly lit photos from a folder of samples; new samples are taken up as they come.

    Photo i is the same for the same seed, samples and global batch, whatever the number of loading workers. Of several
    processes that train together, number ``rank`` of ``world`` makes its part of each global batch of ``world * batch``
    photos, all of which teach f, or none does.
    """

    def __init__(
        self,
        cache: Path,
        assets: Path,
        size: int,
        seed: int = 0,
        augment: bool = True,
        first: int = 0,
        batch: int = 1,
        rank: int = 0,
        world: int = 1,
        choices: Choices = USUAL,
    ):
        self.choices = choices
        self.cache, self.assets, self.size, self.seed, self.augment = cache, assets, size, seed, augment
        self.first, self.batch, self.rank, self.world = first, batch, rank, world
        self.kept: dict[Path, dict] = {}
        self.teaching: dict[Path, bool] = {}

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        environments = load_environments(self.assets)
        paths: list[Path] = []
        start = 0  # of the epoch
        begun = self.first % (self.world * self.batch)  # an earlier stage may have had batches of another size
        for number in self._numbers():
            if number >= start + len(paths):
                known = sorted(self.cache.glob("*.npz"))
                length = len(self.shuffled(known, np.random.default_rng(0)))
                start = number - (number - begun) % length
                paths = self.shuffled(known, np.random.default_rng([self.seed, start]))
            yield self.photo(self.load(paths[number - start]), environments, np.random.default_rng([self.seed, number]))

    def shuffled(self, paths: list[Path], rng: np.random.Generator) -> list[Path]:
        """An epoch: ``paths`` in random order, but that all of a batch teach f, or none does.

        Those who do not fill a batch are left out this time, or come several times where there are no others.
        """
        group = self.world * self.batch
        teaching = [self.teaches_field(path) for path in paths]
        order = rng.permutation(len(paths))
        batches: list[list[int]] = []
        for field in (False, True):
            mine = [k for k in order if teaching[k] == field]
            if mine:
                batches += np.resize(mine, (max(len(mine) // group, 1), group)).tolist()
        return [paths[k] for number in rng.permutation(len(batches)) for k in batches[number]]

    def teaches_field(self, path: Path) -> bool:
        """Whether f learns from a sample."""
        if path not in self.teaching:
            self.teaching[path] = self.choices.field and "points" in sample_arrays(path)
        return self.teaching[path]

    def _numbers(self) -> Iterator[int]:
        """The numbers of the photos that this loading worker makes."""
        info = torch.utils.data.get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        for step in itertools.count(worker, workers):
            begin = self.first + (step * self.world + self.rank) * self.batch
            yield from range(begin, begin + self.batch)

    def load(self, path: Path) -> dict:
        """A sample at the lowest resolution that the photos need; small ones are kept in memory."""
        if path in self.kept:
            return lay_out(self.kept[path])
        sample = load_sample(path, self.choices.field)
        while self.size <= sample["hit"].shape[0] // 2:
            sample = halve(sample)
        if len(sample["hit"]) <= KEPT_SIZE:
            self.kept[path] = gather(sample)
        return sample

    def photo(self, sample: dict, environments: tuple, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        if self.augment and rng.random() < 0.5:
            sample = mirror(sample)
        return make_photo(sample, environments, rng, self.size, self.choices)


def mirror(sample: dict) -> dict:
    """The sample with left and right exchanged."""
    out = {key: values[:, ::-1].copy() if key in PICTURES else values.copy() for key, values in sample.items()}
    for key in ("normal", "normal_back", "points", "surface", "surface_normal", "joints", "directions"):
        if key in out:
            np.negative(out[key][..., 0], out=out[key][..., 0])
    out["part"] = np.array(MIRRORED_BONES, np.uint8)[out["part"]]
    out["joints"] = out["joints"][list(MIRRORED_JOINTS)]
    return out


def halve(sample: dict) -> dict:
    """The sample at half its resolution, for small photos: colour and cover averaged, the rest of every other pixel."""
    out = dict(sample)
    for key in PICTURES:
        out[key] = sample[key][1::2, 1::2]
    half = out["hit"].shape[::-1]
    alpha = sample["alpha"].astype(np.float32)
    cover = cv2.resize(alpha, half, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(sample["albedo"] * alpha[..., None], half, interpolation=cv2.INTER_AREA)
    out["alpha"] = cover.round().astype(np.uint8)
    mean = np.where(cover[..., None] > 0, colour / np.maximum(cover, 1)[..., None], out["albedo"])
    out["albedo"] = mean.round().astype(np.uint8)
    out["size"] = np.array(half[0])
    return out


def make_photo(
    sample: dict, environments: tuple, rng: np.random.Generator, size: int, choices: Choices = USUAL
) -> dict[str, torch.Tensor]:
    """One photo of ``size`` pixels and its targets.

    image (4, S, S); maps at S/2: weight (1, h, w), mask, front, back, normal, normal_back, and sRGB-encoded
    albedo, albedo_back, shaded (the person without background and photo effects), part (number of a bone);
    points (P, 3), distance (P,); surface (Q, 3) with surface_normal, surface_albedo (sRGB), and off_surface (Q, 3)
    beside it; shaded_normal, shading (K, 3) linear, of what is seen; sphere_normal, sphere_shading (L, 3) linear, of an
    unshadowed surface that faces anywhere; patch (2,): first row and column of the rendered patch; joints (21, 3);
    camera (2,): distance, metres a unit; view (4,): what G is told of the camera; back_albedo () weight of albedo
    that is not seen.
    """
    environment: Environment = environments[rng.integers(len(environments))]
    turn = rng.random()
    light = random_light(environment, turn, rng)
    hit, alpha = sample["hit"], sample["alpha"].astype(np.float32) / 255
    lit = np.flatnonzero(hit)
    normals, *sky = lit_pixels(sample)
    shading = np.maximum(shade(light, normals, *sky), LEAST_SHADING)
    exposure = np.exp(rng.normal(np.log(0.8), 0.3)) / shading.mean()
    gains = np.exp(rng.normal(0, 0.05, 3))
    shading = shading * (exposure * gains).astype(np.float32)

    albedo = sample["albedo"].reshape(-1, 3)
    full = np.zeros((hit.size, 3), np.float32)
    full[lit] = linear_to_srgb(srgb_to_linear(albedo[lit].astype(np.float32) / 255) * shading)
    edge = np.flatnonzero((alpha.reshape(-1) > 0) & ~hit.reshape(-1))  # partly covered pixels without a lit centre
    full[edge] = linear_to_srgb(srgb_to_linear(albedo[edge].astype(np.float32) / 255) * shading.mean(0))
    person = full.reshape(*hit.shape, 3)
    if choices.backgrounds and rng.random() < OWN_PHOTO_SHARE:
        behind = photo_background(choices.backgrounds, rng, hit.shape[0])
    else:
        behind = random_background(environment.picture, turn, exposure, rng, hit.shape[0])
    beside = np.zeros_like(alpha)
    if rng.random() < choices.strangers:
        stranger, cover = somebody_else(person, alpha, rng)
        behind = stranger * cover[..., None] + behind * (1 - cover[..., None])
        beside = cover * (1 - alpha)
    picture = person * alpha[..., None] + behind * (1 - alpha[..., None])
    masks = {"detected": detector_mask(alpha, beside, rng), "true": alpha, "unknown": np.full_like(alpha, 0.5)}
    if rng.random() < BAR_SHARE:
        bar = _bar(alpha, rng)
        picture = rng.random(3) * bar[..., None] + picture * (1 - bar[..., None])
        if rng.random() < 0.5 and masks["detected"].max() > 0.5:  # the engine's masks go on behind it, others don't
            masks["detected"] = np.minimum(masks["detected"], 1 - bar)
    picture = photo_effects(picture, rng)
    mask = masks[choices.mask]
    image = np.concatenate([picture, mask[..., None]], -1).astype(np.float32)
    if size != image.shape[0]:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)

    if choices.enlarged and rng.random() < ENLARGED_SHARE:
        pixels = round(math.exp(rng.uniform(math.log(LEAST_PIXELS), math.log(size))))
        image = cv2.resize(cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA), (size, size))

    out = _map_targets(sample, alpha, person, size // 2)
    out["patch"] = _patch_corner(out["weight"][0], rng)
    out["image"] = image.transpose(2, 0, 1)
    if "points" in sample:
        out |= _field_targets(sample, choices, rng)
    pick = rng.integers(len(lit), size=SHADED)
    out["shaded_normal"], out["shading"] = normals[pick], shading[pick]
    out["sphere_normal"] = _directions(rng, SPHERE)
    # what is seen would be this bright if nothing cast a shadow
    open_sky = np.maximum(light.shading(out["shaded_normal"]), LEAST_SHADING).mean()
    around = np.maximum(light.shading(out["sphere_normal"]), LEAST_SHADING)
    out["sphere_shading"] = around * gains * (out["shading"].mean() / gains.mean() / open_sky)
    out["camera"], out["joints"] = sample["camera"], sample["joints"]
    out["view"] = _what_is_told(sample, choices.told, rng)
    out["back_albedo"] = np.float32(0.3 if str(sample["kind"]) == "rocketbox" else 1.0)
    return {k: torch.from_numpy(np.ascontiguousarray(v, np.float32)) for k, v in out.items()}


def _what_is_told(sample: dict, share: float, rng: np.random.Generator) -> tuple[float, ...]:
    """The camera as a user or the photo's own record tells it, or leaves it open; see :func:`view_code`."""
    distance = float(sample["camera"][0]) if rng.random() < share else None
    pitch = math.radians(rng.normal(sample["pitch"], PITCH_NOISE)) if rng.random() < share else None
    return view_code(distance, pitch)


def _field_targets(sample: dict, choices: Choices, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What f learns from in one step: points, and the surface and beside it."""
    pick = _pick_points(choices.points, rng)
    out = {"points": sample["points"][pick], "distance": sample["distance"][pick]}
    pick = rng.choice(len(sample["surface"]), SURFACE, replace=False)
    out["surface"], out["surface_normal"] = sample["surface"][pick], sample["surface_normal"][pick]
    out["surface_albedo"] = sample["surface_albedo"][pick].astype(np.float32) / 255
    beside = rng.normal(0, OFF_SURFACE, (SURFACE, 1)).astype(np.float32)
    out["off_surface"] = out["surface"] + beside * out["surface_normal"]
    return out


def _pick_points(kinds: tuple[str, ...], rng: np.random.Generator) -> np.ndarray:
    """(POINTS,) different rows of a sample's points, all of the given kinds; some twice where there are fewer."""
    ends = POINT_KINDS.values()
    rows = np.arange(max(ends))
    names = np.repeat(list(POINT_KINDS), np.diff([0, *ends]))
    rows = rows[np.isin(names, kinds)]
    return rng.choice(rows, POINTS, replace=len(rows) < POINTS)


def _directions(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) float32 unit vectors, even over the sphere."""
    directions = rng.normal(size=(count, 3))
    return (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)


def _patch_corner(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(2,) row and column of a patch that lies within the maps, about a pixel of the person."""
    rows, columns = np.nonzero(weight)
    k = rng.integers(len(rows))
    corner = np.array([rows[k], columns[k]]) - np.array(PATCH) // 2
    return np.clip(corner, 0, np.array(weight.shape) - PATCH)


def _map_targets(sample: dict, alpha: np.ndarray, person: np.ndarray, size: int) -> dict[str, np.ndarray]:
    hit = sample["hit"].astype(np.float32)

    def shrink(x: np.ndarray) -> np.ndarray:
        # plane by plane: cv2 shrinks more than four channels by whole factors only
        planes = np.atleast_3d(x).transpose(2, 0, 1)
        small = [cv2.resize(np.ascontiguousarray(p), (size, size), interpolation=cv2.INTER_AREA) for p in planes]
        return np.stack(small, -1).reshape(size, size, *x.shape[2:])

    weight = shrink(hit)
    out = {"weight": (weight > 0.3).astype(np.float32)[None], "mask": shrink(alpha)[None]}
    stacked = np.concatenate(
        [
            sample["front"][..., None].astype(np.float32),
            sample["back"][..., None].astype(np.float32),
            sample["normal"].astype(np.float32) / 127,
            sample["normal_back"].astype(np.float32) / 127,
            sample["albedo"].astype(np.float32) / 255,
            sample["albedo_back"].astype(np.float32) / 255,
            person,
        ],
        -1,
    )
    mean = (shrink(stacked * hit[..., None]) / np.maximum(weight, 1e-3)[..., None]).transpose(2, 0, 1)
    names = ("front", "back", "normal", "normal_back", "albedo", "albedo_back", "shaded")
    bounds = (0, 1, 2, 5, 8, 11, 14, 17)
    for name, start, end in zip(names, bounds, bounds[1:], strict=False):
        out[name] = mean[start:end]
    out["part"] = cv2.resize(sample["part"], (size, size), interpolation=cv2.INTER_NEAREST)[None]
    return out


def random_light(environment: Environment, turn: float, rng: np.random.Generator) -> Light:
    """The light of an environment map, or of drawn lamps in an even sky, or both; tinted. Of any brightness."""
    drawn = even_sky().times(rng.uniform(0.2, 1.2) * np.exp(rng.normal(0, 0.08, 3)))
    for _ in range(rng.integers(1, 4)):
        direction = rng.normal(size=3) * [1, 0.7, 1] + [0, 0.5, 0.4]
        colour = np.exp(rng.normal(0, 0.12, 3)) * np.exp(rng.normal(0, 0.5))
        drawn += disc_lamp(direction, rng.uniform(0, LARGEST_LAMP)).times(colour)
    kind = rng.random()
    mix = 1.0 if kind < 0.5 else 0.0 if kind < 0.75 else rng.uniform(0.2, 0.8)
    light = environment.light.turned(turn).even().times(mix) + drawn.even().times(1 - mix)
    return light.times(np.exp(rng.normal(0, 0.06, 3)))


def random_background(
    environment: np.ndarray, turn: float, exposure: float, rng: np.random.Generator, size: int
) -> np.ndarray:
    """(size, size, 3) sRGB-encoded: the environment through a lens, a plain or graded studio colour, or clutter."""
    kind = rng.random()
    if kind < 0.5:
        return _environment_view(environment, turn, rng, size)
    if kind < 0.75:
        top, bottom = rng.random((2, 3)) * 0.3 + rng.random((2, 1)) * 0.7
        ramp = np.linspace(0, 1, size)[:, None, None] * rng.random()
        return np.clip(np.broadcast_to(top * (1 - ramp) + bottom * ramp, (size, size, 3)), 0, 1).astype(np.float32)
    return clutter(rng, size)


def _environment_view(environment: np.ndarray, turn: float, rng: np.random.Generator, size: int) -> np.ndarray:
    rows, columns = environment.shape[:2]
    side = int(rows * rng.uniform(0.12, 0.5))
    top = int(np.clip(rows * rng.normal(0.52, 0.08) - side / 2, 0, rows - side))
    left = int(columns / 2 - side / 2 + rng.normal(0, columns * 0.05))
    rolled = np.take(environment, range(left - int(turn * columns), left - int(turn * columns) + side), 1, mode="wrap")
    view = rolled[top : top + side]
    view = view * (np.exp(rng.normal(np.log(0.35), 0.5)) / max(float(np.median(view)), 1e-4))
    view = cv2.resize(np.minimum(view, 4).astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return linear_to_srgb(view).astype(np.float32)


def clutter(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) sRGB-encoded: drawn boxes, discs and lines over noise, a little blurred."""
    picture = cv2.resize(rng.random((rng.integers(2, 9), rng.integers(2, 9), 3)).astype(np.float32), (size, size))
    for _ in range(rng.integers(3, 30)):
        colour = tuple(float(c) for c in rng.random(3))
        a, b = (tuple(int(x) for x in rng.integers(-20, size + 20, 2)) for _ in range(2))
        shape = rng.random()
        if shape < 0.45:
            cv2.rectangle(picture, a, b, colour, -1 if rng.random() < 0.7 else int(rng.integers(1, 6)))
        elif shape < 0.75:
            cv2.ellipse(picture, a, tuple(int(x) for x in rng.integers(3, size // 3, 2)), float(rng.uniform(0, 180)),
                        0, 360, colour, -1)  # fmt: skip
        else:
            cv2.line(picture, a, b, colour, int(rng.integers(1, 14)))
    return cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 3)))


def photo_effects(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, resampling, noise and JPEG, each now and then; (S, S, 3) sRGB-encoded 0..1 in and out.

    Strengths are those of a 256-pixel photo; a smaller one was shrunk after them, which lessens blur and noise.
    """
    size = picture.shape[0]
    scale = size / 256
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.3)) * scale)
    if scale == 1 and rng.random() < 0.25:
        small = int(size * rng.uniform(0.4, 0.9))
        picture = cv2.resize(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), (size, size))
    if rng.random() < 0.5:
        noise = rng.standard_normal(picture.shape, dtype=np.float32)
        picture = picture + noise * np.float32(rng.uniform(0.003, 0.04) * scale**0.5)
    picture = np.clip(picture, 0, 1)
    if rng.random() < 0.4 * scale:
        file = BytesIO()
        Image.fromarray((picture * 255).astype(np.uint8)).save(file, "JPEG", quality=int(rng.integers(40, 95)))
        picture = np.asarray(Image.open(file)).astype(np.float32) / 255
    return picture.astype(np.float32)


def somebody_else(person: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colour (S, S, 3) and cover (S, S) of somebody beside the ``person``, which is such a colour under ``alpha``: the
    same one in other colours, larger or smaller, now and then mirrored."""
    size = len(alpha)
    step = int(rng.choice([1, -1]))
    colour = person[:, ::step][..., rng.permutation(3)] ** np.float32(rng.uniform(0.6, 1.6))
    scale, aside = rng.uniform(0.8, 1.15), rng.choice([-1, 1]) * rng.uniform(0.12, 0.45) * size
    middle = size / 2 * (1 - scale)
    move = np.array([[scale, 0, middle + aside], [0, scale, middle + rng.normal(0, 0.05) * size]])
    moved = cv2.warpAffine(np.dstack([colour, alpha[:, ::step]]), move, (size, size))
    return moved[..., :3], moved[..., 3]


def _bar(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, S) float32 cover of a straight thin thing that crosses the person, whose cover is ``alpha``."""
    size = len(alpha)
    rows, columns = np.nonzero(alpha > 0.5)
    k, angle = rng.integers(len(rows)), rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * size * rng.uniform(0.1, 1.5)
    middle = np.array([columns[k], rows[k]])
    ends = [tuple(int(v) for v in middle + side * reach) for side in (-1, 1)]
    cover = np.zeros((size, size), np.uint8)
    cv2.line(cover, *ends, 255, int(rng.integers(1, max(2, size // 24))), cv2.LINE_AA)
    return cover.astype(np.float32) / 255


def detector_mask(alpha: np.ndarray, beside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mask as detectors give it: good, coarse, bitten into, with a piece of what is ``beside`` the person (cover of
    somebody else) or of the background, or (0.5 everywhere) not known."""
    kind = rng.random()
    if kind < UNKNOWN_SHARE:
        return np.full_like(alpha, 0.5)
    if kind < UNKNOWN_SHARE + GOOD_SHARE:
        return alpha
    size = alpha.shape[0]
    small = int(size * rng.uniform(0.2, 0.7))
    mask = cv2.resize(cv2.resize(alpha, (small, small), interpolation=cv2.INTER_AREA), (size, size))
    mask = np.clip((mask - rng.uniform(0.3, 0.7)) * rng.uniform(2, 12) + 0.5, 0, 1)
    if rng.random() < PIECE_SHARE * (2 if beside.any() else 1):
        mask = np.maximum(mask, _piece_too_much(alpha, beside, rng))
    for _ in range(rng.integers(0, 4)):
        at = tuple(int(x) for x in rng.integers(0, size, 2))
        axes = tuple(int(x) for x in rng.integers(1, size // 18, 2))
        cv2.ellipse(mask, at, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.random() < 0.3), -1)
    return mask.astype(np.float32)


def _piece_too_much(alpha: np.ndarray, beside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, S) of somebody else what is near the person; without anybody, an oblong piece of the background there."""
    size = len(alpha)
    near = cv2.blur(alpha, (2 * int(size * rng.uniform(0.02, 0.12)) + 1,) * 2) > 0
    if beside[near].max(initial=0) > 0.5:
        return beside * near
    rows, columns = np.nonzero(near & (alpha < 0.5))
    piece = np.zeros_like(alpha)
    if len(rows):
        k = rng.integers(len(rows))
        axes = int(size * rng.uniform(0.02, 0.06)), int(size * rng.uniform(0.04, 0.25))
        cv2.ellipse(piece, (int(columns[k]), int(rows[k])), axes, float(rng.normal(0, 20)), 0, 360, 1.0, -1)
    return piece
