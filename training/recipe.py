"""Weights from scratch by one command: samples, then the stages of training one after the other.

    python -m training.recipe --assets ../shared/assets --out RUN --minutes 240

It goes on where it was when it was killed. RUN gets ``maps/``, ``samples/`` and ``held_out/`` (see ``training.cache``),
the files of ``training.train``, and at last ``weights.safetensors`` of all stages; ``heads/``, ``head_held_out/`` and
``head/`` are the same of the head's networks. ``--minutes`` are those of learning; the samples of 2,000 people take
about 50 more on two cores.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training import cache, train

HELD_OUT_SEED = 900_000  # of the first held-out person
HELD_OUT_PEOPLE = 30
MAPS_SEED = 1_000_000  # of the first person for G alone, so that they are others
MAPS_SIZE, MAPS_POSES = 96, 5  # pixels; of each person, two views each
FULL_SIZE = 192  # pixels, of the samples from which f learns too
MAPS_PEOPLE = 2  # for each person whose field is learned, too
HEADS_SEED = 2_000_000
HEADS_SIZE, HEADS_VIEWS = 128, 4
HEAD = f"--network head --size {HEADS_SIZE} --batch 32"


@dataclass(frozen=True)
class Stage:
    name: str
    share: float  # of the minutes
    samples: str  # folder
    arguments: str  # of training.train
    run: str = ""  # folder of its checkpoint, log and weights, where that is not RUN


# Small photos and G alone first: what limbs do in depth is the hard part, and it is learned from many cheap pictures of
# many people in many poses, which G would learn by heart if they were few.
STAGES = (
    Stage("maps64", 0.08, "maps", "--maps-only --size 64 --batch 32 --lr 3e-3 --last-rate 0.4"),
    Stage("maps96", 0.32, "maps", "--maps-only --size 96 --batch 32 --lr 3e-3 --last-rate 0.3"),
    Stage("all128", 0.20, "samples", "--no-patches --size 128 --batch 32 --lr 2e-3 --last-rate 0.4"),
    Stage("all192", 0.20, "samples", "--no-patches --size 192 --batch 16 --lr 1e-3"),
    Stage("headmaps", 0.07, "heads", f"{HEAD} --maps-only --lr 3e-3 --last-rate 0.3", "head"),
    Stage("headall", 0.13, "heads", f"{HEAD} --no-patches --lr 2e-3", "head"),
)


def make_samples(assets: Path, out: Path, people: int, workers: int) -> None:
    """Samples of training and of held-out people that are not there yet."""
    jobs = (
        (cache.Job(assets, out / "held_out", cache.VIEWS, held_out=True), HELD_OUT_SEED, HELD_OUT_PEOPLE),
        (
            cache.Job(assets, out / "maps", cache.VIEWS, False, MAPS_SIZE, MAPS_POSES, maps_only=True),
            MAPS_SEED,
            people * MAPS_PEOPLE,
        ),
        (cache.Job(assets, out / "samples", cache.VIEWS, held_out=False, size=FULL_SIZE), 0, people),
        (
            cache.Job(assets, out / "head_held_out", cache.VIEWS, held_out=True, size=HEADS_SIZE, heads=True),
            HELD_OUT_SEED,
            HELD_OUT_PEOPLE,
        ),
        (cache.Job(assets, out / "heads", HEADS_VIEWS, False, HEADS_SIZE, heads=True), HEADS_SEED, people),
    )
    for job, first, count in jobs:
        made = sum(cache.run(job, range(first, first + count), workers))
        print(f"{job.out.name}: {made} samples made", flush=True)


def stages_to_do(out: Path) -> Iterator[Stage]:
    """The stages that are not finished, one after the other; each counts as finished once the next is asked for."""
    record = out / "finished_stages.txt"
    finished = record.read_text().split() if record.exists() else []
    for stage in STAGES:
        if stage.name in finished:
            continue
        yield stage
        finished.append(stage.name)
        partial = record.with_suffix(".part")
        partial.write_text("\n".join(finished) + "\n")
        os.replace(partial, record)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="Anything else is passed on to every stage of training.train."
    )
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of samples, checkpoint, log and weights")
    parser.add_argument("--minutes", type=float, required=True, help="of learning, of all stages together")
    parser.add_argument("--people", type=int, default=2000, help="to train on; twice as many others for G alone")
    parser.add_argument("--workers", type=int, default=1, help="processes that make samples, then photos")
    args, passed_on = parser.parse_known_args(arguments)
    make_samples(args.assets, args.out, args.people, max(args.workers, 1))
    common = ["--assets", str(args.assets), "--workers", str(args.workers), *passed_on]
    for stage in stages_to_do(args.out):
        held_out = args.out / (f"{stage.run}_held_out" if stage.run else "held_out")
        folders = ["--cache", str(args.out / stage.samples), "--held-out", str(held_out)]
        folders += ["--out", str(args.out / stage.run)]
        minutes = str(args.minutes * stage.share)
        train.main([*common, *folders, "--stage", stage.name, "--minutes", minutes, *stage.arguments.split()])
    for run in sorted({stage.run for stage in STAGES}):
        print(args.out / run / "weights.safetensors")


if __name__ == "__main__":
    main()
