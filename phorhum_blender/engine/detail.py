"""Photo detail: the visible side takes its fine colour from the photo itself.

The networks see a small picture and give a soft albedo. The photo, divided by the estimated shading, is sharp, but
keeps all that the shading does not explain: cast shadows, creases, highlights. Both are joined by a guided filter (He,
Sun and Tang, "Guided image filtering", ECCV 2010; applied at a finer scale than fitted, as in their "Fast guided
filter", 2015): in every small neighbourhood of the picture the albedo is an affine function of the photo's unshaded
colour. The function is fitted to the network's albedo at the sharpness that the network has, and applied to the photo
at full sharpness. Before that the network's albedo takes over most of the photo's broad colour, of which the photo
knows more than the network.

What the photo does not show the networks colour as a blur of what it might be. It takes the colours of what is seen
nearby and alike: a bilateral filter (Tomasi and Manduchi, ICCV 1998) from the visible side to the hidden one.

Where the photo shows more than the vertices can hold, triangles are divided; the shape stays.

All happens at the mesh's vertices and on pictures of the square crop (see ``camera``), rows from the top. Lengths are
crop units; colours are linear unless called encoded, which is sRGB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from .camera import project
from .colour import linear_to_srgb, srgb_to_linear
from .refinement import divided, unit, vertex_areas

CHUNK = 8192  # vertices matched at once
CELLS_PER_REACH = 4  # of the grids on which neighbourhoods are gathered: cells a standard deviation
SOFTNESS = 0.016  # standard deviation of the blur that makes the photo about as soft as the network's albedo
NEIGHBOURHOOD = 0.03  # standard deviation of the window in which one affine function holds
BROAD = 0.1  # likewise, of the overall colour
BROAD_SHARE = 0.75  # how much of the overall colour is the photo's
RIDGE = 0.01  # variance of encoded colour below which the photo's contrast is taken as it is
OVEREXPOSED = 0.97  # encoded colour from which the photo may have been brighter
LEAST_SHADING = 0.15  # darker shading than this is not believed
FACING = (0.1, 0.4)  # cosine to the camera at which the photo begins to count, and counts in full
BORDER = 0.016  # from the outline of a part of the body to where the photo counts in full
UNRELIABLE = 0.008  # this near to an outline the photo's colours may be those of what lies behind
STEEP = 4.0  # depth over width of a surface so slanted that it is taken for a border between two parts
TOLERANCE = 0.012  # least difference in depth between two parts of which one hides the other
PALETTE_CELLS = 32  # along the picture's side: each gives the palette of the hidden side one colour
NEARBY = 0.2  # standard deviation in the picture of the colours that count for a place
ALIKE = 0.1  # standard deviation in encoded colour, between what the network says of a place and of the palette's
SAME_PART = 0.3  # likewise in how far both belong to the head
PIXELS_PER_EDGE = 1.4  # of a picture whose colours triangles with such edges can hold: longer ones are divided
CONTRAST = 0.025  # in encoded colour, that a picture must have over one of half its size for faces to be divided
LEAST_ENLARGED = 1.5  # a picture of less than so many times the pixels a side shows no more
MOST_VERTICES = 2.0  # times as many as before, about: no more are made for the photo's detail
VERTICES_PER_FACE = 2  # that is divided, about: of the middles of three edges, most are the middles of another's, too
LEAST_ALIKE = 1.0  # of the weights, which add up to 1 for each cell here that is wholly alike: the own colour counts so


@dataclass(frozen=True)
class Appearance:
    """A mesh and what is known of its vertices."""

    vertices: np.ndarray  # (V, 3) float32 crop units
    faces: np.ndarray  # (F, 3) int32, counter-clockwise seen from outside
    normals: np.ndarray  # (V, 3) float32, outward and of unit length
    albedo: np.ndarray  # (V, 3) float32, linear 0..1
    shading: np.ndarray  # (V, 3) float32, linear
    head: np.ndarray  # (V,) float32 0..1: how far it belongs to the head

    def divided(self, chosen: np.ndarray) -> Appearance:
        """With the ``chosen`` (F,) faces divided in four; the old vertices come first."""
        fields = [self.vertices, self.normals, self.albedo, self.shading, self.head[:, None]]
        values, faces = divided(np.concatenate(fields, 1), self.faces, chosen)
        vertices, normals, albedo, shading, head = np.split(values, [3, 6, 9, 12], 1)
        return Appearance(vertices, faces, unit(normals), albedo, shading, head[:, 0])


@dataclass(frozen=True)
class Seen:
    """How the photo shows the vertices of a mesh."""

    at: np.ndarray  # (V, 2) their places in the picture, -1..1, x right, y down
    weights: np.ndarray  # (V,) float32 0..1: how far it is to be believed there
    areas: np.ndarray  # (V,) > 0: how much surface each stands for, about 1 where the mesh was not divided

    @classmethod
    def by(cls, person: Appearance, weights: np.ndarray, distance: float, size: int) -> Seen:
        """By a camera at ``distance`` in a picture of ``size`` pixels, with these ``weights`` (V,)."""
        areas = vertex_areas(person.vertices, person.faces) * (size / 4) ** 2
        return cls(projected(person.vertices, distance), weights, np.maximum(areas, 1e-6))


@dataclass(frozen=True)
class CloseUp:
    """The crop in more pixels, for what the mesh shows more finely."""

    colour: np.ndarray  # (T, T, 3) float32 0..1 encoded, well inside of the borders and drawn outwards from there
    share: np.ndarray  # (V,) 0..1 how far each vertex takes its colour from here


def add_photo_detail(
    person: Appearance,
    picture: np.ndarray,
    close_up: np.ndarray,
    distance: float,
    tell: Callable[[], None] = lambda: None,
) -> Appearance:
    """``person`` in the photo's fine colours where the camera sees the surface, elsewhere in the colours that are seen.

    ``picture`` (S, S, 4) 0..1: encoded colour and the mask of the square crop, which has about two pixels for each of
    the mesh's edges; ``close_up`` (T, T, 3), T >= S: its colour in more pixels. ``distance`` of the camera. Faces are
    divided where the photo shows more than they hold; the shape and the old vertices stay, the new ones come after
    them. The head's faces are taken to be fine enough for the close-up. ``tell`` is called between the steps and may
    raise to stop.
    """
    depth = depth_map(person.vertices, person.faces, distance, len(picture))
    inset = border_distance(depth, picture[..., 3] >= 0.5)
    weights = photo_weights(person.vertices, person.normals, depth, inset, distance)
    colour, closer = (extended(image, well_inside(inset, len(image))) for image in (picture[..., :3], close_up))
    person, fineness = divided_where_seen(person, weights, colour, closer, distance, tell)
    weights = photo_weights(person.vertices, person.normals, depth, inset, distance)
    seen = Seen.by(person, weights, distance, len(picture))
    tell()
    finer = CloseUp(closer, np.maximum(fineness, person.head))
    detailed = recoloured(person.albedo, person.albedo, person.shading, colour, seen, finer)
    tell()
    return replace(person, albedo=hidden_side_matched(detailed, person.albedo, seen, person.head))


def divided_where_seen(
    person: Appearance,
    weights: np.ndarray,
    colour: np.ndarray,
    close_up: np.ndarray,
    distance: float,
    tell: Callable[[], None] = lambda: None,
) -> tuple[Appearance, np.ndarray]:
    """``person`` with faces as fine as the colours that the photo shows there, and how far each vertex is to take its
    colour from ``close_up`` (T, T, 3) and not from ``colour`` (S, S, 3), encoded: (V,) 0..1.

    From coarse to fine each picture is compared with one of half its size, and where it has more, faces that are too
    coarse for it are divided in four: of those with the most until there are :data:`MOST_VERTICES`. ``weights`` (V,)
    0..1 tell where the photo counts.
    """
    sizes = [len(colour)]
    while LEAST_ENLARGED * sizes[-1] < len(close_up):
        sizes.append(min(2 * sizes[-1], len(close_up)))
    most = int(MOST_VERTICES * len(person.vertices))
    level = np.zeros(len(person.vertices), np.float32)
    before = _shrunk(colour, max(1, len(colour) // 2))
    for step, size in enumerate(sizes):
        tell()
        now = _shrunk(close_up, size)
        at = projected(person.vertices, distance)
        contrast = sample(_contrast(before, now)[..., None], at)[:, 0][person.faces].max(1)
        corners = at[person.faces]
        longest = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).max(1) * size / 2
        coarse = (contrast > CONTRAST) & (longest > PIXELS_PER_EDGE) & (weights[person.faces].min(1) > 0)
        chosen = _largest(np.where(coarse, contrast, 0), (most - len(person.vertices)) // VERTICES_PER_FACE)
        count, level[person.faces[chosen]] = len(level), step
        person, before = person.divided(chosen), now
        level, weights = (
            np.pad(a, (0, len(person.vertices) - count), constant_values=b) for a, b in ((level, step), (weights, 1))
        )
    return person, level / max(len(sizes) - 1, 1)


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """(N,) bool: the ``count`` largest of ``values`` (N,), as far as they are more than 0."""
    order = np.argsort(-values, kind="stable")[: max(count, 0)]
    chosen = np.zeros(len(values), bool)
    chosen[order] = values[order] > 0
    return chosen


def _contrast(colour: np.ndarray, finer: np.ndarray) -> np.ndarray:
    """(T, T) float32: how much of ``finer`` (T, T, 3) around each pixel is not in ``colour`` (S, S, 3)."""
    soft = cv2.resize(colour, finer.shape[:2], interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(np.abs(finer - soft).mean(2), (0, 0), len(finer) / len(colour))


def _shrunk(picture: np.ndarray, size: int) -> np.ndarray:
    """``picture`` (S, S, 3) in (size, size, 3) pixels, each the mean of those that it takes the place of."""
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)


def recoloured(
    albedo: np.ndarray,
    own: np.ndarray,
    shading: np.ndarray,
    colour: np.ndarray,
    seen: Seen,
    close_up: CloseUp | None = None,
) -> np.ndarray:
    """``albedo`` (V, 3) float32, linear 0..1, faded into the photo's unshaded fine colour where it is ``seen``.

    ``own`` (V, 3) is what the network says of the albedo that the photo shows, linear 0..1; ``shading`` (V, 3) that of
    the photo, linear. ``colour`` (S, S, 3) 0..1 encoded: the photo's well inside of the borders, drawn outwards from
    there. Where the weight is 0 the albedo is kept bit by bit.
    """
    here = np.flatnonzero(seen.weights > 0)
    if not len(here):
        return albedo
    at, weight = seen.at[here], seen.weights[here]
    count = weight * seen.areas[here]
    soft = cv2.GaussianBlur(colour, (0, 0), SOFTNESS * len(colour) / 2)
    found = sample(colour, at)
    if close_up:
        share = close_up.share[here, None]
        found = found + share * (sample(close_up.colour, at) - found)
    sharp, dull = (unshaded(its_colour, shading[here], own[here]) for its_colour in (found, sample(soft, at)))
    before, own = linear_to_srgb(albedo[here]), linear_to_srgb(own[here])
    target = own + BROAD_SHARE * local_mean(dull - own, count, at, BROAD)
    fine = np.clip(transferred(dull, target, sharp, count, at), 0, 1)
    result = albedo.copy()
    result[here] = srgb_to_linear(before + weight[:, None] * (fine - before))
    return result


def hidden_side_matched(albedo: np.ndarray, own: np.ndarray, seen: Seen, head: np.ndarray) -> np.ndarray:
    """``albedo`` (V, 3) float32, linear 0..1, whose hidden side has the colours of the visible one.

    ``own`` (V, 3) is what the network says of the albedo. What is hidden becomes the mean of the visible colours nearby
    of which the network says the same as of it; where there are none, it stays. Vertices that are ``seen`` with the
    weight 1 are kept bit by bit. ``head`` (V,) 0..1 says what belongs to the head: a hat takes its colours from hats,
    not from the shirt below it.
    """
    network, colour = linear_to_srgb(own), linear_to_srgb(albedo)
    # so that distances between keys count in deviations
    key = np.concatenate([seen.at / NEARBY, network / ALIKE, head[:, None] / SAME_PART], 1)
    shown, hidden = np.flatnonzero(seen.weights > 0), np.flatnonzero(seen.weights < 1)
    count = (seen.weights * seen.areas)[shown]
    sums = _cell_sums(np.concatenate([key, colour], 1)[shown], count, seen.at[shown], PALETTE_CELLS)
    sums = sums[sums[:, -1] >= 1]  # cells that the photo shows as much as one vertex in full
    if not len(sums):
        return albedo
    keys, colours = torch.from_numpy((sums[:, :-1] / sums[:, -1:]).astype(np.float32)).split([6, 3], 1)
    result = albedo.copy()
    for start in range(0, len(hidden), CHUNK):
        part = hidden[start : start + CHUNK]
        alike = torch.exp(-torch.cdist(torch.from_numpy(key[part].astype(np.float32)), keys).square() / 2)
        total, weight = (alike @ colours).numpy(), alike.sum(1, keepdim=True).numpy()
        matched = (total + LEAST_ALIKE * network[part]) / (weight + LEAST_ALIKE)
        changed = colour[part] + (1 - seen.weights[part, None]) * (matched - network[part])
        result[part] = srgb_to_linear(np.clip(changed, 0, 1))
    return result


def unshaded(colour: np.ndarray, shading: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Encoded albedo (N, 3) of the photo's encoded ``colour`` (N, 3) under a linear ``shading`` (N, 3).

    Where the photo is overexposed it says no more than that the albedo is at least so bright, and ``own`` (N, 3),
    linear, may be brighter. Where the shading was taken too dark the curve goes on beyond 1.
    """
    albedo = srgb_to_linear(colour) / np.maximum(shading, LEAST_SHADING)
    return linear_to_srgb(np.where(colour >= OVEREXPOSED, np.maximum(albedo, own), albedo), np.inf)


