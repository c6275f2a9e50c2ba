"""Peak memory of a reconstruction beyond a process that has loaded its networks, for ``engine/memory.py``.

``python benchmarks/memory.py PHOTO [RESOLUTION ...]`` reconstructs the photo at each resolution, each in a process of
its own, and prints a Markdown table and what a square cell takes between the two finest, where the surface decides.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path

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
    parser.add_argument("resolutions", type=int, nargs="*", default=[128, 256, 384, 512], help="two or more, rising")
    options = parser.parse_args()
    print("| resolution | loaded MB | peak MB | grown MB |\n|---:|---:|---:|---:|")
    grown = []
    for resolution in options.resolutions:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            loaded, peak = process.apply(measure, (options.photo, resolution))
        grown.append(peak - loaded)
        print(f"| {resolution} | {loaded:.0f} | {peak:.0f} | {peak - loaded:.0f} |", flush=True)
    *_, before, finest = options.resolutions
    print(f"\nMB_PER_SQUARE_CELL = {(grown[-1] - grown[-2]) / (finest**2 - before**2):.2e}")


if __name__ == "__main__":
    main()
