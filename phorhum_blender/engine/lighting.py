"""From shading as a function of the normal to lights that an artist can move.

Directions and colours are those of :class:`LightRig`: unit vectors in scene space (x right, y up, z towards the
camera), linear colours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .contracts import DirectionalLight, LightRig
from .harmonics import harmonics

Shading = Callable[[np.ndarray], np.ndarray]

SAMPLES = 1024  # directions at which the shading is asked
CANDIDATES = 162  # light directions of the first, exhaustive search: about 16 degrees apart
HIDDEN_WEIGHT = 0.2  # of a normal that the camera does not see, where one that faces it counts 1 + HIDDEN_WEIGHT
LEAST_ANGLE = 45.0  # degrees between key and fill: two closer lights are one to the eye, and the split is arbitrary
KEY_FREEDOM = 5.0  # degrees: how far the key may be from the one lamp that comes closest by itself
NEXT_TO_NOTHING = 0.1  # of what the bound key leaves: two free lamps that leave less are what is there
FINEST_ANGLE = 0.1  # degrees: where the refinement of a direction ends
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear Rec. 709 colours
TOWARDS_CAMERA = (0.0, 0.0, 1.0)


def fit_light_rig(shading: Shading) -> LightRig:
    """The rig and the spherical harmonics that come closest to a shading.

    ``shading`` maps unit normals (N, 3) float32 to linear shading (N, 3) and is asked once. Both fits are least
    squares over the whole sphere, in which the normals that the camera sees count more, by their share of its image.
    A light without any energy is black and directed at the camera. Raises ``ValueError`` for a shading that is not
    finite.
    """
    normals = fibonacci_sphere(SAMPLES)
    values = np.asarray(shading(normals.astype(np.float32)), np.float64)
    if values.shape != normals.shape or not np.all(np.isfinite(values)):
        raise ValueError("the shading must return one finite colour a normal")
    weights = HIDDEN_WEIGHT + np.maximum(normals[:, 2], 0)
    key, fill, ambient = _fit_lights(normals, values, weights)
    return LightRig(key, fill, ambient, _tuples(_fit_sh(normals, values, weights)))


def eval_sh(sh: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Shading (N, 3) float64 of the coefficients ``sh`` (9, 3) at unit ``normals`` (N, 3)."""
    return sh_basis(normals) @ np.asarray(sh, np.float64)


def eval_rig(rig: LightRig, normals: np.ndarray) -> np.ndarray:
    """Shading (N, 3) float64 of the rig's two lights and its ambient light at unit ``normals`` (N, 3)."""
    shading = np.tile(np.asarray(rig.ambient, np.float64), (len(normals), 1))
    for light in (rig.key, rig.fill):
        shading += _lobes(normals, np.array([light.direction])) * np.array(light.colour)
    return shading


def sh_basis(normals: np.ndarray) -> np.ndarray:
    """The spherical harmonics of :mod:`.harmonics` at unit ``normals`` (N, 3), as (N, 9) float64.

    The coefficients in a :class:`LightRig` are those of the shading itself: the radiance that causes it has these
    divided by (pi, 2 pi / 3, pi / 4) for the bands 0, 1, 2, where shading means irradiance.
    """
    return np.stack(harmonics(*np.asarray(normals, np.float64).T), axis=-1)


def fibonacci_sphere(count: int) -> np.ndarray:
    """``count`` nearly evenly spread unit vectors (count, 3) float64."""
    index = np.arange(count) + 0.5
    z = 1 - 2 * index / count
    turn = index * np.pi * (3 - np.sqrt(5))  # the golden angle
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=-1)


