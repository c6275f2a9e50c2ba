"""How much a detector's sloppy box changes the surface: held-out people cut out a tenth too wide, too narrow, aside.

python -m benchmarks.sloppy_box --assets ../shared/assets [--every 2] [--resolution 96]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from phorhum_blender.engine.camera import PADDING
from phorhum_blender.engine.reconstruct import Reconstructor
from training.evaluate import from_network, measure
from training.held_out import held_out_cases, make_truth

BOXES: dict[str, dict[str, Any]] = {  # name -> arguments of training.cache.place; a shift is in halves of the crop
    "true box": {},
    "10 % larger": {"padding": PADDING * 1.1},
    "10 % smaller": {"padding": PADDING * 0.9},
    "10 % to the right": {"shift": (0.2 / PADDING, 0.0)},
    "10 % up": {"shift": (0.0, 0.2 / PADDING)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--every", type=int, default=2, help="take every so many of the 48 held-out pictures")
    parser.add_argument("--resolution", type=int, default=96)
    args = parser.parse_args()
    network = Reconstructor()
    cases = held_out_cases(args.assets)[:: args.every]
    for name, crop in BOXES.items():
        truths = (make_truth(case, args.assets, **crop) for case in cases)
        found = [measure(from_network(network, truth, args.resolution), truth)["chamfer_cm"] for truth in truths]
        print(f"{name}: mean Chamfer distance {np.mean(found):.2f} cm of {len(found)} pictures", flush=True)


if __name__ == "__main__":
    main()
