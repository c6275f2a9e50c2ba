"""Finding and choosing persons: the logic with a detector and a segmenter that see colours, the detector's glue with
small, official and shipped networks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from phorhum_blender.engine import memory
from phorhum_blender.engine import person as person_module
from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.detector import (
    FORMAT,
    OUTSIDE,
    SHIPPED,
    Detection,
    Detector,
    build_network,
    tensors_sha256,
)
from phorhum_blender.engine.errors import Cancelled, UserError
from phorhum_blender.engine.person import find_persons, person_from_alpha, person_from_box, select_person
from phorhum_blender.engine.photo import Photo, load_photo
from phorhum_blender.engine.segmenter import Segmenter, box_iou
from tests.engine.colours import BLUE, GREY, RED, ColourNetwork

WIDTH, HEIGHT = 400, 300


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def ellipse(box: tuple[float, float, float, float], shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """(H, W) bool."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    x0, y0, x1, y1 = box
    return ((x - (x0 + x1) / 2) / (x1 - x0)) ** 2 + ((y - (y0 + y1) / 2) / (y1 - y0)) ** 2 < 0.25


def photo_of(*bodies: tuple[np.ndarray, tuple[int, int, int]], alpha: np.ndarray | None = None) -> Photo:
    """Coloured bodies on grained grey."""
    rgb = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:] = GREY
    for mask, colour in bodies:
        rgb[mask] = colour
    grain = np.random.default_rng(0).integers(-8, 9, rgb.shape)
    return Photo((rgb + grain).clip(0, 255).astype(np.uint8), alpha, None, "")


class ColourDetector:
    """Sees everything of given colours as a person, roughly: as the ellipse in its box, widened."""

    def __init__(self, scores: dict[tuple[int, int, int], float]):
        self.scores = scores

    def detect(self, rgb: np.ndarray, scale: float = 1.0) -> list[Detection]:
        found = []
        for colour, score in self.scores.items():
            rows, columns = np.nonzero(np.abs(rgb.astype(int) - colour).max(2) < 30)
            if len(rows) < 50:
                continue
            box = float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
            shape = rgb.shape[0] // 2, rgb.shape[1] // 2
            more = 0.012 * (box[3] - box[1])
            rough = ellipse((box[0] / 2 - more, box[1] / 2 - more, box[2] / 2 + more, box[3] / 2 + more), shape)
            found.append(Detection(box, score, np.where(rough, 4.0, OUTSIDE).astype(np.float32)))
        return sorted(found, key=lambda d: d.score, reverse=True)


@pytest.fixture
def use_detector(monkeypatch: pytest.MonkeyPatch):
    def use(detector, sees: bool = True) -> None:
        monkeypatch.setattr(person_module, "_detector", lambda path: detector)
        monkeypatch.setattr(person_module, "_segmenter", lambda: Segmenter(ColourNetwork(sees)))

    return use


LARGE, SMALL = (40.0, 20.0, 160.0, 280.0), (260.0, 100.0, 330.0, 250.0)
TWO = photo_of((ellipse(LARGE), RED), (ellipse(SMALL), BLUE))


def test_the_largest_comes_first_whatever_the_scores(use_detector):
    use_detector(ColourDetector({RED: 0.5, BLUE: 0.9}))
    persons = find_persons(TWO)
    assert [p.score for p in persons] == [0.5, 0.9]
    assert all(p.mask.shape == (HEIGHT, WIDTH) and p.mask.dtype == np.float32 for p in persons)
    assert persons[0].mask.min() >= 0 and persons[0].mask.max() <= 1
    assert persons[0].box == pytest.approx(LARGE, abs=2)


