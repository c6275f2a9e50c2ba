"""The person that the shipped detector cuts out of each photo, against what the official YOLO11n-seg cuts out.

    python -m benchmarks.person_masks --photos ../shared/photos --official ../shared/weights/yolo11n-seg.dequant.pt

A photo's own alpha is left aside by both. The table goes into docs/results.md.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from phorhum_blender.engine.contracts import Request
from phorhum_blender.engine.errors import UserError
from phorhum_blender.engine.person import select_person
from phorhum_blender.engine.photo import Photo, load_photo
from training.backgrounds import background_photos
from training.detector import box_iou
from training.evaluate import markdown_table, write_section
from training.metrics import mask_iou


def agreement(photo: Photo, official: str) -> tuple[float, float]:
    """IoU of the two boxes and of the two masks; 0 where the shipped detector finds nobody."""
    theirs = select_person(photo, Request(photo="", detector=official))
    try:
        ours = select_person(photo, Request(photo=""))
    except UserError:
        return 0.0, 0.0
    return box_iou(np.array(ours.box), np.array(theirs.box)), mask_iou(ours.mask > 0.5, theirs.mask > 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of real photos")
    parser.add_argument("--official", required=True, help="the official weights, a .pt file")
    parser.add_argument("--docs", type=Path, default=Path("docs/results.md"), help="document that gets the table")
    args = parser.parse_args()
    rows = []
    for path in background_photos(args.photos):
        photo = load_photo(path)
        found = agreement(replace(photo, alpha=None), args.official)
        rows.append([path.name, "yes" if photo.alpha is not None else "no", *(f"{value:.3f}" for value in found)])
        print(rows[-1], flush=True)
    table = markdown_table(["photo", "has alpha", "box IoU", "mask IoU"], rows)
    write_section(args.docs, "person masks", table, "benchmarks.person_masks")


if __name__ == "__main__":
    main()
