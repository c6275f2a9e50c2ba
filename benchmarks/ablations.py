"""What each part of training is good for: variants that differ by one thing, trained on equally many pictures.

    python -m benchmarks.ablations --samples SAMPLES --assets ../shared/assets --out RUNS --images 4000 960
        [--only NAME ...] [--part 1/2] [--data NAME=SAMPLES ...]

Each is trained as :mod:`training.recipe` does it, G first and f later, on small pictures; SAMPLES has ``maps/``,
``samples/`` and ``held_out/`` as the recipe leaves them. Variants that differ in f alone begin with the G of "usual",
which is trained first; those without one of G's losses end with the first stage. Other arguments are passed on to
``training.train``.

A variant that was killed goes on, one that is finished is not run again. After each the table in docs/training.md is
written anew, with all that are finished in RUNS. ``--part 1/2`` and ``--part 2/2``, at the same time once "usual" is
finished (``--only usual``), share the variants between them. ``--data`` adds variants that are trained on other
samples, such as some without variation of poses.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from training import train
from training.evaluate import markdown_table, write_section
from training.losses import WEIGHTS

FOREVER = "1e9"  # minutes: the number of steps ends a run
RESULT = "result.json"
BASE = "usual"  # the variant with whose G those begin that differ in f alone


@dataclass(frozen=True)
class Stage:
    """One of the two that a variant runs through, in this order."""

    name: str
    samples: str  # folder
    batch: int
    arguments: str  # of training.train


STAGES = (
    Stage("maps", "maps", 32, "--maps-only --lr 3e-3 --last-rate 0.2"),
    Stage("all", "samples", 8, "--lr 2e-3 --last-rate 0.1"),
)


@dataclass(frozen=True)
class Variant:
    """By what a run differs."""

    both: tuple[str, ...] = ()  # arguments of training.train, in both stages
    # in the second: the weights that ship saw no patches, which are dear; None leaves that stage out
    second: tuple[str, ...] | None = ("--no-patches",)
    samples: Path | None = None  # other samples than usual

    @property
    def differs_in_f_alone(self) -> bool:
        return not self.both and not self.samples


def off(*losses: str) -> tuple[str, ...]:
    """Arguments that leave losses out."""
    return tuple(argument for loss in losses for argument in ("--weight", f"{loss}=0"))


def only_f(*arguments: str) -> Variant:
    """One that differs in the second stage alone, without patches."""
    return Variant(second=("--no-patches", *arguments))


# groups of losses, each with the outputs of G or the way of looking that they alone teach
HEADS = {
    "dense maps": ("mask", "front", "back", "relief", "tilt", "normal", "albedo", "albedo_back"),
    "depth maps": ("front", "back", "relief", "tilt"),
    "skeleton": ("joints", "joint_heat", "joint_depth", "parts"),
}
OF_PATCHES = ("patch_albedo", "patch_shaded", "perceived_albedo", "perceived_shaded")
PERCEPTION = OF_PATCHES[2:]
OF_F = ("distance", "sign", "surface", "surface_normal", "eikonal", "surface_albedo", "off_surface_albedo")
# the second run tells what chance does; with the third compare those that end with the first stage
VARIANTS: dict[str, Variant] = {
    BASE: Variant(),
    "usual, by other chances": Variant(("--seed", "1")),
    "usual, first stage alone": Variant(second=None),
    "with patches": Variant(second=()),
    **{f"without {name}": Variant(off(*losses)) for name, losses in HEADS.items()},
    "patches without perception": Variant(second=off(*PERCEPTION)),
    "AdamW alone": Variant(("--optimiser", "adamw", "--lr", "1e-3")),
    "points near the surface alone": only_f("--points", "near"),
    "no points along rays": only_f("--points", "near", "box"),
    "no points in the whole box": only_f("--points", "near", "rays"),
    "mask never known": Variant(("--mask", "unknown")),
    "mask always true": Variant(("--mask", "true")),
    "camera never told": Variant(("--told", "0")),
    "camera always told": Variant(("--told", "1")),
    "no strangers": Variant(("--strangers", "0")),
    **{f"loss {loss} off": Variant(off(loss), None) for loss in WEIGHTS if loss not in OF_F + OF_PATCHES},
    **{f"loss {loss} off": only_f(*off(loss)) for loss in OF_F},
    **{f"patches, loss {loss} off": Variant(second=off(loss)) for loss in OF_PATCHES},
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


def train_variant(args: argparse.Namespace, passed_on: list[str], name: str, variant: Variant) -> None:
    """Trains a variant unless that is done, and leaves its measures in its folder of ``args.out``."""
    run = folder(args.out, name)
    if (run / RESULT).exists():
        return
    g_of = folder(args.out, BASE) if variant.differs_in_f_alone else run
    if g_of != run and not (g_of / RESULT).exists():
        raise SystemExit(f"{name!r} begins with the G of {BASE!r}; run --only {BASE} first.")
    maps, whole = STAGES
    common = ["--minutes", FOREVER, "--size", str(args.size), *passed_on]

    def train_stage(stage: Stage, images: int, out: Path, *more: str) -> None:
        samples = (variant.samples or args.samples) / stage.samples
        steps = ["--steps", str(images // stage.batch), "--batch", str(stage.batch), "--cache", str(samples)]
        train.main([*common, *steps, *stage.arguments.split(), *variant.both, *more, "--out", str(out)])

    if g_of == run:
        train_stage(maps, args.images[0], g_of / maps.name)
    found = [last_held_out(g_of / maps.name)]
    if variant.second is not None:
        start = ("--begin-with", str(g_of / maps.name / "weights.safetensors"))
        train_stage(whole, args.images[1], run / whole.name, *variant.second, *start)
        found.append(last_held_out(run / whole.name))
    run.mkdir(parents=True, exist_ok=True)  # one that needed nothing of its own has none
    result = {**found[-1], "seconds": sum(one["seconds"] for one in found)}
    (run / RESULT).write_text(json.dumps(result), encoding="utf-8")


def finished(runs: Path, names: Iterable[str]) -> dict[str, dict[str, float]]:
    """Measures of those of the variants that are done, in the order of ``names``."""
    results = {name: folder(runs, name) / RESULT for name in names}
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
    parser.add_argument("--samples", type=Path, required=True, help="folder with maps/, samples/ and held_out/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--images", type=int, nargs=2, required=True, metavar=("G", "ALL"), help="pictures a stage")
    parser.add_argument("--size", type=int, default=64, help="pixels a side of the photos")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="only the k-th of n equal parts of the variants")
    parser.add_argument("--data", nargs="+", default=[], metavar="NAME=SAMPLES", help="variants on other samples")
    parser.add_argument("--docs", type=Path, default=Path("docs/training.md"), help="document that gets the table")
    args, passed_on = parser.parse_known_args(arguments)
    passed_on += ["--held-out", str(args.samples / "held_out")]
    others = {name: Variant(samples=Path(folder)) for name, _, folder in (text.partition("=") for text in args.data)}
    part, parts = (int(number) for number in args.part.split("/"))
    counts = f"{args.images[0]} pictures for G alone, then {args.images[1]} for all, of {args.size} pixels each"
    head = f"{counts}; measures of held-out people."
    variants = {**{name: VARIANTS[name] for name in args.only}, **others}
    for name in list(variants)[part - 1 :: parts]:
        train_variant(args, passed_on, name, variants[name])
        results = finished(args.out, {**VARIANTS, **others})
        write_section(args.docs, "ablations", f"{head}\n\n{table(results)}", "benchmarks.ablations")
        print(table(results), flush=True)


if __name__ == "__main__":
    main()
