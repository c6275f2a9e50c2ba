"""Light of training pictures: environment maps and drawn lamps, and how they shade people who shadow themselves.

Axes: x right, y up, z towards the camera. Colours are linear.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # read by cv2 when it is imported
import cv2  # noqa: E402

from training.render import sphere_directions  # noqa: E402

ENVIRONMENT_SIZE = (384, 768)  # rows, columns of the kept maps
ENVIRONMENT_SUFFIXES = (".hdr", ".exr")
MAP_LAMPS = (32, 64)  # rows, columns of the lamps that an environment map becomes
DISC_LAMPS, SKY_LAMPS = 32, 256  # lamps that make up a drawn lamp and an even sky
WIDE = 40.0  # degrees: how far from its middle the brightest place of a light reaches
SHADED_AT_ONCE = 1024  # pixels: their products stay in the processor's cache


@dataclass(frozen=True)
class Light:
    """Lamps that are infinitely far away."""

    direction: np.ndarray  # (L, 3) float32 unit vectors towards the lamps
    colour: np.ndarray  # (L, 3) float32: shading of a surface that faces the lamp, its irradiance over pi

    def __add__(self, other: Light) -> Light:
        return Light(np.concatenate([self.direction, other.direction]), np.concatenate([self.colour, other.colour]))

    def times(self, gain: float | np.ndarray) -> Light:
        """The light brighter by ``gain``, a number or one for each colour (3,)."""
        return Light(self.direction, self.colour * np.float32(gain))

    def turned(self, turn: float) -> Light:
        """The light turned to the right about the vertical by ``turn`` in 0..1."""
        sine, cosine = np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)
        about = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]], np.float32)
        return Light(self.direction @ about.T, self.colour)

    def even(self) -> Light:
        """The light at such a brightness that its lamps add up to a colour of mean one."""
        return self.times(1 / max(float(self.colour.sum(0).mean()), 1e-6))

    def shading(self, normals: np.ndarray) -> np.ndarray:
        """Shading (N, 3) of surfaces with unit ``normals`` (N, 3) that nothing shadows: an even sky of radiance 1 gives
        1."""
        return np.maximum(normals.astype(np.float32) @ self.direction.T, 0) @ self.colour

    def brightest(self) -> np.ndarray:
        """Unit vector (3,) around which most of the light comes from, within :data:`WIDE` degrees, the middle counted
        most."""
        places = sphere_directions(1000)
        nearness = np.maximum(places @ self.direction.T - np.cos(np.radians(WIDE)), 0)
        return places[np.argmax(nearness @ self.colour.mean(1))]

    def vectors(self, axes: np.ndarray) -> np.ndarray:
        """The light gathered about the unit vectors ``axes`` (D, 3): (3 colours, 3, D), each the sum of colour times
        direction of the lamps that are nearest to that axis."""
        nearest = (self.direction @ axes.T.astype(np.float32)).argmax(1)
        each = self.colour[:, :, None] * self.direction[:, None, :]  # (L, 3 colours, 3)
        sums = [np.bincount(nearest, one, len(axes)) for one in each.reshape(-1, 9).T]
        return np.stack(sums).reshape(3, 3, len(axes)).astype(np.float32)


def shade(light: Light, normals: np.ndarray, visible: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Shading (N, 3) of surfaces with unit ``normals`` (N, 3), each of which sees only those of the directions
    ``axes`` (D, 3) with a one in ``visible`` (N, D / 8), bits as of :func:`training.render.visibility`.

    The lamps near an axis shade by the cosine law as one vector, exact where a normal faces all of them (a vector
    irradiance), and are shadowed as one.
    """
    vectors = light.vectors(axes)
    shading = np.empty((len(normals), 3), np.float32)
    for start in range(0, len(normals), SHADED_AT_ONCE):
        block = slice(start, start + SHADED_AT_ONCE)
        seen = np.unpackbits(visible[block], axis=1).astype(np.float32)
        facing = normals[block].astype(np.float32)
        for colour, vector in enumerate(vectors):
            shading[block, colour] = np.einsum("nd,nd->n", np.maximum(facing @ vector, 0), seen)
    return shading