@pytest.mark.parametrize("index, box, body", [(0, LARGE, LARGE), (1, SMALL, SMALL)])
def test_the_mask_follows_the_photo_and_not_the_rough_detection(use_detector, index, box, body):
    detector = ColourDetector({RED: 0.9, BLUE: 0.9})
    use_detector(detector)
    rough = find_persons(TWO)[index]
    chosen = select_person(TWO, Request(photo="", person=index))
    truth = ellipse(body)
    assert iou(rough.mask > 0.5, truth) < 0.94  # what the second look has to mend
    assert iou(chosen.mask > 0.5, truth) > 0.97
    assert chosen.box == pytest.approx(box, abs=3)
    assert chosen.mask.shape == (HEIGHT, WIDTH) and chosen.mask.dtype == np.float32


class ShortSightedDetector(ColourDetector):
    """Its boxes and masks end at the middle."""

    def detect(self, rgb: np.ndarray, scale: float = 1.0) -> list[Detection]:
        halves = []
        for whole in super().detect(rgb, scale):
            x0, y0, x1, y1 = whole.box
            logits = whole.logits.copy()
            logits[round((y0 + y1) / 4) :] = OUTSIDE
            halves.append(Detection((x0, y0, x1, (y0 + y1) / 2), whole.score, logits))
        return halves


def test_what_the_detector_misses_is_found(use_detector):
    use_detector(ShortSightedDetector({RED: 0.9}))
    photo = photo_of((ellipse(LARGE), RED))
    assert iou(find_persons(photo)[0].mask > 0.5, ellipse(LARGE)) < 0.6
    chosen = select_person(photo, Request(photo=""))
    assert chosen.box == pytest.approx(LARGE, abs=3)
    assert iou(chosen.mask > 0.5, ellipse(LARGE)) > 0.95


def test_a_person_that_the_segmenter_does_not_see_is_as_the_detector_draws_it(use_detector):
    use_detector(ColourDetector({RED: 0.9, BLUE: 0.8}), sees=False)
    assert np.array_equal(select_person(TWO, Request(photo="")).mask, find_persons(TWO)[0].mask)


def test_next_to_nothing_is_not_the_person(use_detector, monkeypatch):
    class Crumb(ColourNetwork):
        def encode(self, images):
            encoding = super().encode(images)
            encoding.features[:] = -8
            encoding.features[..., 40:44, 40:44] = 8
            return encoding

    use_detector(ColourDetector({RED: 0.9, BLUE: 0.8}))
    monkeypatch.setattr(person_module, "_segmenter", lambda: Segmenter(Crumb()))
    assert np.array_equal(select_person(TWO, Request(photo="")).mask, find_persons(TWO)[0].mask)


def test_the_neighbour_stays_out(use_detector):
    left, right = (60.0, 40.0, 200.0, 280.0), (190.0, 60.0, 300.0, 270.0)
    photo = photo_of((ellipse(left), RED), (ellipse(right), BLUE))
    use_detector(ColourDetector({RED: 0.9, BLUE: 0.9}))
    mask = select_person(photo, Request(photo="", person=0)).mask > 0.5
    assert (mask & ellipse(right)).sum() < 0.1 * ellipse(right).sum()


class LimbDetector(ShortSightedDetector):
    """Takes something in the lower half of each person for another one, and is surer of it than the segmenter."""

    def detect(self, rgb: np.ndarray, scale: float = 1.0) -> list[Detection]:
        upper = super().detect(rgb, scale)
        shape = upper[0].logits.shape
        limb = ellipse(tuple(v / 2 for v in LIMB), shape)
        return [*upper, Detection(LIMB, 0.4, np.where(limb, 30.0, OUTSIDE).astype(np.float32))]


LIMB = (80.0, 165.0, 120.0, 245.0)


def test_a_limb_that_the_detector_takes_for_somebody_else_is_no_hole(use_detector):
    photo = photo_of((ellipse(LARGE), RED))
    use_detector(LimbDetector({RED: 0.9}))
    assert len(find_persons(photo)) == 2
    mask = select_person(photo, Request(photo="")).mask > 0.5
    assert mask[ellipse(LIMB)].all()
    assert iou(mask, ellipse(LARGE)) > 0.95


