"""Pictures for training the person detector: lit people, one to several or none, over backgrounds and clutter.

Every picture is made on the fly. People are samples of :mod:`training.cache`; what lies behind and in front of them is
cut from environment maps, taken from a few free pictures that scikit-image carries, or drawn. Clutter borrows skin and
cloth from other people's pictures, so that only shape and structure tell a person from a thing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import get_worker_info

from phorhum_blender.engine.colour import linear_to_srgb, srgb_to_linear
from training.dataset import LARGEST_LAMP
from training.light import (
    ENVIRONMENT_SUFFIXES,
    Light,
    disc_lamp,
    even_sky,
    load_environments,
    shade,
)

RELOADED = 400  # scenes after which the folder of samples, which may grow, is read again
HELD_OUT_EVERY = 20  # every n-th person of the cache is for validation only
LEAST_VISIBLE = 0.15  # a person of whom less is seen (behind others, beyond the frame) is no label
LEAST_SIDE = 6  # pixels of a label's box
WITH_PEOPLE = ("city", "potsdamer")  # environment maps (one place) that show passers-by, whom nobody has labelled
HIDDEN_SHARE = 0.3  # of the people: how many stand before something of their own colours

_LINEAR = srgb_to_linear(np.arange(256, dtype=np.float32) / 255).astype(np.float32)
_SRGB = (linear_to_srgb(np.arange(1024, dtype=np.float32) / 1023) * 255).astype(np.float32)


@dataclass(frozen=True)
class Scene:
    """``image``: (S, S, 3) uint8 sRGB. ``instances``: (S, S) uint8, 0 = nobody, k = person k as far as seen.
    ``whole``: (N, S, S) bool, persons 1..N as they would be seen if nobody and nothing hid them."""

    image: np.ndarray
    instances: np.ndarray
    whole: np.ndarray

    def boxes(self) -> np.ndarray:
        """(N, 4) float32 x0 y0 x1 y1 in pixels of persons 1..N."""
        boxes = []
        for k in range(1, int(self.instances.max()) + 1):
            rows, columns = np.nonzero(self.instances == k)
            boxes.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        return np.array(boxes, np.float32).reshape(-1, 4)


def environment_names(assets: Path) -> list[str]:
    """In the order of :func:`load_environments`."""
    return [p.name for p in sorted((assets / "hdri").iterdir()) if p.suffix in ENVIRONMENT_SUFFIXES]


def cutout_paths(cache: Path, held_out: bool) -> list[Path]:
    """The samples of a cache folder that training may see, or those that it may not."""
    paths = sorted(cache.glob("*_*.npz"))
    return [p for p in paths if (int(p.stem.split("_")[0]) % HELD_OUT_EVERY == 0) == held_out]


def _load_cutout(path: Path, light: Light) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """albedo (h, w, 3) uint8 sRGB, alpha (h, w) float32 0..1, shading (h, w, 3) float32, cut to the person."""
    with np.load(path) as data:
        pixel, alpha, albedo, hit = (data[key] for key in ("pixel", "alpha", "albedo", "hit"))
        size = int(data["size"])
        shading = shade(light, data["normal"].astype(np.float32) / 127, data["visible"], data["directions"])
    shading[~hit] = shading[hit].mean(0)  # pixels at the edge whose centre misses the person
    rows, columns = np.divmod(pixel[alpha > 0], size)
    origin, shape = (rows.min(), columns.min()), (np.ptp(rows) + 1, np.ptp(columns) + 1)

    def picture(values: np.ndarray) -> np.ndarray:
        laid = np.zeros((*shape, *values.shape[1:]), values.dtype)
        laid[rows - origin[0], columns - origin[1]] = values[alpha > 0]
        return laid

    return picture(albedo), picture(alpha.astype(np.float32) / 255), picture(shading)


def _in_other_colours(rng: np.random.Generator, albedo: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: now and then other colours, now and then a pattern all over; people wear more than we have."""
    if rng.random() < 0.15:
        albedo = albedo[..., rng.permutation(3)]
    if rng.random() < 0.2:
        pattern = _noise_texture(rng, max(albedo.shape))[: albedo.shape[0], : albedo.shape[1]]
        share = np.float32(rng.uniform(0.15, 0.6))
        albedo = (albedo * (1 - share) + pattern * share).astype(np.uint8)
    return albedo


