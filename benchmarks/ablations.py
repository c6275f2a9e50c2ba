"""What each part of training is good for: variants that differ by one thing, trained on equally many pictures.

    python -m benchmarks.ablations --cache CACHE --held-out CACHE_TEST --assets ../shared/assets --out RUNS
        --images 20000 --size 128 [--only NAME ...] [--data NAME=CACHE ...]

Other arguments are passed on to ``training.train``. Each variant is a run of it in its own folder of RUNS with the same
seed; one that was killed goes on, one that is finished is not run again. After each the table in docs/training.md is
written anew. ``--data`` adds variants that are trained on other samples, such as some without variation of poses.
"""

from __future__ import annotations

import argparse
import json
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
    "perception": ("perceived_albedo", "perceived_shaded"),
}
# name -> arguments of training.train by which it differs
VARIANTS: dict[str, list[str]] = {
    "full": [],
    **{f"without {name}": without(*losses) for name, losses in HEADS.items()},
    "without patches": ["--no-patches"],
    "AdamW alone": ["--optimiser", "adamw"],
    "points near the surface alone": ["--points", "near"],
    "no points along rays": ["--points", "near", "box"],
    "no points in the whole box": ["--points", "near", "rays"],
    "mask never known": ["--mask", "unknown"],
    "mask always true": ["--mask", "true"],
    **{f"loss {loss} off": without(loss) for loss in WEIGHTS},
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


def train_variant(run: Path, arguments: list[str]) -> dict[str, float]:
    """Measures of a variant, trained in the folder ``run`` unless that is done."""
    result = run / "result.json"
    if not result.exists():
        train.main([*arguments, "--out", str(run)])
        result.write_text(json.dumps(last_held_out(run)), encoding="utf-8")
    return json.loads(result.read_text(encoding="utf-8"))


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
    parser.add_argument("--data", nargs="+", default=[], metavar="NAME=CACHE", help="variants on other samples")
    parser.add_argument("--docs", type=Path, default=Path("docs/training.md"), help="document that gets the table")
    args, passed_on = parser.parse_known_args(arguments)
    common = ["--minutes", FOREVER, "--steps", str(args.images // args.batch), "--size", str(args.size)]
    common += ["--batch", str(args.batch), *passed_on]
    variants = {name: ["--cache", str(args.cache), *VARIANTS[name]] for name in args.only}
    for name, _, cache in (choice.partition("=") for choice in args.data):
        variants[name] = ["--cache", cache]
    results: dict[str, dict[str, float]] = {}
    head = f"{args.images} pictures of {args.size} pixels each; measures of held-out people."
    for name, different in variants.items():
        results[name] = train_variant(args.out / name.replace(" ", "_"), [*common, *different])
        write_section(args.docs, "ablations", f"{head}\n\n{table(results)}", "benchmarks.ablations")
    print(table(results))


if __name__ == "__main__":
    main()