def test_the_same_photo_gives_the_same_mask(use_detector):
    use_detector(ColourDetector({RED: 0.9}))
    first, second = (select_person(TWO, Request(photo="")).mask for _ in range(2))
    assert np.array_equal(first, second)


def test_nobody(use_detector):
    use_detector(ColourDetector({}))
    with pytest.raises(UserError, match="No person was found in the photo. Give the person's box, or take the whole"):
        select_person(TWO, Request(photo=""))


@pytest.mark.parametrize(
    "index, scores, sentence",
    [
        (2, {RED: 0.9, BLUE: 0.9}, "There is no person number 2: 2 persons were found"),
        (1, {RED: 0.9}, "There is no person number 1: only one person was found"),
        (-1, {RED: 0.9}, "There is no person number -1; the largest has number 0"),
    ],
)
def test_index_out_of_range(use_detector, index, scores, sentence):
    use_detector(ColourDetector(scores))
    with pytest.raises(UserError, match=sentence):
        select_person(TWO, Request(photo="", person=index))


def detection(mask: np.ndarray, score: float) -> Detection:
    return Detection((0, 0, 1, 1), score, np.where(mask, 3.0, OUTSIDE).astype(np.float32))


WHOLE, UPPER = ellipse(LARGE), ellipse((40.0, 20.0, 160.0, 150.0)) & ellipse(LARGE)
OTHER = ellipse(SMALL)


@pytest.mark.parametrize(
    "masks, kept",
    [
        ([(WHOLE, 0.9), (WHOLE, 0.8)], [0.9]),
        ([(WHOLE, 0.9), (UPPER, 0.8)], [0.9]),
        ([(UPPER, 0.9), (WHOLE, 0.8)], [0.8]),  # a whole body beats its part
        ([(UPPER, 0.9), (WHOLE, 0.4)], [0.9]),  # unless it is doubtful
        ([(WHOLE, 0.9), (OTHER, 0.3)], [0.9, 0.3]),
        ([(WHOLE, 0.9), (OTHER, 0.8), (WHOLE | OTHER, 0.7)], [0.9, 0.8]),  # two in one are nobody new
        ([(WHOLE & False, 0.9), (OTHER, 0.3)], [0.3]),
    ],
)
def test_duplicates(masks, kept):
    detections = [detection(mask, score) for mask, score in masks]
    assert sorted((d.score for d in person_module._without_duplicates(detections)), reverse=True) == kept


def test_alpha_beats_detection(use_detector):
    use_detector(None)  # would fail if asked
    alpha = (ellipse(SMALL) * 255).astype(np.uint8)
    photo = photo_of((ellipse(LARGE), RED), alpha=alpha)
    chosen = select_person(photo, Request(photo=""))
    assert np.array_equal(chosen.mask > 0.5, ellipse(SMALL)) and chosen.box == pytest.approx(SMALL, abs=1)
    with pytest.raises(UserError, match="only one person was found"):
        select_person(photo, Request(photo="", person=1))
    with pytest.raises(ValueError):
        person_from_alpha(TWO)


def test_box_and_alpha_together(use_detector):
    use_detector(None)
    both = ellipse(LARGE) | ellipse(SMALL)
    photo = photo_of(alpha=(both * 255).astype(np.uint8))
    chosen = select_person(photo, Request(photo="", box=(250, 80, 340, 260), whole_frame=True))
    assert chosen.box == pytest.approx(SMALL, abs=1)
    assert np.array_equal(chosen.mask > 0.5, ellipse(SMALL))