def lit_pixels(sample: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What :func:`shade` needs of the pixels of a sample that show the person: normals (N, 3) float32, what each sees
    (N, D / 8), axes (D, 3). ``sample`` as :func:`training.cache.make_sample` or ``load_sample`` gives it."""
    hit = sample["hit"]
    return sample["normal"][hit].astype(np.float32) / 127, sample["visible"][hit], sample["directions"]


def disc_lamp(direction: np.ndarray, radius: float) -> Light:
    """A round white lamp around ``direction`` (3,) of an angular ``radius`` in degrees; what faces it has a shading of
    about 1."""
    cap = 1 - np.cos(np.radians(max(radius, 1e-3)))
    lattice = sphere_directions(DISC_LAMPS)
    height = 1 - (1 - lattice[:, 2:]) / 2 * cap  # the sphere's heights onto those of the cap, evenly
    around = lattice[:, :2] / np.linalg.norm(lattice[:, :2], axis=1, keepdims=True) * np.sqrt(1 - height**2)
    forward = direction / np.linalg.norm(direction)
    side = np.cross(forward, np.eye(3)[np.abs(forward).argmin()])
    side /= np.linalg.norm(side)
    frame = np.stack([side, np.cross(forward, side), forward])
    on_disc = np.concatenate([around, height], 1) @ frame
    return Light(on_disc.astype(np.float32), np.full((DISC_LAMPS, 3), 1 / DISC_LAMPS, np.float32))


def even_sky() -> Light:
    """White light from all around, of radiance 1."""
    return Light(sphere_directions(SKY_LAMPS).astype(np.float32), np.full((SKY_LAMPS, 3), 4 / SKY_LAMPS, np.float32))


@dataclass(frozen=True)
class Environment:
    """The surroundings of a picture: a lat-long map, and the light that comes from it."""

    picture: np.ndarray  # (H, W, 3) linear float32, row 0 up; the middle column lies behind the person (-z)

    @cached_property
    def light(self) -> Light:
        """The map as lamps, one for each block of texels, where the block's light comes from."""
        direction, solid = latlong_directions(*self.picture.shape[:2])
        colour = self.picture.reshape(-1, 3) * (solid / np.pi)[:, None]
        weight = colour.sum(1, keepdims=True) + 1e-9 * solid[:, None]  # a black block has a place, too
        centre = self._blocks(direction * weight)
        return Light(
            (centre / np.linalg.norm(centre, axis=1, keepdims=True)).astype(np.float32),
            self._blocks(colour).astype(np.float32),
        )

    def _blocks(self, values: np.ndarray) -> np.ndarray:
        """Sums (rows * columns of MAP_LAMPS, 3) of ``values`` of all texels (H * W, 3)."""
        rows, columns = MAP_LAMPS
        height, width = self.picture.shape[:2]
        return values.reshape(rows, height // rows, columns, width // columns, 3).sum((1, 3)).reshape(-1, 3)


@cache
def load_environments(assets: Path) -> tuple[Environment, ...]:
    """All environment maps of ``assets``, of 384 x 768 texels."""
    paths = sorted(path for path in (assets / "hdri").iterdir() if path.suffix in ENVIRONMENT_SUFFIXES)
    return tuple(Environment(read_environment(path)) for path in paths)


def read_environment(path: Path) -> np.ndarray:
    """One environment map (.hdr, .exr) as a linear float32 (384, 768, 3) lat-long picture, row 0 up."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., :3][..., ::-1].astype(np.float32)
    rows, columns = ENVIRONMENT_SIZE
    return np.maximum(cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA), 0)


def latlong_directions(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (rows * columns, 3) of the texels of a lat-long map, and their solid angles (rows * columns,).

    Row 0 is up; columns run to the right, and the middle one looks to -z, away from the camera.
    """
    theta = (np.arange(rows) + 0.5) / rows * np.pi
    phi = ((np.arange(columns) + 0.5) / columns - 0.5) * 2 * np.pi
    t, p = np.meshgrid(theta, phi, indexing="ij")
    direction = np.stack([np.sin(t) * np.sin(p), np.cos(t), -np.sin(t) * np.cos(p)], -1).reshape(-1, 3)
    return direction, (np.sin(t) * (np.pi / rows) * (2 * np.pi / columns)).reshape(-1)
