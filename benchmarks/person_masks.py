"""The person that the detector and segmenter that ship cut out of each photo, against what it should be.

    python -m benchmarks.person_masks --photos ../shared/photos --official ../shared/weights/yolo11n-seg.dequant.pt \
        --cache CACHE --assets ../shared/assets

True is the photo's own alpha, which is left aside while the person is looked for; of photos without one, what the
official YOLO11n-seg cuts out, its edges drawn as the product draws them. The persons whose alpha is known are then put
before drawn surroundings, with things and persons from CACHE (:mod:`training.cache`) behind them. Both tables go into
docs/results.md.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.person import Person, cut_out, drawn, find_persons, person_from_alpha, select_person
from phorhum_blender.engine.photo import Photo, load_photo
from phorhum_blender.engine.segmenter import WORKING_SIDE, Square, bounds, box_iou, fit
from training.backgrounds import background_photos
from training.detector_scenes import SceneMaker, cutout_paths
from training.evaluate import markdown_table, write_section
from training.metrics import mask_iou

SURROUNDINGS = 8  # of each person
SIZE = 420  # pixels a side of the pictures with drawn surroundings
GOOD = 0.85  # IoU


def true_person(photo: Photo, official: str) -> Person:
    """Who is to be cut out. The official model finds the person in the whole photo and draws it in a square around."""
    if photo.alpha is not None:
        return person_from_alpha(photo)
    square = Square.around(find_persons(photo, official)[0].box)
    near = find_persons(replace(photo, rgb=square.cut(photo.rgb)), official)[0]
    side = min(square.side, WORKING_SIDE)
    mask = drawn(photo, square, fit(near.mask, (side, side)))
    return Person(bounds(mask >= 0.5), mask, near.score)


def agreement(found: Person | None, true: Person) -> tuple[float, float]:
    """IoU of the two boxes and of the two masks; 0 where nobody was found."""
    if found is None:
        return 0.0, 0.0
    return box_iou(found.box, true.box), mask_iou(found.mask > 0.5, true.mask > 0.5)


def main_person(photo: Photo) -> Person | None:
    """The main person as the product cuts it out."""
    try:
        return select_person(replace(photo, alpha=None), Request(photo=""))
    except UserError:
        return None


def in_drawn_surroundings(photos: list[Photo], cache: Path, assets: Path) -> np.ndarray:
    """(N, 2, 2): of each picture, what :func:`agreement` says of the product's person and of the detector's alone. Of
    all persons found, the one nearest to the true one counts."""
    maker = SceneMaker(cutout_paths(cache, held_out=True), assets, seed=99)
    rows = []
    for photo in photos:
        assert photo.alpha is not None
        x0, y0, x1, y1 = (int(v) for v in bounds(photo.alpha >= 128))
        for _ in range(SURROUNDINGS):
            picture, cover = maker.around(photo.rgb[y0:y1, x0:x1], photo.alpha[y0:y1, x0:x1], SIZE)
            true = Person(bounds(cover >= 0.5), cover, 1.0)
            made = Photo(picture, None, None, "")
            try:
                persons = find_persons(made)
            except UserError:
                rows.append([(0.0, 0.0)] * 2)
                continue
            nearest = max(range(len(persons)), key=lambda k: box_iou(persons[k].box, true.box))
            rows.append([agreement(cut_out(made, persons, nearest), true), agreement(persons[nearest], true)])
    return np.array(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of real photos")
    parser.add_argument("--official", required=True, help="the official weights, a .pt file")
    parser.add_argument("--cache", type=Path, help="folder of samples; without it, no drawn surroundings")
    parser.add_argument("--assets", type=Path, default=Path("../shared/assets"))
    parser.add_argument("--docs", type=Path, default=Path("docs/results.md"), help="document that gets the tables")
    args = parser.parse_args()
    photos = {path.name: load_photo(path) for path in background_photos(args.photos)}
    rows = []
    for name, photo in photos.items():
        values = agreement(main_person(photo), true_person(photo, args.official))
        judge = "official model" if photo.alpha is None else "its alpha"
        rows.append([name, judge, *(f"{value:.3f}" for value in values)])
        print(rows[-1], flush=True)
    table = markdown_table(["photo", "true is", "box IoU", "mask IoU"], rows)
    write_section(args.docs, "person masks", table, "benchmarks.person_masks")
    if args.cache:
        known = [photo for photo in photos.values() if photo.alpha is not None]
        results = in_drawn_surroundings(known, args.cache, args.assets)
        rows = [
            [
                who,
                *(f"{value:.3f}" for value in (boxes.mean(), masks.mean(), np.median(masks))),
                str((masks < GOOD).sum()),
            ]
            for who, (boxes, masks) in zip(("product", "detector alone"), results.transpose(1, 2, 0), strict=True)
        ]
        header = ["cut out by", "box IoU, mean", "mask IoU, mean", "median", f"below {GOOD}, of {len(results)}"]
        write_section(args.docs, "drawn surroundings", markdown_table(header, rows), "benchmarks.person_masks")
        print(rows)


if __name__ == "__main__":
    main()
