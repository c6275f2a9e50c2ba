"""Choosing the person of a photo: box and mask from the detector, from the photo's alpha, or from a given box."""

from __future__ import annotations

import functools
import itertools
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .contracts import Request
from .detector import SHIPPED, Detection, Detector
from .errors import UserError
from .photo import Photo
from .segmenter import (
    DRAWING,
    LOOKS,
    WORKING_SIDE,
    Box,
    Segmenter,
    Square,
    bounds,
    box_iou,
    clipped,
    fit,
    sigmoid,
)

Tell = Callable[[float], None]  # gets the done part of the search, 0..1, before each look; may raise Cancelled

MIN_BOX_WIDTH = 16  # pixels
MIN_BOX_HEIGHT = 32
DUPLICATE = 0.7  # two masks are one person when this part of the smaller one lies in the other
FIRST_LOOKS = (0.78, 1.0)  # sizes at which the detector sees the whole photo, of its own
ALL_LOOKS = len(FIRST_LOOKS) + LOOKS  # of the detector and the segmenter
IN_BOX = 0.4  # IoU with a given box that the box of what is seen there must have to be the person
SLOPPY = 0.125  # of a given box's longer side: how much farther than the box the person may reach
SAME_PERSON = 0.2  # and with the detector's; less is somebody else, or next to nothing
PART = 0.25  # of the person: a detection that is larger is no limb of it
BAND = 0.02  # half width of the strip in which the edge may move / side of the square
SURE, SURE_NOT = 0.9, 0.05  # chances from which a pixel is the person, whatever its colour, and up to which it is not
CHOOSE_OTHERWISE = "Give the person's box, or take the whole frame."


def _in_silence(part: float) -> None:
    """The :data:`Tell` of those who need not know."""


class NoPersonError(UserError):
    """The photo does not show the person that was asked for."""


@dataclass(frozen=True)
class Person:
    """``box``: x0 y0 x1 y1 in photo pixels. ``mask``: (H, W) float32 0..1 of the whole photo. ``score``: 0..1."""

    box: Box
    mask: np.ndarray
    score: float


def select_person(photo: Photo, request: Request, tell: Tell = _in_silence) -> Person:
    """The one person that the request asks for, with a clean mask.

    A given box comes first, then the whole frame, then the photo's alpha, then detection. Where a mask was given, the
    alpha is that mask, and the person's number does not matter. Raises :class:`UserError`.
    """
    if request.box is not None:
        return person_from_box(photo, request.box, tell)
    if request.whole_frame:
        frame = (0.0, 0.0, float(photo.width), float(photo.height))
        return person_from_box(photo, frame, tell)
    if request.mask:
        return person_from_alpha(photo)
    if request.person < 0:
        raise NoPersonError(f"There is no person number {request.person}; the largest has number 0.")
    persons = candidates(photo, request.detector, tell)
    if request.person >= len(persons):
        raise _no_such_person(request.person, len(persons))
    if photo.alpha is not None:
        return persons[0]
    return cut_out(photo, persons, request.person, tell)


def candidates(photo: Photo, detector_path: str = "", tell: Tell = _in_silence) -> list[Person]:
    """The persons among whom ``Request.person`` chooses: the one that the photo's alpha cuts out, else all found.

    Raises :class:`UserError` when there is none.
    """
    return [person_from_alpha(photo)] if photo.alpha is not None else find_persons(photo, detector_path, tell)


def find_persons(photo: Photo, detector_path: str = "", tell: Tell = _in_silence) -> list[Person]:
    """All persons that the detector sees, the one with the largest mask first; masks as the detector draws them.

    Raises :class:`UserError` when there is none.
    """
    detector = _detector(detector_path)
    seen = []
    for number, scale in enumerate(FIRST_LOOKS):
        tell(number / ALL_LOOKS)
        seen += detector.detect(photo.rgb, scale=scale)
    detections = _without_duplicates(seen)
    if not detections:
        raise NoPersonError("No person was found in the photo.", CHOOSE_OTHERWISE)
    persons = [_person(photo, detection) for detection in detections]
    return sorted(persons, key=lambda person: float(person.mask.sum()), reverse=True)


