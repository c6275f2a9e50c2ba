"""What each part of training is good for: variants that differ by one thing, trained on equally many pictures.

    python -m benchmarks.ablations --cache CACHE --held-out CACHE_TEST --assets ../shared/assets --out RUNS
        --images 20000 --size 128 [--part 1/2] [--only NAME ...] [--data NAME=CACHE ...]

Other arguments are passed on to ``training.train``. Each variant is a run of it in its own folder of RUNS; one that was
killed goes on, one that is finished is not run again. After each the table in docs/training.md is written anew, with
all that are finished in RUNS. ``--part 1/2`` and ``--part 2/2``, at the same time, share the variants between them.
``--data`` adds variants that are trained on other samples, such as some without variation of poses.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from training import train
from training.evaluate import markdown_table, write_section
from training.losses import WEIGHTS

FOREVER = "1e9"  # minutes: the number of steps ends a run


def without(*losses: str) -> list[str]:
    """Arguments that leave losses out."""
    return [argument for loss in losses for argument in ("--weight", f"{loss}=0")]


# groups of losses, each with the outputs of G or the way of looking that they alone teach
HEADS = {
    "dense maps": ("mask", "front", "back", "relief", "tilt", "normal", "albedo", "albedo_back"),
    "depth maps": ("front", "back", "relief", "tilt"),
    "skeleton": ("joints", "joint_heat", "joint_depth", "parts"),
}
OF_PATCHES = ("patch_albedo", "patch_shaded", "perceived_albedo", "perceived_shaded")
PERCEPTION = OF_PATCHES[2:]
PLAIN = ["--no-patches"]  # as the shipped weights are trained: patches cost half of the time
# name -> arguments of training.train by which it differs; the second run tells what chance does
VARIANTS: dict[str, list[str]] = {
    "usual": PLAIN,
    "usual, by other chances": [*PLAIN, "--seed", "1"],
    "with patches": [],
    **{f"without {name}": [*PLAIN, *without(*losses)] for name, losses in HEADS.items()},
    "patches without perception": without(*PERCEPTION),
    "AdamW alone": [*PLAIN, "--optimiser", "adamw"],
    "points near the surface alone": [*PLAIN, "--points", "near"],
    "no points along rays": [*PLAIN, "--points", "near", "box"],
    "no points in the whole box": [*PLAIN, "--points", "near", "rays"],
    "mask never known": [*PLAIN, "--mask", "unknown"],
    "mask always true": [*PLAIN, "--mask", "true"],
    "camera never told": [*PLAIN, "--told", "0"],
    "camera always told": [*PLAIN, "--told", "1"],
    "no strangers": [*PLAIN, "--strangers", "0"],
    **{f"loss {loss} off": [*PLAIN, *without(loss)] for loss in WEIGHTS if loss not in OF_PATCHES},
    **{f"patches, loss {loss} off": without(loss) for loss in OF_PATCHES},
}
# column -> digits
MEASURES = {
    "depth_cm": 2, "joint_cm": 2, "surface_cm": 2, "point_iou": 3, "normal": 3, "surface_normal": 3, "albedo": 3,
    "surface_albedo": 3, "shading": 3, "light": 3,
}  # fmt: skip


def last_held_out(run: Path) -> dict[str, float]:
    """The last held-out measures of a run, with the 'seconds' it took. Raises ``ValueError`` where there are none."""
    log = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    entries = [entry for entry in log if "held_out" in entry]
    if not entries:
        raise ValueError(f"{run / 'log.jsonl'} has no held-out measures")
    return {**entries[-1]["held_out"], **entries[-1].get("surface", {}), "seconds": entries[-1]["seconds"]}


def train_variant(run: Path, arguments: list[str]) -> None:
    """Trains a variant in the folder ``run`` unless that is done, and leaves its measures there."""
    result = run / "result.json"
    if not result.exists():
        train.main([*arguments, "--out", str(run)])
        result.write_text(json.dumps(last_held_out(run)), encoding="utf-8")


def finished(runs: Path, names: Iterable[str]) -> dict[str, dict[str, float]]:
    """Measures of those of the variants that are done, in the order of ``names``."""
    results = {name: folder(runs, name) / "result.json" for name in names}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in results.items() if path.exists()}


def folder(runs: Path, name: str) -> Path:
    return runs / name.replace(" ", "_")


def table(results: dict[str, dict[str, float]]) -> str:
    """A row for each variant, in the order of ``results``, as Markdown."""
    rows = [
        [name, *(f"{found[key]:.{digits}f}" if key in found else "–" for key, digits in MEASURES.items())]
        + [f"{found['seconds'] / 60:.0f}"]
        for name, found in results.items()
    ]
    return markdown_table(["variant", *MEASURES, "minutes"], rows)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--images", type=int, required=True, help="pictures that each variant learns from")
    parser.add_argument("--size", type=int, default=128, help="pixels a side of the photos")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="only the k-th of n equal parts of the variants")
    parser.add_argument("--data", nargs="+", default=[], metavar="NAME=CACHE", help="variants on other samples")
    parser.add_argument("--docs", type=Path, default=Path("docs/training.md"), help="document that gets the table")
    args, passed_on = parser.parse_known_args(arguments)
    common = ["--minutes", FOREVER, "--steps", str(args.images // args.batch), "--size", str(args.size)]
    common += ["--batch", str(args.batch), *passed_on]
    variants = {name: ["--cache", str(args.cache), *VARIANTS[name]] for name in args.only}
    for name, _, cache in (choice.partition("=") for choice in args.data):
        variants[name] = ["--cache", cache, *PLAIN]
    part, parts = (int(number) for number in args.part.split("/"))
    head = f"{args.images} pictures of {args.size} pixels each; measures of held-out people."
    for name in list(variants)[part - 1 :: parts]:
        train_variant(folder(args.out, name), [*common, *variants[name]])
        results = finished(args.out, {**VARIANTS, **variants})
        write_section(args.docs, "ablations", f"{head}\n\n{table(results)}", "benchmarks.ablations")
        print(table(results))


if __name__ == "__main__":
    main()
