"""Front and back: the back of the person takes its colour from a second photo, taken from behind.

Seen by a camera behind the person, the mesh turned half way round is a mesh before the usual crop camera, so all that
``detail`` does for the photo's side serves here as well. What is new: nobody stands twice in the same way. The back
photo's mask is laid over the mesh's outline, first by their boxes, then by a smooth warp that moves the one outline
onto the other (in the manner of Thirion's "demons", 1998, on signed distances). Only pixels well within the photo's
mask give their colour; a little beyond it, where the outlines still differ, that colour goes on.

Places are those of ``detail``: (x, y) in [-1, 1] of the square crop, x right, y down; colours are linear unless called
encoded, which is sRGB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from .contracts import Request
from .detail import (
    Appearance,
    CloseUp,
    Seen,
    border_distance,
    depth_map,
    divided_where_seen,
    extended,
    facing,
    photo_weights,
    recoloured,
    sample,
    smoothstep,
    well_inside,
)
from .errors import UserError
from .person import NoPersonError, Person, Tell, select_person
from .photo import Photo, load_photo

LEAST_OVERLAP = 0.9  # IoU of the aligned outlines below which the user is warned
TURNED_AWAY = (-0.2, 0.0)  # cosine to the front camera up to which the back photo counts in full, from which not at all
ALIGNED_SIZE = 192  # pixels of the pictures on which outlines are aligned
RIM = 0.016  # crop units along the edge of the photo's mask in which its colours may be the background's
REACH_OUT = 0.03  # crop units beyond that edge to which the person's colours go on
BAND = 0.03  # reach in crop units, to either side of the outline, of what pulls
REACHES = (0.2, 0.1, 0.05, 0.03)  # standard deviation of the warp's smoothness, from coarse to fine
ROUNDS = 10  # steps of the warp at each smoothness


@dataclass(frozen=True)
class BackView:
    """A back photo as the networks see it."""

    picture: np.ndarray  # (S, S, 4) float32 0..1, encoded colour and the mask of the square crop
    close_up: np.ndarray  # (T, T, 3) float32 0..1, the crop's encoded colour in more pixels, T >= S
    albedo: np.ndarray  # (h, w, 3) float32 linear 0..1, what G says of the crop's albedo
    distance: float  # crop units, of the camera


def find_back(request: Request, tell: Tell = lambda part: None) -> tuple[Photo, Person] | None:
    """The back photo and its person; None where the request has no such photo.

    Raises :class:`UserError`, which names the back photo, where it can't be read or does not show the person.
    """
    if not request.back_photo:
        return None
    photo = load_photo(request.back_photo)
    asked = Request(request.back_photo, person=request.back_person, detector=request.detector)
    try:
        return photo, select_person(photo, asked, tell)
    except NoPersonError as error:
        raise UserError(
            f"The person was not found in the back photo {Path(photo.path).name}.",
            "Use another one, or cut the person out and save it as PNG with transparency.",
        ) from error


def add_back_photo(
    person: Appearance, shade: Callable[[np.ndarray], np.ndarray], view: BackView, front_distance: float
) -> tuple[Appearance, float]:
    """``person`` with the back photo's colours where only the camera behind sees the surface, in finer triangles where
    it shows more than they hold; and the overlap of the aligned outlines (IoU, 0..1).

    ``shade`` maps unit normals (N, 3), seen from behind, to the linear shading (N, 3) of the back photo's light. What
    faces the front camera, which is ``front_distance`` away, keeps its albedo bit by bit.
    """
    turned = _turned(person)
    depth = depth_map(turned.vertices, turned.faces, view.distance, len(view.picture))
    mask = view.picture[..., 3] >= 0.5
    places, overlap = aligned(np.isfinite(depth), mask)
    # no pixel of the background is left before the warp mixes neighbours
    outside = signed_distance(mask)
    sure = outside < -RIM
    own = extended(view.albedo, _resized(sure, len(view.albedo)))
    seen_mask = _through(places, (outside < REACH_OUT).astype(np.float32))
    inset = border_distance(depth, seen_mask >= 0.5)
    colour, closer = (_aligned_colour(image, sure, places, inset) for image in (view.picture[..., :3], view.close_up))

    def weights(turned: Appearance) -> np.ndarray:
        """(V,) how far the back photo counts: not what faces the front camera."""
        front = facing(about_face(turned.vertices), about_face(turned.normals), front_distance)
        seen = photo_weights(turned.vertices, turned.normals, depth, inset, view.distance)
        return seen * (1 - smoothstep(front, *TURNED_AWAY)).astype(np.float32)

    turned, fineness = divided_where_seen(turned, weights(turned), colour, closer, view.distance)
    person, seen = _turned(turned), Seen.by(turned, weights(turned), view.distance, len(depth))
    own = sample(own, sample(places, seen.at))
    albedo = recoloured(person.albedo, own, shade(turned.normals), colour, seen, CloseUp(closer, fineness))
    return replace(person, albedo=albedo), overlap


def _aligned_colour(image: np.ndarray, sure: np.ndarray, places: np.ndarray, inset: np.ndarray) -> np.ndarray:
    """``image`` (T, T, 3) of the photo, without what is not ``sure`` (S, S) to be the person, as the mesh's picture has
    it by ``places`` (S, S, 2), well inside of the borders from which ``inset`` (S, S) is the distance."""
    size = len(image)
    colour = extended(image, _resized(sure, size))
    colour = _through(cv2.resize(places, (size, size), interpolation=cv2.INTER_LINEAR), colour)
    return extended(colour, well_inside(inset, size))


def _turned(person: Appearance) -> Appearance:
    return replace(person, vertices=about_face(person.vertices), normals=about_face(person.normals))


def about_face(vectors: np.ndarray) -> np.ndarray:
    """``vectors`` (N, 3) turned half way round the upright axis: the camera behind becomes the one in front."""
    return vectors * np.array([-1, 1, -1], vectors.dtype)


def aligned(outline: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, float]:
    """Where in the photo each pixel of the mesh's picture lies: places (S, S, 2) float32; and the overlap 0..1.

    ``outline`` and ``mask`` (S, S) bool: what the mesh and the photo's person cover. The overlap is the IoU of the
    outline and the mask as seen through the places; where either is empty, it is 0 and the places are the pixels' own.
    """
    size = len(outline)
    own, its = (_resized(shape, ALIGNED_SIZE) for shape in (outline, mask))
    places = _pixel_places(ALIGNED_SIZE)
    if own.any() and its.any():
        places = _warped(_boxed(places, own, its), signed_distance(own), signed_distance(its))
    places = cv2.resize(places, (size, size), interpolation=cv2.INTER_LINEAR)
    there = _through(places, mask.astype(np.float32)) >= 0.5
    return places, float((outline & there).sum()) / max(1, int((outline | there).sum()))


def signed_distance(shape: np.ndarray) -> np.ndarray:
    """(S, S) float32 distance from the edge of ``shape`` (S, S) bool, outside positive; the picture is 2 wide."""
    outside, inside = (cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) for part in (~shape, shape))
    return (outside - inside + np.where(shape, 0.5, -0.5).astype(np.float32)) * np.float32(2 / len(shape))


def _through(places: np.ndarray, image: np.ndarray) -> np.ndarray:
    """``image`` (S, S, ...) float32 as seen through ``places`` (S, S, 2); 0 beyond its edge."""
    pixels = ((places + 1) * (len(places) / 2) - 0.5).astype(np.float32)
    return cv2.remap(image, pixels, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _boxed(places: np.ndarray, outline: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``places`` (S, S, 2) moved and scaled so that the box of ``outline`` becomes as tall as that of ``mask``, their
    middles on one another."""
    (low, high), (its_low, its_high) = (_box(shape) for shape in (outline, mask))
    scale = (its_high - its_low)[1] / (high - low)[1]
    return ((its_low + its_high) / 2 + (places - (low + high) / 2) * scale).astype(np.float32)


