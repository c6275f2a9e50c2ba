"""Peak memory of a reconstruction beyond a process that has loaded its networks, for ``engine/memory.py``.

``python benchmarks/memory.py PHOTO [RESOLUTION ...]`` reconstructs the photo at each resolution, each in a process of
its own, prints a Markdown table and fits the two constants: the base and what grows with the square of the resolution.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from phorhum_blender.engine.contracts import Request  # noqa: E402


def measure(photo: str, resolution: int) -> tuple[float, float]:
    """MB of the process with its networks loaded, and at its peak."""
    from phorhum_blender.engine.reconstruct import Reconstructor, peak_memory_mb

    reconstructor = Reconstructor()
    loaded = peak_memory_mb()
    reconstructor.run(Request(photo, resolution=resolution))
    return loaded, peak_memory_mb()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo")
    parser.add_argument("resolutions", type=int, nargs="*", default=[128, 256, 384, 512])
    options = parser.parse_args()
    print("| resolution | loaded MB | peak MB | grown MB |\n|---:|---:|---:|---:|")
    grown = []
    for resolution in options.resolutions:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            loaded, peak = process.apply(measure, (options.photo, resolution))
        grown.append(peak - loaded)
        print(f"| {resolution} | {loaded:.0f} | {peak:.0f} | {peak - loaded:.0f} |", flush=True)
    if len(grown) > 1:
        slope, base = np.polyfit(np.square(options.resolutions), grown, 1)
        print(f"\nBASE_MB = {base:.0f}, MB_PER_SQUARE_CELL = {slope:.2e}")


if __name__ == "__main__":
    main()