@pytest.mark.parametrize("left, up", [(0.0, 0.0), (0.1, 0.0), (-0.1, 0.0), (0.0, 0.1), (0.0, -0.1)])
def test_a_box_may_be_a_little_off(use_detector, left, up):
    use_detector(None)  # is not asked
    x0, y0, x1, y1 = SMALL
    x, y = left * (x1 - x0), up * (y1 - y0)
    chosen = select_person(TWO, Request(photo="", box=(x0 - x, y0 - y, x1 - x, y1 - y)))
    assert chosen.box == pytest.approx(SMALL, abs=2)
    assert iou(chosen.mask > 0.5, ellipse(SMALL)) > 0.95


def test_a_box_ends_the_person_all_the_same(use_detector):
    use_detector(None)
    x0, y0, x1, y1 = SMALL
    half = (x0, y0, x1, (y0 + y1) / 2)
    chosen = select_person(TWO, Request(photo="", box=half))
    assert chosen.box[:3] == pytest.approx(half[:3], abs=2) and half[3] < chosen.box[3] < half[3] + 15
    assert not chosen.mask[int(half[3]) + 15 :].any()


def test_a_faint_alpha_is_no_person(use_detector):
    use_detector(None)
    photo = photo_of((ellipse(SMALL), BLUE), alpha=np.full((HEIGHT, WIDTH), 100, np.uint8))
    assert iou(person_from_box(photo, SMALL).mask > 0.5, ellipse(SMALL)) > 0.95


def test_box_with_what_the_segmenter_does_not_know(use_detector):
    use_detector(None, sees=False)
    chosen = person_from_box(TWO, (250.0, 90.0, 340.0, 260.0))
    assert chosen.score == 0.0
    assert iou(chosen.mask > 0.5, ellipse(SMALL)) > 0.9


def test_whole_frame(use_detector):
    body = (130.0, 10.0, 260.0, 290.0)
    use_detector(None, sees=False)
    chosen = select_person(photo_of((ellipse(body), RED)), Request(photo="", whole_frame=True))
    assert chosen.box == (0, 0, WIDTH, HEIGHT)
    assert iou(chosen.mask > 0.5, ellipse(body)) > 0.9


def test_featureless_box_still_gives_a_mask(use_detector):
    use_detector(None)
    flat = Photo(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), None, None, "")
    mask = person_from_box(flat, (100, 50, 200, 250)).mask
    assert (mask[50:250, 100:200] > 0.5).mean() > 0.1 and mask[:40].max() == mask[:, :90].max() == 0


@pytest.mark.parametrize(
    "box, sentence",
    [
        ((500, 10, 600, 200), "outside the photo; the photo has 400 x 300 pixels"),
        ((-50, -90, -1, -2), "outside the photo"),
        ((10, 10, 20, 200), "too small: 10 x 190"),
        ((395, 10, 600, 200), "too small: 5 x 190"),
        ((10, 10, 100, 30), "too small"),
        ((100, 10, 50, 200), "left, top, right, bottom"),
        ((10, 10, 10, 10), "left, top, right, bottom"),
        ((float("nan"), 0, 100, 100), "left, top, right, bottom"),
        ((0, 0, float("inf"), 100), "left, top, right, bottom"),
        ((0, 0, 100), "left, top, right, bottom"),
    ],
)
def test_bad_boxes(box, sentence):
    with pytest.raises(UserError, match=sentence):
        person_from_box(TWO, box)


coordinate = st.one_of(st.floats(-1e4, 1e4), st.sampled_from([0.0, float(WIDTH), float(HEIGHT)]))


@settings(max_examples=25, deadline=None)
@given(box=st.tuples(coordinate, coordinate, coordinate, coordinate))
def test_any_box_is_refused_or_clipped_into_the_photo(box):
    try:
        x0, y0, x1, y1 = person_module._checked_box(TWO, box)
    except UserError:
        return
    assert 0 <= x0 < x1 <= WIDTH and 0 <= y0 < y1 <= HEIGHT


# The network's glue