def depth_map(vertices: np.ndarray, faces: np.ndarray, distance: float, size: int) -> np.ndarray:
    """(size, size) float32: z of the first surface behind each pixel's centre, -inf where there is none.

    Draws the faces that look at the camera into a z-buffer of inverse depth, which is linear in the picture. All faces
    are drawn at once, one pixel of each at a time, so this is for faces of a few pixels, as those of marching cubes.
    """
    column, row = ((projected(vertices, distance) + 1) * size / 2 - 0.5).T
    near = 1 / (distance - vertices[:, 2].astype(np.float64))
    x, y, nearness = column[faces], row[faces], near[faces]
    # rows run downwards, so that faces that look at the camera are clockwise: their doubled area is negative
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    x, y, nearness, area = (array[area < 0] for array in (x, y, nearness, area))
    first = np.ceil(np.stack([x.min(1), y.min(1)], 1)).astype(np.int64)
    last = np.floor(np.stack([x.max(1), y.max(1)], 1)).astype(np.int64)
    first, last = np.maximum(first, 0), np.minimum(last, size - 1)
    buffer = torch.zeros(size * size, dtype=torch.float64)
    for step in np.ndindex(*(np.max(last - first, axis=0, initial=-1) + 1)):
        here = np.flatnonzero((first + step <= last).all(1))
        pixel = first[here] + step
        a, b = (
            (x[here, k] - pixel[:, 0]) * (y[here, m] - pixel[:, 1])
            - (x[here, m] - pixel[:, 0]) * (y[here, k] - pixel[:, 1])
            for k, m in ((1, 2), (2, 0))
        )
        a, b = a / area[here], b / area[here]
        inside = (a >= 0) & (b >= 0) & (a + b <= 1)
        shares = np.stack([a, b, 1 - a - b], 1)[inside]
        values = (shares * nearness[here[inside]]).sum(1)
        index = pixel[inside] @ np.array([1, size])
        buffer.scatter_reduce_(0, torch.from_numpy(index), torch.from_numpy(values), "amax")
    drawn = buffer.numpy().reshape(size, size)
    return np.where(drawn > 0, distance - 1 / np.where(drawn > 0, drawn, 1), -np.inf).astype(np.float32)