def person_from_alpha(photo: Photo) -> Person:
    """The person that the photo's own transparency cuts out."""
    if photo.alpha is None:
        raise ValueError("the photo has no alpha")
    mask = photo.alpha.astype(np.float32) / 255.0
    return Person(bounds(mask >= 0.5), mask, 1.0)


def person_from_box(photo: Photo, box: Box, tell: Tell = _in_silence) -> Person:
    """The person in ``box`` (x0 y0 x1 y1, photo pixels), with the box of what is seen of it.

    The mask is the photo's alpha in the box if there is one. Else it is the segmenter's, which may reach beyond a box
    that is not quite right by :data:`SLOPPY` of its longer side. Where the segmenter sees nobody, it is what differs
    from the surroundings of the box, which then stays as it is. Raises :class:`UserError` for a box outside the photo
    or too small.
    """
    box = _checked_box(photo, box)
    if photo.alpha is not None:
        mask = _only_in(box, photo.alpha.astype(np.float32) / 255.0)
        if (mask >= 0.5).sum() >= MIN_BOX_WIDTH * MIN_BOX_HEIGHT:
            return Person(bounds(mask >= 0.5), mask, 1.0)
    mask = _only_in(_grown(photo, box, SLOPPY), _segmented(photo, box, [], tell))
    seen = mask >= 0.5
    if not seen.any() or box_iou(bounds(seen), box) < IN_BOX:
        return Person(box, _mask_without_detection(photo, box), 0.0)
    return Person(bounds(seen), mask, float(mask[seen].mean()))


def _no_such_person(index: int, found: int) -> NoPersonError:
    persons = "only one person was" if found == 1 else f"{found} persons were"
    return NoPersonError(f"There is no person number {index}: {persons} found, and the largest has number 0.")


def _detector(path: str) -> Detector:
    file = path or SHIPPED
    changed = os.stat(file).st_mtime_ns if os.path.isfile(file) else 0  # a replaced file is loaded again
    return _cached_detector(path, changed)


@functools.lru_cache(maxsize=1)
def _cached_detector(path: str, changed: int) -> Detector:
    return Detector.load(path)


@functools.cache
def _segmenter() -> Segmenter:
    return Segmenter.load()


def _counted(tell: Tell) -> Callable[[], None]:
    """Tells the done part of the search before each look of the segmenter."""
    count = itertools.count(len(FIRST_LOOKS))
    return lambda: tell(next(count) / ALL_LOOKS)


# Boxes


def _checked_box(photo: Photo, box: Box) -> Box:
    size = f"the photo has {photo.width} x {photo.height} pixels"
    if len(box) != 4 or not all(math.isfinite(v) for v in box) or box[0] >= box[2] or box[1] >= box[3]:
        raise UserError("The box must be left, top, right, bottom in pixels, with right > left and bottom > top.")
    x0, y0, x1, y1 = clipped(box, photo.rgb.shape)
    if x0 >= x1 or y0 >= y1:
        raise UserError(f"The box lies outside the photo; {size}.")
    if x1 - x0 < MIN_BOX_WIDTH or y1 - y0 < MIN_BOX_HEIGHT:
        raise UserError(
            f"The box is too small: {x1 - x0:.0f} x {y1 - y0:.0f} pixels of it lie in the photo, "
            f"and {MIN_BOX_WIDTH} x {MIN_BOX_HEIGHT} are needed; {size}."
        )
    return x0, y0, x1, y1


def _grown(photo: Photo, box: Box, part: float) -> Box:
    """``box`` with ``part`` of its longer side more all around, as far as the photo goes."""
    more = part * max(box[2] - box[0], box[3] - box[1])
    return clipped((box[0] - more, box[1] - more, box[2] + more, box[3] + more), photo.rgb.shape)


def _only_in(box: Box, mask: np.ndarray) -> np.ndarray:
    """``mask`` (H, W) float32, zero outside ``box``."""
    result = np.zeros_like(mask)
    result[_slices(box)] = mask[_slices(box)]
    return result


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(math.floor(box[1]), math.ceil(box[3])), slice(math.floor(box[0]), math.ceil(box[2]))


