"""The mean, weight by weight, of networks of which one was trained on from the other.

    python -m training.blend A.safetensors B.safetensors -o OUT.safetensors [--share 0.5]

Where learning went on from A to B with other samples, the mean is often better at both (Wortsman et al., 2022, "Robust
fine-tuning of zero-shot models"); of networks that learned apart it is worthless.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from phorhum_blender.engine.model import PhorhumModel


def blend(first: PhorhumModel, second: PhorhumModel, share: float) -> PhorhumModel:
    """``first`` with its weights moved by ``share`` (0..1) towards those of ``second``, which is built alike."""
    if first.config != second.config:
        raise SystemExit("The two networks are not built alike.")
    others = second.state_dict()
    weights = first.state_dict().items()
    first.load_state_dict({name: weight * (1 - share) + others[name] * share for name, weight in weights})
    return first


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, nargs=2)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the second")
    args = parser.parse_args(arguments)
    first, second = (PhorhumModel.load(path) for path in args.weights)
    blend(first, second, args.share).save(args.out)


if __name__ == "__main__":
    main()