def _fit_sh(normals: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    root = np.sqrt(weights)[:, None]
    return np.linalg.lstsq(sh_basis(normals) * root, values * root, rcond=None)[0]


@dataclass(frozen=True)
class _Lamps:
    """``directions``: (K, 3) unit vectors. ``colours``: (1 + K, 3), ambient light first. ``gain``: by how much these
    lower the weighted sum of squares that a black rig leaves."""

    directions: np.ndarray
    colours: np.ndarray
    gain: float


class _Fit:
    """Finds the lamps that come closest to shading ``values`` (N, 3) at ``normals`` (N, 3), counted by ``weights``."""

    def __init__(self, normals: np.ndarray, values: np.ndarray, weights: np.ndarray):
        self.normals, self.values, self.weights = normals, values, weights
        self.energy = float((weights[:, None] * values**2).sum())

    def best(self, choices: np.ndarray) -> _Lamps:
        """The best of ``choices`` (P, K, 3) of lamp directions. Of two lamps the first is at least as bright, and they
        are LEAST_ANGLE apart."""
        if choices.shape[1] == 2:
            choices = choices[(choices[:, 0] * choices[:, 1]).sum(axis=1) <= np.cos(np.radians(LEAST_ANGLE))]
        directions, index = np.unique(choices.reshape(-1, 3), axis=0, return_inverse=True)
        columns = np.concatenate([np.ones((len(self.normals), 1)), _lobes(self.normals, directions)], axis=1)
        gram = columns.T @ (columns * self.weights[:, None])
        moments = columns.T @ (self.values * self.weights[:, None])
        used = np.concatenate([np.zeros((len(choices), 1), int), 1 + index.reshape(choices.shape[:2])], axis=1)
        colours, gain = _nonnegative_least_squares(gram[used[:, :, None], used[:, None, :]], moments[used])
        brightness = colours[:, 1:] @ LUMINANCE
        best = int(np.argmax(np.where(brightness[:, 0] >= brightness[:, -1], gain, -1.0)))
        return _Lamps(choices[best], colours[best], float(gain[best]))

    def refined(self, lamps: _Lamps, first_stays_near: np.ndarray | None = None) -> _Lamps:
        """``lamps`` turned until no turn brings more; the first within KEY_FREEDOM of a direction (3,), if given."""
        least_gain = 1e-9 * self.energy  # above rounding, below what 0.1 degrees bring
        angle = 8.0
        while angle >= FINEST_ANGLE:
            moves = [_around(direction, angle) for direction in lamps.directions]
            if first_stays_near is not None:
                moves[0] = moves[0][moves[0] @ first_stays_near >= np.cos(np.radians(KEY_FREEDOM))]
            better = self.best(_combined(*moves))
            if better.gain > lamps.gain + least_gain:
                lamps = better
            else:
                angle /= 2
        return lamps

    def rest(self, lamps: _Lamps) -> float:
        """Weighted sum of squares that ``lamps`` leave."""
        return self.energy - lamps.gain


def _fit_lights(
    normals: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> tuple[DirectionalLight, DirectionalLight, tuple[float, float, float]]:
    """Key, fill and ambient light.

    Two lamps of nearly equal brightness often come closest to a soft shading, and which of them is the key is chance.
    So the key stays near the one lamp that comes closest by itself, unless two free lamps leave next to nothing.
    """
    fit, everywhere = _Fit(normals, values, weights), fibonacci_sphere(CANDIDATES)
    one = fit.refined(fit.best(everywhere[:, None]))
    middle = one.directions[0]
    bound = fit.refined(fit.best(_combined(_around(middle, KEY_FREEDOM / 2), everywhere)), middle)
    free = fit.refined(fit.best(_combined(everywhere, everywhere)))
    lamps = free if fit.rest(free) < NEXT_TO_NOTHING * fit.rest(bound) else bound
    key, fill = (
        DirectionalLight(_tuple(direction) if colour.any() else TOWARDS_CAMERA, _tuple(colour))
        for direction, colour in zip(lamps.directions, lamps.colours[1:], strict=True)
    )
    return key, fill, _tuple(lamps.colours[0])


def _combined(*directions: np.ndarray) -> np.ndarray:
    """Every choice of one of each of ``directions`` (A, 3), (B, 3), ...: (A * B * ..., K, 3)."""
    chosen = np.meshgrid(*(np.arange(len(some)) for some in directions), indexing="ij")
    return np.stack([some[index.ravel()] for some, index in zip(directions, chosen, strict=True)], axis=1)


def _nonnegative_least_squares(gram: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares of a few unknowns >= 0, for P problems of C colour channels each, exactly: every set of unknowns
    that may differ from zero is solved and the best feasible one taken.

    ``gram`` (P, U, U) and ``moments`` (P, U, C) are those of the normal equations. Returns the solutions (P, U, C) and
    by how much they lower the sum of squares (P,).
    """
    unknowns = gram.shape[1]
    solution = np.zeros_like(moments)
    gain = np.zeros((len(moments), moments.shape[2]))
    for size in range(1, unknowns + 1):
        for free in combinations(range(unknowns), size):
            rows = list(free)
            part = np.linalg.solve(gram[:, rows][:, :, rows], moments[:, rows])
            part_gain = (part * moments[:, rows]).sum(axis=1)
            better = np.all(part >= 0, axis=1) & (part_gain > gain)
            gain = np.where(better, part_gain, gain)
            trial = np.zeros_like(moments)
            trial[:, rows] = part
            solution = np.where(better[:, None], trial, solution)
    return solution, gain.sum(axis=1)


def _lobes(normals: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """How much each normal (N, 3) faces each direction (D, 3): (N, D), 0..1."""
    return np.maximum(normals @ directions.T, 0)


def _around(direction: np.ndarray, angle: float) -> np.ndarray:
    """The direction itself and six unit vectors ``angle`` degrees away from it (7, 3)."""
    across = np.cross(direction, np.eye(3)[np.argmin(np.abs(direction))])
    across /= np.linalg.norm(across)
    turns = np.arange(6) * np.pi / 3
    ring = np.cos(turns)[:, None] * across + np.sin(turns)[:, None] * np.cross(direction, across)
    moved = np.concatenate([direction[None], direction + np.tan(np.radians(angle)) * ring])
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def _tuple(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in vector)
    return x, y, z


def _tuples(rows: np.ndarray) -> tuple[tuple[float, float, float], ...]:
    return tuple(_tuple(row) for row in rows)
