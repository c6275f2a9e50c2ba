"""The robustness suite: ``python -m tests.robustness``; see docs/reliability.md.

Each part runs in a process of its own, so that a crash of one is told and stops no other. A table is printed;
``--json`` writes the same as a file. Exit status 1 where anything was not as it must be.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.stand_ins import ROOT

from .rules import Tally

INPUTS, KILLS, CANCELS, RUNS = 2400, 50, 50, 100
SHARES = {  # of --inputs
    "photos": 0.5,
    "weights": 0.12,
    "lines": 0.18,
    "requests": 0.06,
    "outputs": 0.06,
    "engine": 0.06,
    "blender": 0.02,
}
# part -> module and function
PARTS = {
    "photos": "photos.run",
    "weights": "weights.run",
    "lines": "lines.run",
    "requests": "requests.run",
    "outputs": "outputs.run",
    "engine": "engine.run",
    "blender": "blender.run",
    "cancels": "processes.run_cancels",
    "worker": "processes.run_worker_kills",
    "parent": "processes.run_parent_kills",
    "memory": "endurance.run_many",
    "two": "endurance.run_two",
}


def main() -> int:
    options = parser().parse_args()
    if options.inside:
        return run_inside(options)
    tallies = [tally for part in options.only or PARTS for tally in run_apart(part, options)]
    if options.json:
        Path(options.json).write_text(json.dumps([tally.to_json() for tally in tallies], indent=1))
    for line in table(tallies):
        print(line)
    inputs = sum(tally.distinct for tally in tallies if tally.part.partition(" ")[0] in SHARES)
    print(f"\n{inputs} different inputs")
    return int(any(tally.fault for tally in tallies))


def count_of(part: str, options: argparse.Namespace) -> int:
    if part in SHARES:
        return max(1, round(options.inputs * SHARES[part]))
    return {"cancels": options.cancels, "worker": options.kills, "parent": options.kills}.get(part, options.runs)


def run_apart(part: str, options: argparse.Namespace) -> list[Tally]:
    """The part's tallies, from a process of its own."""
    print(f"{part} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="phorhum-robust-", ignore_cleanup_errors=True) as folder:
        out = Path(folder, "tallies.json")
        counts = [f"--{name}={getattr(options, name)}" for name in ("inputs", "kills", "cancels", "runs", "seed")]
        command = [sys.executable, "-m", "tests.robustness", f"--inside={part}", f"--json={out}", *counts]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if not out.exists():
            return [Tally(part, fault=f"ended with status {done.returncode}\n{done.stderr[-4000:]}")]
        return [Tally(**values) for values in json.loads(out.read_text())]


def run_inside(options: argparse.Namespace) -> int:
    module, function = PARTS[options.inside].split(".")
    run = getattr(importlib.import_module(f".{module}", __package__), function)
    with tempfile.TemporaryDirectory(prefix="phorhum-part-", ignore_cleanup_errors=True) as folder:
        tallies = run(count_of(options.inside, options), options.seed, Path(folder))
    tallies = tallies if isinstance(tallies, list) else [tallies]
    Path(options.json).write_text(json.dumps([tally.to_json() for tally in tallies]))
    return 0


def table(tallies: list[Tally]) -> Iterator[str]:
    yield "| part | different | outcomes | slowest s | measured | holds |\n|---|---:|---|---:|---|---|"
    for tally in tallies:
        outcomes, figures = (
            ", ".join(f"{name} {value}" for name, value in values.items()) for values in (tally.outcomes, tally.figures)
        )
        holds = "NO" if tally.fault else "yes"
        yield f"| {tally.part} | {tally.distinct} | {outcomes} | {tally.slowest} | {figures} | {holds} |"
    for tally in tallies:
        if tally.fault:
            yield f"\n{tally.part}:\n{tally.fault}"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--inputs", type=int, default=INPUTS, help="damaged and odd inputs in all (default %(default)s)")
    made.add_argument("--kills", type=int, default=KILLS, help="of the worker, and of the parent (default %(default)s)")
    made.add_argument("--cancels", type=int, default=CANCELS, help="default %(default)s")
    made.add_argument("--runs", type=int, default=RUNS, help="reconstructions in one Blender (default %(default)s)")
    made.add_argument("--seed", type=int, default=0, help="another one gives other inputs and moments")
    made.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"some of {', '.join(PARTS)}")
    made.add_argument("--json", default="", metavar="FILE", help="also write the figures there")
    made.add_argument("--inside", choices=PARTS, help=argparse.SUPPRESS)  # for the processes of the parts
    return made


if __name__ == "__main__":
    sys.exit(main())