class SceneStream:
    """Endless scenes, each seen ``1 / (1 - replayed)`` times on average: mirrored and in other tones the next time."""

    def __init__(self, maker: SceneMaker, replayed: float = 0.65, kept: int = 500):
        self.maker, self.replayed, self.kept = maker, replayed, kept
        self.past: list[Scene] = []

    def next(self, size: int) -> Scene:
        rng = self.maker.rng
        self.past = [s for s in self.past if s.image.shape[0] == size]
        if len(self.past) < 50 or rng.random() > self.replayed:
            scene = self.maker.scene(size)
            self.past = [*self.past[1 - self.kept :], scene]
            return scene
        scene = self.past[rng.integers(len(self.past))]
        gain, gamma = 1 + rng.normal(0, 0.08, 3), np.exp(rng.normal(0, 0.2))
        tones = ((np.arange(256)[:, None] / 255) ** gamma * gain * 255).clip(0, 255).astype(np.uint8)
        image = tones[scene.image, np.arange(3)]
        step = int(rng.choice([1, -1]))
        return Scene(
            *(np.ascontiguousarray(x) for x in (image[:, ::step], scene.instances[:, ::step], scene.whole[..., ::step]))
        )


def endless_scenes(
    cache: Path, assets: Path, size: int, seed: int, held_out: bool = False
) -> Iterator[tuple[Scene, np.random.Generator]]:
    """Endless scenes, other ones in each loading worker, and the random numbers that they are made with.

    New samples in ``cache`` are taken up as they come.
    """
    worker = get_worker_info()
    maker = SceneMaker(cutout_paths(cache, held_out), assets, seed + (worker.id if worker else 0))
    stream = SceneStream(maker)
    for count in itertools.count(1):
        yield stream.next(size), maker.rng
        if count % RELOADED == 0:
            maker.paths = cutout_paths(cache, held_out)