class RedNetwork(torch.nn.Module):
    """Answers as ultralytics' network does: one box around what is red; its prototype is red itself."""

    names = {0: "person"}

    def forward(self, image: torch.Tensor):
        red = (image[:, 0] > 0.7) & (image[:, 1] < 0.3)
        rows, columns = torch.nonzero(red[0], as_tuple=True)
        x0, x1, y0, y1 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        row = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, 0.9, 8.0])
        prototype = torch.nn.functional.avg_pool2d(red[:, None].float(), 4) - 0.5
        return (row.reshape(1, 6, 1), prototype), {}


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(64, 900),
    height=st.integers(64, 900),
    seed=st.integers(0, 99),
    scale=st.sampled_from([0.8, 1.0, 1.1]),
)
def test_boxes_and_masks_lie_where_the_person_is(width: int, height: int, seed: int, scale: float):
    rng = np.random.default_rng(seed)
    x0, y0 = int(rng.uniform(0, 0.5) * width), int(rng.uniform(0, 0.5) * height)
    x1, y1 = x0 + int(rng.uniform(0.3, 0.5) * width), y0 + int(rng.uniform(0.3, 0.5) * height)
    rgb = np.full((height, width, 3), 60, np.uint8)
    rgb[y0:y1, x0:x1] = (255, 0, 0)
    detector = Detector(RedNetwork(), image_size=320, threshold=0.3)
    (found,) = detector.detect(rgb, scale=scale)
    assert found.logits.shape == detector.mask_grid(height, width)  # the same at every scale, so that masks compare
    pixel = max(width, height) / (320 * scale)  # one pixel of the network in the photo
    assert np.abs(np.array(found.box) - (x0, y0, x1, y1)).max() <= 1.6 * pixel
    mask = cv2.resize(found.logits, (width, height)) > 0
    wrong = mask.copy()
    wrong[y0:y1, x0:x1] ^= True
    perimeter = 2 * (x1 - x0 + y1 - y0)
    assert wrong.sum() <= perimeter * 3.5 * pixel


class WideNetwork(RedNetwork):
    """Its mask is all of the picture, its box the middle third."""

    def forward(self, image: torch.Tensor):
        height, width = image.shape[-2:]
        row = torch.tensor([width / 2, height / 2, width / 3, height / 3, 0.9, 1.0])
        return (row.reshape(1, 6, 1), torch.full((1, 1, height // 4, width // 4), 5.0)), {}


def test_masks_end_a_little_beyond_their_box():
    (found,) = Detector(WideNetwork(), image_size=320, threshold=0.3).detect(np.zeros((320, 320, 3), np.uint8))
    seen = found.logits > 0
    assert (found.logits[~seen] == OUTSIDE).all()
    assert seen.any(0).mean() == pytest.approx(1.16 / 3, abs=0.02) and np.array_equal(seen, seen.T)


SMALL_CONFIG = {
    "nc": 1,
    "scale": "n",
    "scales": {"n": [1.0, 1.0, 64]},
    "backbone": [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [16, 3, 2]]],
    "head": [[-1, 1, "Conv", [16, 3, 2]], [[2, 3], 1, "Segment", [1, 4, 8]]],
}


def write_detector(path: Path, **changes: str) -> Path:
    tensors = build_network(json.loads(json.dumps(SMALL_CONFIG))).state_dict()
    tensors = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    metadata = {
        "format": FORMAT,
        "config": json.dumps(SMALL_CONFIG),
        "image_size": "128",
        "threshold": "0.3",
        "sha256": tensors_sha256(tensors),
    }
    save_file(tensors, str(path), metadata=metadata | changes)
    return path


def test_our_own_file(tmp_path: Path):
    detector = Detector.load(write_detector(tmp_path / "d.safetensors"))
    assert (detector.image_size, detector.threshold) == (128, 0.3)
    detector.threshold = 0.0
    found = detector.detect(np.zeros((90, 130, 3), np.uint8))
    assert found and found[0].logits.shape == (44, 64)


@pytest.mark.parametrize("damage", ["byte", "cut", "hash", "format", "config", "empty", "text"])
def test_damaged_file_of_our_own(tmp_path: Path, damage: str):
    changes = {"hash": {"sha256": "0" * 64}, "format": {"format": "other"}, "config": {"config": "{}"}}
    path = write_detector(tmp_path / "d.safetensors", **changes.get(damage, {}))
    data = bytearray(path.read_bytes())
    if damage == "byte":
        data[-100] ^= 1
    elif damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "empty":
        data = bytearray()
    elif damage == "text":
        data = bytearray(b"not found" * 99)
    path.write_bytes(data)
    with pytest.raises(UserError, match="The person detector d.safetensors is damaged or of another kind"):
        Detector.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"activation": "__import__('os').system('touch canary')"},
        {"nc": 10**9},
        {"nc": None},
        {"backbone": 1.5},
        {"backbone": [[-1, 10**9, "Conv", [8, 3, 2]]]},
        {"backbone": [[-1, 1, "attempt_download_asset", ["canary"]]]},
        {"scales": {"n": [1e9, 1.0, 64]}},
    ],
)
def test_a_header_can_ask_for_nothing_but_a_network_of_usual_size(tmp_path: Path, monkeypatch, change):
    monkeypatch.chdir(tmp_path)
    path = write_detector(tmp_path / "d.safetensors", config=json.dumps(SMALL_CONFIG | change))
    with pytest.raises(UserError, match="damaged or of another kind"):
        Detector.load(path)
    assert [file.name for file in tmp_path.iterdir()] == ["d.safetensors"]


