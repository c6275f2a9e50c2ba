"""How much a detector's sloppy box changes the surface and the mask.

    python -m benchmarks.sloppy_box --assets ../shared/assets [--every 2] [--resolution 96]
    python -m benchmarks.sloppy_box --photos ../shared/photos

With ``--assets``: held-out people in boxes a tenth too wide, too narrow, aside; first as G would see them if nobody
mended the box, then in the box that the segmenter makes of it. With ``--photos``: the detector's box of each photo's
main person made as wrong, and what the segmenter makes of it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from phorhum_blender.engine.camera import PADDING, CropSquare
from phorhum_blender.engine.person import cut_out, find_persons, person_from_box
from phorhum_blender.engine.photo import Photo, load_photo
from phorhum_blender.engine.reconstruct import Reconstructor
from phorhum_blender.engine.segmenter import Box, bounds, box_iou
from training.backgrounds import background_photos
from training.evaluate import from_network, measure
from training.held_out import Truth, held_out_cases, make_truth
from training.metrics import mask_iou

MARGIN = 1.5  # side of the picture in which the segmenter sees a held-out person / side of the true crop
BOXES: dict[str, dict[str, Any]] = {  # name -> arguments of training.cache.place; a shift is in halves of the crop
    "true box": {},
    "10 % larger": {"padding": PADDING * 1.1},
    "10 % smaller": {"padding": PADDING * 0.9},
    "10 % to the right": {"shift": (0.2 / PADDING, 0.0)},
    "10 % up": {"shift": (0.0, 0.2 / PADDING)},
}
WRONG: dict[str, tuple[float, float, float]] = {  # name -> factor of the box's size, shift right and down in its sides
    "10 % larger": (1.1, 0.0, 0.0),
    "10 % smaller": (0.9, 0.0, 0.0),
    "10 % to the right": (1.0, 0.1, 0.0),
    "10 % up": (1.0, 0.0, -0.1),
}


def surfaces(assets: Path, every: int, resolution: int) -> None:
    """Prints the mean Chamfer distance of each of ``BOXES``, and of each of ``WRONG`` as the segmenter mends it."""
    network = Reconstructor()
    cases = held_out_cases(assets)[::every]

    def tell(name: str, crops: list[dict[str, Any]]) -> None:
        truths = (make_truth(case, assets, **crop) for case, crop in zip(cases, crops, strict=True))
        found = [measure(from_network(network, truth, resolution), truth)["chamfer_cm"] for truth in truths]
        print(f"{name}: mean Chamfer distance {np.mean(found):.2f} cm of {len(found)} pictures", flush=True)

    for name, crop in BOXES.items():
        tell(name, [crop] * len(cases))
    pictures = [make_truth(case, assets, padding=PADDING * MARGIN) for case in cases]
    for name, change in WRONG.items():
        tell(f"{name}, mended", [mended(picture, change) for picture in pictures])


def mended(picture: Truth, change: tuple[float, float, float]) -> dict[str, Any]:
    """The crop, as :func:`training.cache.place` takes it, that the engine makes of a box as wrong as ``change``."""
    rgb = np.rint(picture.image[:3].transpose(1, 2, 0) * 255).astype(np.uint8)
    true = bounds(picture.mask)
    found = person_from_box(Photo(rgb, None, None, ""), wrong(true, *change)).box
    right, now = CropSquare.around(true), CropSquare.around(found)
    half = now.side / 2
    return {
        "padding": PADDING * now.side / right.side,
        "shift": ((now.centre_x - right.centre_x) / half, (right.centre_y - now.centre_y) / half),
    }


def masks(photos: Path) -> None:
    """Prints how far box and mask differ from those of the detector's own box, for each of ``WRONG``."""
    found = []
    for path in background_photos(photos):
        photo = replace(load_photo(path), alpha=None)
        first, *others = find_persons(photo)
        usual = cut_out(photo, [first, *others], 0)
        for name, change in WRONG.items():
            sloppy = cut_out(photo, [replace(first, box=wrong(first.box, *change)), *others], 0)
            agreement = box_iou(sloppy.box, usual.box), mask_iou(sloppy.mask > 0.5, usual.mask > 0.5)
            found.append((name, *agreement))
    for name in WRONG:
        boxes, agreements = np.array([row[1:] for row in found if row[0] == name]).T
        print(
            f"{name}: box IoU {boxes.mean():.3f}, least {boxes.min():.3f}, "
            f"mask IoU {agreements.mean():.3f}, least {agreements.min():.3f} of {len(boxes)} photos",
            flush=True,
        )


def wrong(box: Box, factor: float, right: float, down: float) -> Box:
    """``box`` with its size changed about its middle, and moved."""
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    size = np.array([box[2] - box[0], box[3] - box[1]])
    middle += size * [right, down]
    x0, y0, x1, y1 = np.concatenate([middle - size * factor / 2, middle + size * factor / 2]).tolist()
    return x0, y0, x1, y1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--assets", type=Path, help="folder of the people")
    source.add_argument("--photos", type=Path, help="folder of real photos")
    parser.add_argument("--every", type=int, default=2, help="take every so many of the 48 held-out pictures")
    parser.add_argument("--resolution", type=int, default=96)
    args = parser.parse_args()
    if args.photos:
        masks(args.photos)
    else:
        surfaces(args.assets, args.every, args.resolution)


if __name__ == "__main__":
    main()