class SceneMaker:
    """Makes scenes from the people at ``paths`` and the environment maps of ``assets``."""

    def __init__(self, paths: list[Path], assets: Path, seed: int):
        self.paths = paths
        self.environments = load_environments(assets)
        self.empty_environments = [
            e
            for e, name in zip(self.environments, environment_names(assets), strict=True)
            if not name.startswith(WITH_PEOPLE)
        ]
        self.seen: list[tuple[np.ndarray, np.ndarray]] = []  # the last people made, for their clothes
        self.rng = np.random.default_rng(seed)

    def scene(self, size: int) -> Scene:
        rng = self.rng
        image = self._background(size).astype(np.float32)
        instances = np.zeros((size, size), np.uint8)
        full_area: list[float] = []
        whole: list[np.ndarray] = []
        for _ in range(int(rng.integers(0, 9)) if rng.random() < 0.7 else 0):
            self._add_thing(image, instances)
        count = int(rng.choice(6, p=[0.1, 0.5, 0.18, 0.1, 0.07, 0.05]))
        light = self._light()
        for _ in range(count):
            area, cover = self._add_person(image, instances, len(whole) + 1, light, alone=count == 1)
            full_area.append(area)
            whole.append(cover)
        if rng.random() < 0.35:
            for _ in range(int(rng.integers(1, 4))):
                self._add_thing(image, instances, in_front=True)
        picture = _photo_effects(rng, image)
        if rng.random() < 0.25:
            _pad(rng, picture, instances)
        labels, kept = _renumbered(instances, full_area)
        return Scene(picture, labels, np.array([whole[k] for k in kept], bool).reshape(-1, size, size))

    def around(self, rgb: np.ndarray, alpha: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Somebody else's cut-out (h, w, 3) and (h, w) uint8, cut to the person, in drawn surroundings: picture (S, S,
        3) uint8 sRGB and the person's cover (S, S) float32. Things and, at times, a person stand behind."""
        rng = self.rng
        image = self._background(size)
        instances = np.zeros((size, size), np.uint8)
        for _ in range(int(rng.integers(0, 9))):
            self._add_thing(image, instances)
        if rng.random() < 0.4:
            self._add_person(image, instances, 1, self._light(), alone=False)
        scale = size * rng.uniform(0.5, 0.85) / max(alpha.shape)
        height, width = (max(1, round(n * scale)) for n in alpha.shape)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        top, left = (size - height) // 2, int((size - width) * rng.uniform(0.2, 0.8))
        cover = np.zeros((size, size), np.float32)
        cover[top : top + height, left : left + width] = cv2.resize(alpha, (width, height), interpolation=way) / 255
        person = np.zeros((size, size, 3), np.float32)
        person[top : top + height, left : left + width] = cv2.resize(rgb, (width, height), interpolation=way)
        _blend(image, person * np.float32(np.exp(rng.normal(0, 0.15))), cover)
        grain = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, 8))
        return np.round(image + grain).clip(0, 255).astype(np.uint8), cover

    # People

    def person(self, light: Light) -> tuple[np.ndarray, np.ndarray]:
        """(h, w, 3) float32 sRGB 0..255 under ``light``, and (h, w) float32 alpha 0..1, cut to the person."""
        albedo, alpha, shading = _load_cutout(self.paths[self.rng.integers(len(self.paths))], light)
        albedo = _in_other_colours(self.rng, albedo)
        shading = np.maximum(shading, 0.02) * np.float32(np.exp(self.rng.normal(0, 0.35)))
        rgb = _SRGB[np.minimum(_LINEAR[albedo] * shading * 1023, 1023).astype(np.int32)]
        self.seen = [*self.seen[-31:], (rgb, alpha)]
        return rgb, alpha

    def _light(self) -> Light:
        """Light under which a surface that faces the camera has a shading of about one."""
        rng = self.rng
        if rng.random() < 0.5:
            environment = self.environments[rng.integers(len(self.environments))]
            light = environment.light.turned(rng.random()).even().times(4)  # as bright as an even sky of radiance 1
        else:
            direction = rng.normal(size=3) + [0, 0.7, 0.7]
            key = disc_lamp(direction, rng.uniform(0, LARGEST_LAMP)).times(1 + rng.normal(0, 0.1, 3))
            sky = even_sky().times(rng.uniform(0.25, 0.7) * (1 + rng.normal(0, 0.08, 3)))
            light = key.times(rng.uniform(0.1, 1.0)) + sky
        grey = light.colour.mean(1, keepdims=True)
        return Light(light.direction, grey + (light.colour - grey) * np.float32(rng.uniform(0.2, 1.0)))

    def _add_person(
        self, image: np.ndarray, instances: np.ndarray, number: int, light: Light, alone: bool
    ) -> tuple[float, np.ndarray]:
        """Pastes a person; the result is the area in pixels that it would have if all of it were seen, and where in the
        picture it is (S, S) bool."""
        rng, size = self.rng, image.shape[0]
        rgb, alpha = self.person(light)
        if rng.random() < 0.5:
            rgb, alpha = rgb[:, ::-1], alpha[:, ::-1]
        if rng.random() < 0.12:  # half-length and portrait
            keep = int(rgb.shape[0] * rng.uniform(0.3, 0.75))
            rgb, alpha = rgb[:keep], alpha[:keep]
            bottom_at_frame = True
        else:
            bottom_at_frame = False
        low, high = (0.35, 1.05) if alone and rng.random() < 0.75 else (0.12, 0.9)
        height = size * np.exp(rng.uniform(np.log(low), np.log(high)))
        if rng.random() < 0.06:
            height *= 1.6
        scale = height / max(rgb.shape[0], 0.6 * rgb.shape[1])
        angle = rng.normal(0, 4) if rng.random() < 0.9 else rng.uniform(-90, 90)
        turn = cv2.getRotationMatrix2D((rgb.shape[1] / 2, rgb.shape[0] / 2), angle, scale)
        # now and then much wider: outstretched arms and lunges are rare among the poses
        turn[0] *= np.exp(rng.normal(0, 0.06) if rng.random() < 0.88 else rng.uniform(-0.2, 0.6))
        x = rng.normal(0.5, 0.12 if alone else 0.27) * size
        y = (rng.normal(0.5, 0.07) if height > 0.6 * size else rng.uniform(0.3, 0.75)) * size
        if bottom_at_frame:
            y = size - height / 2 + rng.uniform(0, 0.1) * size
            turn = cv2.getRotationMatrix2D((rgb.shape[1] / 2, rgb.shape[0] / 2), 0, scale)
        turn[:, 2] += np.array([x, y]) - turn @ [rgb.shape[1] / 2, rgb.shape[0] / 2, 1]
        if scale < 0.7:  # warping alone would alias
            blur = 0.4 / scale
            rgb, alpha = (
                cv2.GaussianBlur(rgb, (0, 0), blur),
                cv2.GaussianBlur(np.ascontiguousarray(alpha), (0, 0), blur),
            )
        flags = cv2.INTER_LINEAR if rng.random() < 0.6 else cv2.INTER_CUBIC
        area = float((alpha > 0.5).sum()) * abs(np.linalg.det(turn[:, :2]))
        rgb = cv2.warpAffine(
            np.ascontiguousarray(rgb), turn, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        cover = cv2.warpAffine(np.ascontiguousarray(alpha), turn, (size, size), flags=cv2.INTER_LINEAR)
        if rng.random() < 0.4 and not bottom_at_frame:
            _shadow(rng, image, cover)
        if rng.random() < 0.4:
            cover = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.3, 1.0))
        if rng.random() < HIDDEN_SHARE:
            _hide(rng, image, rgb, cover)
        tint = 1 + rng.normal(0, 0.05, 3)
        _blend(image, rgb * tint, cover)
        instances[cover > 0.5] = number
        return area, cover > 0.5

    # What is not a person

    def _background(self, size: int) -> np.ndarray:
        """(S, S, 3) float32 0..255."""
        rng = self.rng
        pick = rng.random()
        if pick < 0.38:
            picture = self._surroundings(size)
        elif pick < 0.5:
            picture = self._free_picture(size)
        elif pick < 0.7:
            picture = _studio(rng, size)
        elif pick < 0.85:
            picture = _noise_texture(rng, size)
        else:
            picture = _blocks(rng, size)
        if rng.random() < 0.25:
            other = self._surroundings(size) if rng.random() < 0.5 else _noise_texture(rng, size)
            horizon = int(size * rng.uniform(0.4, 0.9))
            picture[horizon:] = 0.15 * picture[horizon:] + 0.85 * other[horizon:]
        if rng.random() < 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), np.exp(rng.uniform(np.log(0.6), np.log(6))))
        return np.ascontiguousarray(picture, np.float32)

    def _surroundings(self, size: int) -> np.ndarray:
        """A lens's view into an environment map."""
        rng = self.rng
        environment = self.empty_environments[rng.integers(len(self.empty_environments))].picture
        half = np.tan(np.radians(rng.uniform(25, 100)) / 2)
        grid = (np.arange(size) + 0.5) / size * 2 - 1
        x, y = np.meshgrid(grid * half, -grid * half)
        pitch, yaw = np.radians(rng.normal(0, 12)), rng.uniform(0, 2 * np.pi)
        up = y * np.cos(pitch) + np.sin(pitch)
        ahead = np.cos(pitch) - y * np.sin(pitch)
        column = (np.arctan2(x, ahead) + yaw) / (2 * np.pi) % 1.0 * environment.shape[1]
        row = (0.5 - np.arctan2(up, np.hypot(x, ahead)) / np.pi) * environment.shape[0]
        view = cv2.remap(
            environment, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        white = max(np.percentile(view, rng.uniform(75, 99)), 1e-4)
        picture = _SRGB[(view * (1023 / white * rng.uniform(0.5, 1.1))).clip(0, 1023).astype(np.int32)]
        return _sharpened(rng, picture)

    def _free_picture(self, size: int) -> np.ndarray:
        rng = self.rng
        pictures = _free_pictures()
        picture = pictures[rng.integers(len(pictures))]
        side = int(min(picture.shape[:2]) * rng.uniform(0.3, 1.0))
        y, x = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
        part = cv2.resize(picture[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)
        part = np.rot90(part, int(rng.integers(4))) if rng.random() < 0.3 else part[:, :: int(rng.choice([1, -1]))]
        part = part.astype(np.float32)
        if rng.random() < 0.5:
            part = part[..., rng.permutation(3)]
        return part

    def _add_thing(self, image: np.ndarray, instances: np.ndarray, in_front: bool = False) -> None:
        """A shape filled with a colour, a texture or a piece of somebody's clothes and skin; it hides people."""
        rng, size = self.rng, image.shape[0]
        cover = _shape(rng, size, largest=0.35 if in_front else 0.8)
        if in_front and (cover > 0.5).mean() > 0.15:
            return
        pick = rng.random()
        if pick < 0.35:
            fill = np.broadcast_to(_colour(rng), (size, size, 3)).astype(np.float32)
        elif pick < 0.65:
            fill = self._cloth(size)
        elif pick < 0.8:
            fill = _noise_texture(rng, size)
        else:
            fill = self._surroundings(size)
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.linspace(-1, 1, size)
        shade = 1 + rng.uniform(0, 0.5) * (np.cos(angle) * ramp[None] + np.sin(angle) * ramp[:, None])
        _blend(image, fill * shade[..., None].astype(np.float32), cover)
        instances[cover > 0.5] = 0

    def _cloth(self, size: int) -> np.ndarray:
        """A patch of somebody, enlarged beyond recognition and repeated."""
        rng = self.rng
        if not self.seen:
            self.person(self._light())
        rgb, alpha = self.seen[rng.integers(len(self.seen))]
        side = int(rng.integers(12, 40))
        rows, columns = np.nonzero(alpha > 0.9)
        k = rng.integers(len(rows))
        y, x = max(0, rows[k] - side // 2), max(0, columns[k] - side // 2)
        patch = rgb[y : y + side, x : x + side]
        patch = np.where(alpha[y : y + side, x : x + side, None] > 0.9, patch, rgb[rows[k], columns[k]])
        zoom = rng.uniform(1, 4)
        patch = cv2.resize(patch.astype(np.float32), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
        patch = np.concatenate([patch, patch[::-1]])
        patch = np.concatenate([patch, patch[:, ::-1]], 1)
        repeat = [-(-size // n) for n in patch.shape[:2]]
        return np.tile(patch, (*repeat, 1))[:size, :size]


@lru_cache(maxsize=1)
def _free_pictures() -> tuple[np.ndarray, ...]:
    """Pictures without people that scikit-image carries, CC0 or public domain."""
    from skimage import data

    names = ("brick", "grass", "gravel", "chelsea", "coffee", "rocket")
    pictures = [getattr(data, name)() for name in names]
    return tuple(p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in pictures)


def _blend(image: np.ndarray, rgb: np.ndarray, cover: np.ndarray) -> None:
    rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
    if not len(rows):
        return
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    image[window] += (rgb[window].astype(np.float32, copy=False) - image[window]) * cover[window][..., None]


def _colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) sRGB 0..255; often the colour of skin."""
    if rng.random() < 0.25:
        return np.array([225, 175, 145]) * rng.uniform(0.3, 1.1) * (1 + rng.normal(0, 0.06, 3))
    colour = rng.uniform(0, 255, 3)
    grey = colour.mean()
    return grey + (colour - grey) * rng.uniform(0, 1.2)


def _studio(rng: np.random.Generator, size: int) -> np.ndarray:
    """A wall and perhaps a floor, nearly even; white, grey and black are common."""
    base = np.full(3, rng.choice([250.0, 235.0, 200.0, 128.0, 60.0, 8.0])) if rng.random() < 0.6 else _colour(rng)
    picture = np.ones((size, size, 3), np.float32) * base
    ramp = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    picture += (rng.normal(0, 30) * ramp[None] + rng.normal(0, 30) * ramp[:, None])[..., None]
    radius = np.hypot(ramp[None] - rng.uniform(-0.3, 0.3), ramp[:, None] - rng.uniform(-0.3, 0.3))
    picture -= (radius * rng.uniform(0, 60))[..., None]
    if rng.random() < 0.4:
        horizon = int(size * rng.uniform(0.5, 0.95))
        picture[horizon:] *= rng.uniform(0.5, 1.15)
        if rng.random() < 0.5:
            picture[horizon:] = 0.5 * picture[horizon:] + 0.5 * _colour(rng)
    return picture.clip(0, 255)


def _noise_texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Noise of several octaves between a few colours, at times stretched: foliage, stone, water, cloth, fur."""
    field = np.zeros((size, size), np.float32)
    stretch = np.exp(rng.normal(0, 0.7))
    slope = rng.uniform(0.3, 1.1)
    for octave in range(1, 8):
        rows, columns = (int(np.clip(2**octave * s, 2, size)) for s in (stretch, 1 / stretch))
        noise = rng.standard_normal((rows, columns), np.float32)
        field += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC) * 2.0 ** (-octave * slope)
    field = (field - field.min()) / (np.ptp(field) + 1e-6)
    if rng.random() < 0.3:
        field = np.sin(field * rng.uniform(6, 40)) * 0.5 + 0.5
    if rng.random() < 0.3:
        field = (field > rng.uniform(0.3, 0.7)).astype(np.float32)
    low, high = _colour(rng), _colour(rng)
    if rng.random() < 0.6:
        high = low * rng.uniform(0.3, 2.0) + rng.normal(0, 12, 3)
    picture = low.astype(np.float32) + (high - low).astype(np.float32) * field[..., None]
    picture += rng.standard_normal((size, size, 1), np.float32) * np.float32(rng.uniform(0, 14))
    return picture.clip(0, 255).astype(np.float32)


def _blocks(rng: np.random.Generator, size: int) -> np.ndarray:
    """Walls, windows, shelves, bricks and letters: straight lines in rows and columns."""
    picture = _studio(rng, size)
    for _ in range(int(rng.integers(1, 5))):
        x0, y0 = rng.integers(-size // 4, size, 2)
        width, height = rng.integers(size // 10, size, 2)
        step_x, step_y = rng.integers(max(3, size // 40), size // 3, 2)
        fill_x, fill_y = rng.uniform(0.3, 0.95, 2)
        colour, spread = _colour(rng), rng.uniform(0, 40)
        for y in range(int(y0), int(min(size, y0 + height)), int(step_y)):
            for x in range(int(x0), int(min(size, x0 + width)), int(step_x)):
                end = int(x + step_x * fill_x), int(y + step_y * fill_y)
                tone = (colour + rng.normal(0, spread)).clip(0, 255)
                cv2.rectangle(picture, (x, y), end, tone.tolist(), -1)
    for _ in range(int(rng.integers(0, 4))):
        text = "".join(rng.choice(list("ABEHKMNRSTXabdeghkmnorsu0345689&"), int(rng.integers(2, 9))))
        place = tuple(int(v) for v in rng.integers(0, size, 2))
        font, scale = int(rng.integers(0, 8)), rng.uniform(0.4, size / 120)
        cv2.putText(picture, text, place, font, scale, _colour(rng).tolist(), int(rng.integers(1, 6)), cv2.LINE_AA)
    return picture


def _shape(rng: np.random.Generator, size: int, largest: float) -> np.ndarray:
    """(S, S) float32 cover of a random thing: box, ellipse, polygon, pole, limb, tree or a rough blob."""
    cover = np.zeros((size, size), np.uint8)
    centre = rng.uniform(-0.05, 1.05, 2) * size
    extent = size * np.exp(rng.uniform(np.log(0.04), np.log(largest), 2)) / 2
    angle = rng.normal(0, 8) if rng.random() < 0.6 else rng.uniform(0, 180)
    kind = rng.integers(7)
    shift = 4  # cv2 draws in sixteenths of a pixel

    def fixed(points: np.ndarray) -> np.ndarray:
        return np.round(np.asarray(points) * 2**shift).astype(np.int32)

    turn = cv2.getRotationMatrix2D((0, 0), angle, 1)[:, :2]
    if kind == 0:
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * extent
        cv2.fillPoly(cover, [fixed(corners @ turn.T + centre)], 255, cv2.LINE_AA, shift)
    elif kind == 1:
        cv2.ellipse(cover, tuple(fixed(centre)), tuple(fixed(extent)), angle, 0, 360, 255, -1, cv2.LINE_AA, shift)
    elif kind == 2:
        theta = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 10))))
        points = np.stack([np.cos(theta), np.sin(theta)], 1) * rng.uniform(0.5, 1, (len(theta), 1)) * extent
        cv2.fillPoly(cover, [fixed(points @ turn.T + centre)], 255, cv2.LINE_AA, shift)
    elif kind == 3:  # pole, rope, horizon line
        direction = turn @ [0, 1] if rng.random() < 0.7 else turn @ [1, 0]
        reach = direction * size * rng.uniform(0.2, 1.5)
        ends = [tuple(int(v) for v in centre + s * reach) for s in (-1, 1)]
        cv2.line(cover, *ends, 255, int(rng.integers(1, max(2, size // 14))), cv2.LINE_AA)
    elif kind == 4:  # a limb, a snake, a hose: like an arm, and nobody's
        points = centre + np.cumsum(rng.normal(0, extent.mean() * 0.5, (int(rng.integers(2, 6)), 2)), 0)
        thickness = int(np.clip(extent.min() * 0.6, 2, size / 6))
        cv2.polylines(cover, [fixed(points)], False, 255, thickness, cv2.LINE_AA, shift)
    elif kind == 5:  # trunk and crown, lamp, bottle, chess man: upright like a person
        width, height = np.sort(extent)
        trunk = np.array([[-0.25, 0], [0.25, 0], [0.3, 2], [-0.3, 2]]) * [width, height]
        cv2.fillPoly(cover, [fixed(trunk + centre - [0, height])], 255, cv2.LINE_AA, shift)
        crown = width * rng.uniform(0.4, 1.0), height * rng.uniform(0.2, 0.7)
        top = centre - [0, height]
        cv2.ellipse(cover, tuple(fixed(top)), tuple(fixed(np.array(crown))), 0, 0, 360, 255, -1, cv2.LINE_AA, shift)
    else:
        theta = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        radius = np.ones(48)
        for wave in range(1, 7):
            radius += rng.normal(0, 0.35 / wave) * np.cos(wave * theta + rng.uniform(0, 2 * np.pi))
        points = np.stack([np.cos(theta), np.sin(theta)], 1) * np.clip(radius, 0.15, 2)[:, None] * extent
        cv2.fillPoly(cover, [fixed(points @ turn.T + centre)], 255, cv2.LINE_AA, shift)
    return cover.astype(np.float32) / 255


def _shadow(rng: np.random.Generator, image: np.ndarray, cover: np.ndarray) -> None:
    """Darkens the floor at the feet, and at times the wall behind."""
    rows, columns = np.nonzero(cover > 0.5)
    if not len(rows):
        return
    width, bottom = np.ptp(columns) + 1, rows.max()
    spot = np.zeros(cover.shape, np.uint8)
    near_floor = columns[rows > bottom - 0.06 * (np.ptp(rows) + 1)]
    axes = int(width * rng.uniform(0.3, 0.8)) + 2, int(width * rng.uniform(0.05, 0.2)) + 1
    cv2.ellipse(spot, (int(near_floor.mean()), int(bottom)), axes, rng.normal(0, 8), 0, 360, 255, -1)
    dark = cv2.GaussianBlur(spot.astype(np.float32) / 255, (0, 0), max(0.8, width * rng.uniform(0.02, 0.12)))
    if rng.random() < 0.25:
        shift = np.float32([[1, 0, rng.normal(0, 0.2) * width], [0, 1, rng.uniform(-0.05, 0.1) * width]])
        wall = cv2.warpAffine(cv2.GaussianBlur(cover, (0, 0), max(1.0, width * 0.06)), shift, cover.shape[::-1])
        dark = np.maximum(dark, wall * 0.6)
    image *= 1 - rng.uniform(0.2, 0.7) * dark[..., None]


def _hide(rng: np.random.Generator, image: np.ndarray, rgb: np.ndarray, cover: np.ndarray) -> None:
    """Gives things behind a person to be pasted into ``image`` (S, S, 3) the colours that the person has there."""
    size = len(image)
    reach = max(1.0, (cover > 0.5).any(1).sum() * rng.uniform(0.05, 0.3))
    near = cv2.GaussianBlur(cover, (0, 0), reach)
    colours = cv2.GaussianBlur(rgb * cover[..., None], (0, 0), reach) / (near[..., None] + 1e-3)
    things = np.max([_shape(rng, size, largest=1.2) for _ in range(int(rng.integers(1, 5)))], axis=0)
    share = things * np.minimum(near * 20, 1) * np.float32(rng.uniform(0.5, 1.0))
    image += (colours * np.float32(np.exp(rng.normal(0, 0.1))) - image) * share[..., None]


def _sharpened(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Enlarged environment maps are soft; fine grain and unsharp masking keep softness from meaning background."""
    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(picture, (0, 0), 2.0)
        picture = picture + (picture - soft) * rng.uniform(0.5, 2.5)
    if rng.random() < 0.5:
        grain = cv2.GaussianBlur(rng.standard_normal((*picture.shape[:2], 1), np.float32), (0, 0), 0.7)
        picture = picture * (1 + grain[..., None] * rng.uniform(0, 0.2))
    return picture.clip(0, 255).astype(np.float32)


def _photo_effects(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8: what lens, sensor and JPEG do."""
    size = image.shape[0]
    tones = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.25))
    picture = tones.astype(np.float32)[image.clip(0, 255).astype(np.uint8)]
    picture = (picture - 0.5) * np.float32(rng.uniform(0.7, 1.25)) + np.float32(0.5 + rng.normal(0, 0.06))
    grey = picture.mean(2, keepdims=True)
    saturation = 0.0 if rng.random() < 0.06 else rng.uniform(0.5, 1.4)
    picture = (grey + (picture - grey) * np.float32(saturation)) * (1 + rng.normal(0, 0.06, 3)).astype(np.float32)
    pick = rng.random()
    if pick < 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.5))
    elif pick < 0.4:
        small = int(size * rng.uniform(0.4, 0.9))
        picture = cv2.resize(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), (size, size))
    elif pick < 0.6:
        picture = picture + (picture - cv2.GaussianBlur(picture, (0, 0), 1.2)) * rng.uniform(0.2, 1.2)
    if rng.random() < 0.5:
        strongest = 0.06 if rng.random() < 0.8 else 0.2
        picture = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(0.005, strongest))
    result = np.round(picture * 255).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        _, data = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))])
        result = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return result


def _pad(rng: np.random.Generator, picture: np.ndarray, instances: np.ndarray) -> None:
    """Grey bars, as around a photo that is not square or a crop that reaches beyond it."""
    size = picture.shape[0]
    bar = int(rng.uniform(0.02, 0.22) * size)
    sides = [np.s_[:bar], np.s_[size - bar :], np.s_[:, :bar], np.s_[:, size - bar :]]
    first = int(rng.integers(4))
    for k in {first, first ^ 1} if rng.random() < 0.6 else {first}:
        picture[sides[k]], instances[sides[k]] = 114, 0


def _renumbered(instances: np.ndarray, full_area: list[float]) -> tuple[np.ndarray, list[int]]:
    """Persons 1..N without gaps, and who they were, from 0; those of whom too little is seen are no labels."""
    result = np.zeros_like(instances)
    kept: list[int] = []
    for k in range(1, int(instances.max()) + 1):
        seen = instances == k
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        if not len(rows) or min(np.ptp(rows), np.ptp(columns)) + 1 < LEAST_SIDE:
            continue
        if seen.sum() < LEAST_VISIBLE * full_area[k - 1]:
            continue
        kept.append(k - 1)
        result[seen] = len(kept)
    return result, kept