def test_a_name_that_no_file_can_have(tmp_path: Path):
    with pytest.raises(UserError, match="There is no person detector at"):
        Detector.load(tmp_path / ("x" * 300 + ".safetensors"))


def test_a_long_strip_is_refused_before_its_square_takes_all_memory(use_detector, monkeypatch):
    use_detector(ColourDetector({RED: 0.9}))
    monkeypatch.setattr(memory, "free_mb", lambda: 2000.0)
    strip = Photo(np.zeros((64, 40_000, 3), np.uint8), None, None, "")
    with pytest.raises(UserError, match=r"50000 x 50000 pixels and needs about 38497 MB .* only 2000 MB are free"):
        select_person(strip, Request(photo="", whole_frame=True))


def test_the_search_tells_how_far_it_is_and_can_be_stopped(use_detector):
    use_detector(ColourDetector({RED: 0.9, BLUE: 0.9}))
    told = []
    select_person(TWO, Request(photo=""), told.append)
    assert told == sorted(told) and len(told) >= 8 and 0 <= told[0] and told[-1] < 1

    def stop(part: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        select_person(TWO, Request(photo="", box=(250, 80, 340, 260)), stop)


def test_missing_and_foreign_files(tmp_path: Path):
    with pytest.raises(UserError, match="There is no person detector at"):
        Detector.load(tmp_path / "yolo11n-seg.pt")  # a name that ultralytics would download
    with pytest.raises(UserError, match="There is no person detector at"):
        Detector.load(tmp_path)
    other = tmp_path / "d.onnx"
    other.write_bytes(b"x")
    with pytest.raises(UserError, match="is not a detector file"):
        Detector.load(other)


class Evil:
    """Unpickled without care, this makes a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("content", ["garbage", "zip", "tensors", "evil"])
def test_checkpoints_that_are_none(tmp_path: Path, content: str):
    path = tmp_path / "d.pt"
    if content == "garbage":
        path.write_bytes(b"\x80\x02nonsense" * 50)
    elif content == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "nothing")
    else:
        torch.save({"model": Evil(tmp_path / "made") if content == "evil" else torch.zeros(3)}, path)
    with pytest.raises(UserError, match="d.pt is damaged or not a YOLO checkpoint"):
        Detector.load(path)
    assert not (tmp_path / "made").exists()


def test_a_changed_file_is_loaded_again(tmp_path: Path):
    path = write_detector(tmp_path / "d.safetensors")
    first = person_module._detector(str(path))
    assert person_module._detector(str(path)) is first
    path.write_bytes(b"")
    os.utime(path, (1, 1))
    with pytest.raises(UserError):
        person_module._detector(str(path))


def test_importing_ultralytics_leaves_no_traces(tmp_path: Path, repo_root: Path):
    """In a process of its own: no network, no files, no patches, no changed threads or environment."""
    path = write_detector(tmp_path / "d.safetensors")
    home = tmp_path / "home"
    home.mkdir()
    script = f"""
import os, socket, sys
def refuse(*a, **k): raise AssertionError("network")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
import cv2, numpy as np, torch
from PIL import Image
torch.set_num_threads(3)
before = Image.open, torch.save, torch.get_num_threads(), dict(os.environ)
from phorhum_blender.engine.detector import Detector
Detector.load({str(path)!r}).detect(np.zeros((64, 64, 3), np.uint8))
assert "ultralytics" in sys.modules
after = Image.open, torch.save, torch.get_num_threads(), dict(os.environ)
assert before == after, (before, after)
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("YOLO", "ULTRALYTICS", "OMP_NUM"))}
    environment |= {"HOME": str(home), "APPDATA": str(home), "TMPDIR": str(tmp_path), "PYTHONPATH": str(repo_root)}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    left = {p.name for p in tmp_path.iterdir() if not p.name.startswith("torch")}
    assert left == {"d.safetensors", "home"}
    assert not any("ltralytics" in str(p) for p in home.rglob("*"))