# Masks


def cut_out(photo: Photo, persons: list[Person], index: int, tell: Tell = _in_silence) -> Person:
    """The person as the segmenter draws it, in the box that the segmenter finds; as the detector does where it sees
    nobody there. The other persons stay out."""
    person = persons[index]
    mask = _segmented(photo, person.box, persons[:index] + persons[index + 1 :], tell)
    if mask.max() < 0.5 or box_iou(bounds(mask >= 0.5), person.box) < SAME_PERSON:
        return person
    return Person(bounds(mask >= 0.5), mask, person.score)


def _segmented(photo: Photo, box: Box, rivals: list[Person], tell: Tell) -> np.ndarray:
    """(H, W) float32: the mask of the person in a rough ``box`` as the segmenter sees it, without ``rivals``."""
    segmenter, look = _segmenter(), _counted(tell)
    box = segmenter.find_box(photo.rgb, box, look)
    square = Square.around(box)
    chance = segmenter.chance(photo.rgb, box, DRAWING, look)
    for rival in rivals:
        its = fit(square.cut(rival.mask, fill=0), chance.shape)
        if not _is_a_part(its, chance):
            chance[its > np.maximum(chance, 0.5)] = 0.0
    return drawn(photo, square, chance)


def _is_a_part(its: np.ndarray, chance: np.ndarray) -> bool:
    """Whether what the detector took for somebody else, ``its`` mask (s, s), is a limb of the person as the segmenter
    sees it, ``chance`` (s, s): small, and most of it the person."""
    there = its > 0.5
    return 0 < there.sum() < PART * (chance > 0.5).sum() and float(chance[there].mean()) > 0.5


def drawn(photo: Photo, square: Square, chance: np.ndarray) -> np.ndarray:
    """(H, W) float32 of the photo: the mask at ``chance`` (s, s) of the square, drawn along the photo's edges."""
    image = fit(square.cut(photo.rgb), chance.shape)
    return square.paste(_follow_edges(image, chance), photo.height, photo.width)