def border_distance(depth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(S, S) float32: distance in the picture from each pixel to the nearest border, 0 on one.

    Borders are the pixels outside of ``mask`` (S, S) bool or beside the mesh, and both sides of every step in its
    ``depth`` (S, S), where one part of the body hides another.
    """
    pixel = 2 / len(depth)
    there = mask & np.isfinite(depth)
    depth = np.where(there, depth, 0)
    for axis in range(2):
        step = np.abs(np.diff(depth, axis=axis)) > _least_step(len(depth))
        before, after = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
        before[axis], after[axis] = (1, 0), (0, 1)
        there = there & ~np.pad(step, before) & ~np.pad(step, after)
    framed = np.pad(there, 1).astype(np.uint8)  # beyond the picture nothing is known
    return cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1] * np.float32(pixel)


def photo_weights(
    vertices: np.ndarray, normals: np.ndarray, depth: np.ndarray, inset: np.ndarray, distance: float
) -> np.ndarray:
    """(V,) float32 0..1: how much the photo is to be believed at each vertex.

    It falls smoothly to 0 where the surface turns away from the camera and towards every border, so there is no seam;
    behind another part of the body it is 0. ``depth`` and ``inset`` are those of :func:`depth_map` and
    :func:`border_distance`.
    """
    at = projected(vertices, distance)
    nearest = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    behind = sample(nearest[..., None], at, "nearest")[:, 0] - vertices[:, 2]
    turned = smoothstep(facing(vertices, normals, distance), *FACING)
    weights = turned * smoothstep(sample(inset[..., None], at)[:, 0], 0, BORDER)
    step = _least_step(len(depth))
    return (weights * (1 - smoothstep(behind, step, 2 * step))).astype(np.float32)


def facing(vertices: np.ndarray, normals: np.ndarray, distance: float) -> np.ndarray:
    """(V,) cosine between each unit normal (V, 3) and the direction from its vertex (V, 3) to the camera."""
    towards = np.array([0, 0, distance]) - vertices
    return (normals * towards).sum(1) / np.linalg.norm(towards, axis=1)


def well_inside(inset: np.ndarray, size: int) -> np.ndarray:
    """(size, size) bool: pixels that no border, from which ``inset`` (S, S) is the distance, is near to."""
    return cv2.resize(inset, (size, size), interpolation=cv2.INTER_LINEAR) > UNRELIABLE


def extended(colour: np.ndarray, good: np.ndarray) -> np.ndarray:
    """``colour`` (S, S, 3) float32 with that of the nearest ``good`` (S, S) pixel at all others."""
    if not good.any():
        return colour
    _, label = cv2.distanceTransformWithLabels((~good).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    source = np.zeros(label.max() + 1, np.int64)
    source[label[good]] = np.flatnonzero(good)
    return colour.reshape(-1, 3)[source[label]]


def transferred(
    guide: np.ndarray, target: np.ndarray, sharp: np.ndarray, weight: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """``sharp`` (N, 3) put through the affine functions that, around each place, best make ``target`` of ``guide``.

    All (N, 3) encoded colour at the places ``at`` (N, 2), which count by ``weight`` (N,). Least squares with a ridge
    towards the identity: where the guide is flat, nothing is known of contrast, and the photo's stays as it is.
    """
    one = np.ones((len(at), 1))
    inputs = np.concatenate([guide, one], 1)
    products = inputs[:, :, None] * np.concatenate([inputs, target], 1)[:, None]
    moments = local_mean(products.reshape(-1, 28), weight, at, NEIGHBOURHOOD).reshape(-1, 4, 7)
    ridge = RIDGE * np.diag([1.0, 1.0, 1.0, 0.0])
    functions = np.linalg.solve(moments[..., :4] + ridge, moments[..., 4:] + ridge[:, :3])
    functions = local_mean(functions.reshape(-1, 12), weight, at, NEIGHBOURHOOD).reshape(-1, 4, 3)
    return np.einsum("ni,nij->nj", np.concatenate([sharp, one], 1), functions)


def local_mean(values: np.ndarray, weight: np.ndarray, at: np.ndarray, reach: float) -> np.ndarray:
    """(N, C) float64: the mean of ``values`` (N, C) around each place ``at`` (N, 2), counted by ``weight`` (N,) > 0 and
    a Gaussian of standard deviation ``reach`` in the picture; by way of a grid."""
    size = max(1, round(2 * CELLS_PER_REACH / reach))
    sums = _cell_sums(values, weight, at, size).reshape(size, size, -1)
    near = sample(cv2.GaussianBlur(sums, (0, 0), CELLS_PER_REACH, borderType=cv2.BORDER_CONSTANT), at)
    return near[:, :-1] / near[:, -1:]


def _cell_sums(values: np.ndarray, weight: np.ndarray, at: np.ndarray, size: int) -> np.ndarray:
    """(size * size, C + 1) float64: in each cell of a grid over the picture, row by row, the sum of the ``values``
    (N, C) at its places ``at`` (N, 2) times their ``weight`` (N,), and that of the weights."""
    cell = np.clip(((at + 1) * size / 2).astype(np.int64), 0, size - 1) @ np.array([1, size])
    weighted = np.concatenate([values * weight[:, None], weight[:, None]], 1)
    return np.stack([np.bincount(cell, column, size * size) for column in weighted.T], 1)


def sample(image: np.ndarray, at: np.ndarray, mode: str = "bilinear") -> np.ndarray:
    """(N, C) values of ``image`` (S, S, C) at places ``at`` (N, 2) in [-1, 1], x right, y down; its edge goes on."""
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    grid = torch.from_numpy(at.astype(image.dtype))[None, None]
    values = torch.nn.functional.grid_sample(planes, grid, mode=mode, padding_mode="border", align_corners=False)
    return values[0, :, 0].T.numpy()


def _least_step(size: int) -> float:
    """Difference in depth from pixel to pixel of a picture of ``size`` that one surface does not make."""
    return TOLERANCE + STEEP * 2 / size


def projected(points: np.ndarray, distance: float) -> np.ndarray:
    """Places (N, 2) in the picture, -1..1, x right, y down, of ``points`` (N, 3)."""
    return project(torch.from_numpy(points), distance).numpy() * np.array([1, -1], points.dtype)


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 up to ``low``, 1 from ``high`` on, between them a cubic without a kink."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