# Real networks on real photos


@pytest.fixture(scope="module")
def bus() -> Photo:
    """The photo that the ultralytics package carries: three persons whole or nearly, one cut by the frame."""
    from phorhum_blender.engine.detector import import_ultralytics

    import_ultralytics()
    from ultralytics.utils import ASSETS

    return load_photo(ASSETS / "bus.jpg")


BUS_MAN = (48.0, 398.0, 242.0, 905.0)  # in full view on the left, of those in full view the largest


@pytest.fixture(scope="module")
def official(shared_dir: Path) -> str:
    return str(shared_dir / "weights/yolo11n-seg.dequant.pt")


def test_official_weights_find_the_bus_passengers(official: str, bus: Photo):
    persons = find_persons(bus, official)
    assert len(persons) == 4
    assert box_iou(persons[0].box, BUS_MAN) > 0.9
    areas = [p.mask.sum() for p in persons]
    assert areas == sorted(areas, reverse=True)


def test_shipped_file_is_ours_and_small():
    assert SHIPPED.stat().st_size <= 6 * 2**20
    with safe_open(str(SHIPPED), framework="pt") as opened:
        metadata = opened.metadata()
    assert metadata["format"] == FORMAT and json.loads(metadata["config"])["nc"] == 1


def test_shipped_detector_agrees_with_the_official_one_on_who_is_the_main_person(official: str, shared_dir: Path):
    """On the backdrops too: the photos' own alpha is left aside."""
    agreed = []
    paths = [p for p in sorted((shared_dir / "photos").iterdir()) if p.suffix in (".jpg", ".png")]
    for path in paths:
        photo = Photo(load_photo(path).rgb, None, None, "")
        try:
            found = find_persons(photo)[0].box
        except UserError:
            continue
        if box_iou(found, find_persons(photo, official)[0].box) > 0.5:
            agreed.append(path.name)
    assert len(agreed) == len(paths), agreed


def test_shipped_detector_finds_the_man_before_the_bus_first(bus: Photo):
    found = find_persons(bus)[0]
    assert box_iou(found.box, BUS_MAN) > 0.5


def test_shipped_detector_sees_nobody_in_an_empty_picture():
    empty = Photo(np.full((300, 400, 3), 180, np.uint8), None, None, "")
    with pytest.raises(UserError, match="No person was found"):
        find_persons(empty)
