"""How much people lean who should not: with the camera taken for level, and with part of the lean taken for its tilt.

    python -m benchmarks.lean --assets ../shared/assets [--trained 600]

The lean is that of the line from the feet to the neck, as seen from the camera's side; the truth is known because the
people are placed by hand. Held-out people; ``--trained`` asks so many pictures of training people instead; on such,
then in poses as captured, :data:`phorhum_blender.engine.stance.CAMERA_SHARE` was chosen.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phorhum_blender.engine import stance
from phorhum_blender.engine.reconstruct import Reconstructor
from training.cache import Placed, place, pose_subject, random_pose, random_subject, random_view, standing
from training.evaluate import encode_picture
from training.held_out import held_out_cases, light_picture, place_case, render
from training.light import load_environments
from training.subjects import load_poses

SHARES = np.linspace(0, 1, 11)
POSES = 6  # of each training person


@dataclass(frozen=True)
class Seen:
    """A person before a camera."""

    placed: Placed
    standing: bool


@dataclass(frozen=True)
class Leans:
    """Degrees, positive towards the camera."""

    true: float  # from the vertical
    seen: float  # in the camera's axes, as the networks see it
    standing: bool


def held_out_people(assets: Path) -> Iterator[Seen]:
    poses = load_poses(assets, held_out=True)
    for case in held_out_cases(assets):
        yield Seen(place_case(case, assets), bool(standing(poses[case.pose][None])[0]))


def training_people(assets: Path, count: int) -> Iterator[Seen]:
    rng = np.random.default_rng(5)
    for number in range(count):
        if number % POSES == 0:
            subject = random_subject(rng, assets)
        pose = random_pose(rng, assets)
        yield Seen(place(subject, *pose_subject(subject, pose), **random_view(rng)), bool(standing(pose[None])[0]))


def measure(network: Reconstructor, seen: Seen, assets: Path, seed: int) -> Leans:
    sample = render(seen.placed, seed)
    picture, *_ = light_picture(sample, sample["albedo"].astype(np.float32) / 255, load_environments(assets), seed)
    joints = network.joints(encode_picture(network, picture, seen.placed.distance))
    true = math.degrees(stance.lean_towards_camera(seen.placed.joints)) - seen.placed.pitch
    return Leans(true, math.degrees(stance.lean_towards_camera(joints)), seen.standing)


def error(leans: list[Leans], share: float) -> float:
    """Mean error in degrees of the lean that is left when ``share`` of a small lean is the camera's."""
    kept = [one.seen - math.degrees(stance.pitch_of_lean(math.radians(one.seen), share)) for one in leans]
    return float(np.mean(np.abs(np.array(kept) - [one.true for one in leans])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--trained", type=int, default=0, metavar="N", help="pictures of training people instead")
    args = parser.parse_args()
    people = training_people(args.assets, args.trained) if args.trained else held_out_people(args.assets)
    network = Reconstructor()
    leans = [measure(network, seen, args.assets, seed) for seed, seen in enumerate(people)]
    groups = {
        "all": leans,
        "standing": [one for one in leans if one.standing],
        "others": [one for one in leans if not one.standing],
    }
    for name, group in groups.items():
        errors = "  ".join(f"{share:.1f}: {error(group, share):.2f}" for share in SHARES)
        print(f"{name}, {len(group)} pictures; error of the lean in degrees by the camera's share of it: {errors}")


if __name__ == "__main__":
    main()