def _warped(places: np.ndarray, own: np.ndarray, its: np.ndarray) -> np.ndarray:
    """``places`` (S, S, 2) moved smoothly so that the edge of ``own`` comes to lie on that of ``its``.

    Both (S, S) are signed distances, of the mesh's outline and of the photo's mask. Near the mesh's outline each place
    steps to where the photo's distance equals the mesh's, provided that both outlines look the same way there, so the
    inner edge of an arm is never drawn to the outer one; the steps are then averaged over the reach.
    """
    slope, its_slope = _slope(own), _slope(its)
    near = np.exp(-((own / BAND) ** 2))
    for reach in np.repeat(REACHES, ROUNDS):
        flat = places.reshape(-1, 2)
        gap = sample(its[..., None], flat).reshape(own.shape) - own
        way = sample(its_slope, flat).reshape(places.shape)
        weight = near * np.maximum((way * slope).sum(-1), 0)
        pull = np.dstack([weight[..., None] * gap[..., None] * way, weight])
        spread = cv2.GaussianBlur(pull, (0, 0), reach * len(own) / 2, borderType=cv2.BORDER_CONSTANT)
        places = places - spread[..., :2] / np.maximum(spread[..., 2:], 1e-6)
    return places


def _slope(distance: np.ndarray) -> np.ndarray:
    """(S, S, 2) gradient (x right, y down) of ``distance`` (S, S), smoothed over two pixels."""
    smooth = cv2.GaussianBlur(distance, (0, 0), 2.0)
    down, right = np.gradient(smooth, 2 / len(distance))
    return np.dstack([right, down]).astype(np.float32)


def _pixel_places(size: int) -> np.ndarray:
    """(size, size, 2) float32: the places of the pixels' centres."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    return np.dstack(np.meshgrid(axis, axis))


def _box(shape: np.ndarray) -> np.ndarray:
    """(2, 2): first and last place (x, y) of what ``shape`` (S, S) bool covers."""
    ends = [np.flatnonzero(shape.any(axis))[[0, -1]] + np.array([0, 1]) for axis in (0, 1)]
    return np.stack(ends, 1) / len(shape) * 2 - 1


def _resized(shape: np.ndarray, size: int) -> np.ndarray:
    """(size, size) bool of ``shape`` (S, S) bool."""
    way = cv2.INTER_AREA if len(shape) > size else cv2.INTER_LINEAR
    return cv2.resize(shape.astype(np.float32), (size, size), interpolation=way) >= 0.5