def _follow_edges(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``mask`` (h, w) 0..1 redrawn by GrabCut in a narrow band around its edge, then softened along the image's edges.

    ``image`` (h, w, 3) uint8. The result is float32; detached crumbs are gone.
    """
    person = mask > 0.5
    if not person.any() or person.all():
        return mask.astype(np.float32)
    width = max(3, round(BAND * max(mask.shape))) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1,) * 2)
    outer = cv2.dilate(person.astype(np.uint8), disc).astype(bool) & (mask > SURE_NOT)
    labels = np.where(person, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[mask > SURE], labels[~outer] = cv2.GC_FGD, cv2.GC_BGD
    drawn = _grab_cut(image, labels)
    if _mask_iou(drawn, person) < 0.75:  # person and background share their colours: the network knows better
        drawn = person
    drawn = _without_crumbs(drawn)
    soft = _guided_filter(image, drawn.astype(np.float32), radius=max(2, width // 3), epsilon=1e-3)
    return soft * outer


def _grab_cut(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(h, w) bool. ``labels`` (h, w) uint8 of cv2's GC_ constants."""
    cv2.setRNGSeed(0)  # its colour clusters start at random; the result must not
    if not ((labels & 1) == 1).any() or not ((labels & 1) == 0).any():
        return (labels & 1) == 1
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cut, *_ = cv2.grabCut(image, labels.copy(), None, *models, 3, cv2.GC_INIT_WITH_MASK)
    return (cut & 1) == 1  # foreground, sure or probable


def _guided_filter(image: np.ndarray, mask: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """He et al.'s guided filter with a grey guide: ``mask`` (h, w) float32 takes on the edges of ``image``."""
    guide = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255.0

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, (2 * radius + 1,) * 2)

    mean_guide, mean_mask = mean(guide), mean(mask)
    slope = (mean(guide * mask) - mean_guide * mean_mask) / (mean(guide * guide) - mean_guide**2 + epsilon)
    offset = mean_mask - slope * mean_guide
    return (mean(slope) * guide + mean(offset)).clip(0.0, 1.0)


def _mask_without_detection(photo: Photo, box: Box) -> np.ndarray:
    """(H, W) float32: what in ``box`` differs from its surroundings; an ellipse if next to nothing or all of it does.

    The middle of the box is taken for the person and what lies around the box, or the edge of the photo, for not.
    """
    region = _slices(_grown(photo, box, 0.15))
    image = photo.rgb[region]
    scale = min(1.0, WORKING_SIDE / max(image.shape[:2]))
    size = max(8, round(image.shape[1] * scale)), max(8, round(image.shape[0] * scale))
    rows, columns = np.mgrid[: size[1], : size[0]] + 0.5
    x = columns / scale + region[1].start - (box[0] + box[2]) / 2  # photo pixels from the middle of the box
    y = rows / scale + region[0].start - (box[1] + box[3]) / 2
    half_width, half_height = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    in_box = (abs(x) < half_width) & (abs(y) < half_height)
    ellipse = (x / half_width) ** 2 + (y / half_height) ** 2 < 1
    core_width = 0.4 * min(half_width, 0.5 * half_height)
    core = (x / core_width) ** 2 + (y / (0.7 * half_height)) ** 2 < 1
    edge = np.ones(size[::-1], bool)
    edge[max(1, size[1] // 50) :, max(1, size[0] // 50) : -max(1, size[0] // 50)] = False  # people touch the bottom
    labels = np.where(ellipse, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[~in_box | edge] = cv2.GC_BGD
    labels[core] = cv2.GC_FGD
    found = _without_crumbs(_grab_cut(fit(image, size), labels))
    if not 1.2 * core.sum() < found.sum() < 0.9 * in_box.sum():
        found = ellipse
    mask = np.zeros((photo.height, photo.width), np.float32)
    mask[region] = cv2.resize(found.astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return mask


def _person(photo: Photo, detection: Detection) -> Person:
    mask = cv2.resize(sigmoid(detection.logits), (photo.width, photo.height), interpolation=cv2.INTER_LINEAR)
    return Person(clipped(detection.box, photo.rgb.shape), mask, detection.score)


def _without_duplicates(detections: list[Detection]) -> list[Detection]:
    """One detection a person. Of two that share a mask the surer stays, but a whole body beats one of its parts."""
    kept: list[tuple[Detection, np.ndarray]] = []
    for detection in sorted(detections, key=lambda d: d.score, reverse=True):
        mask = detection.logits > 0
        if not mask.any():
            continue
        same = [i for i, (_, other) in enumerate(kept) if _containment(mask, other) > DUPLICATE]
        if not same:
            kept.append((detection, mask))
        elif len(same) == 1:
            other, other_mask = kept[same[0]]
            if mask.sum() > 1.3 * other_mask.sum() and detection.score > 0.6 * other.score:
                kept[same[0]] = (detection, mask)
        # else it spans several persons that are known already
    return [detection for detection, _ in kept]


def _containment(a: np.ndarray, b: np.ndarray) -> float:
    """Part of the smaller of two bool masks that lies in the other one."""
    return float((a & b).sum()) / min(int(a.sum()), int(b.sum()))


def _mask_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Of two bool arrays; 0 if both are empty."""
    return float((a & b).sum()) / max(1, int((a | b).sum()))


def _without_crumbs(mask: np.ndarray) -> np.ndarray:
    """``mask`` (h, w) bool without the pieces that are smaller than a fiftieth of the largest, and without pinholes."""
    for wanted in (True, False):
        count, pieces, stats, _ = cv2.connectedComponentsWithStats((mask == wanted).astype(np.uint8), connectivity=4)
        areas = stats[1:, cv2.CC_STAT_AREA]
        if count > 2:
            small = areas < (areas.max() / 50 if wanted else max(4, mask.sum() / 1000))
            mask = np.where(np.isin(pieces, 1 + np.flatnonzero(small)), not wanted, mask)
    return mask
