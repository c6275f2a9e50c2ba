"""The body's core, of depth maps made by hand."""

from __future__ import annotations

import torch

from phorhum_blender.engine.core import LEAST, LIMB, LOST, ROUNDNESS, SHARE, Core, smooth_minimum, steepness
from phorhum_blender.engine.model import Encoding
from phorhum_blender.engine.model.feature_extractor import DENSE_CHANNELS

SIZE = 64


def core_of(front: torch.Tensor, back: torch.Tensor, seen: float = 5.0) -> Core:
    """Of depth maps (SIZE, SIZE) and a logit of the mask."""
    features = torch.zeros(1, DENSE_CHANNELS + 4, SIZE, SIZE)
    features[:, 0], features[:, 1], features[:, 2] = seen, front, back
    rest = torch.zeros(1, 4), torch.zeros(1, 21, 3), torch.zeros(1, 21, 4, 4), torch.zeros(1, 16, 16, 16)
    return Core(Encoding(torch.zeros(1, 4, 32, 32), features, *rest), 4.0)


def even(depth: float) -> torch.Tensor:
    return torch.full((SIZE, SIZE), depth)


def along_the_axis(*z: float) -> torch.Tensor:
    return torch.tensor([[0.0, 0.0, depth] for depth in z])


def distances(core: Core, points: torch.Tensor, hull: float = -1.0, lost: float = 1.0) -> torch.Tensor:
    """Where the outline is as far as ``hull`` tells, and as much ``lost``."""
    return core.distances(points, torch.full((len(points),), hull), torch.full((len(points),), lost))


def test_the_core_of_a_limb_lies_in_its_middle():
    core = core_of(even(0.08), even(-0.02))
    away = distances(core, along_the_axis(0.03, 0.03 + 0.05 * SHARE, 0.08, -0.02, 0.5))
    assert away[0] < 0 and away[1].abs() < 1e-6
    assert (away[2:] > 0).all()


def test_the_core_rounds_off_towards_the_outline():
    core, half = core_of(even(0.06), even(-0.06)), 0.06 * SHARE
    for hull, depth in ((-1.0, half), (-ROUNDNESS, half), (-0.5 * ROUNDNESS, 0.75**0.5 * half), (0.0, LEAST)):
        away = distances(core, along_the_axis(depth - 1e-4, depth + 1e-4), hull)
        assert away[0] < 0 < away[1]


def test_where_nobody_is_seen_there_is_no_core():
    assert (distances(core_of(even(0.08), even(-0.02), seen=-5.0), along_the_axis(0.03)) > 0).all()


def test_where_nothing_is_lost_there_is_no_core():
    core = core_of(even(0.08), even(-0.02))
    inside = [float(distances(core, along_the_axis(0.03), lost=lost)) < 0 for lost in (0.0, LOST / 2, 2 * LOST)]
    assert inside == [False, False, True]


def test_what_is_as_thin_as_paper_has_a_core():
    core = core_of(even(0.0), even(0.0))
    away = distances(core, along_the_axis(0.0, LEAST / 2, 2 * LEAST))
    assert (away[:2] < 0).all() and away[2] > 0


def test_between_a_leg_and_the_leg_behind_it_there_is_nothing():
    core = core_of(even(0.25), even(-0.25))
    away = distances(core, along_the_axis(0.25 - LIMB / 2, 0.0, -0.25 + LIMB / 2))
    assert away[0] < 0  # the leg that is seen
    assert (away[1:] > 0.02).all()


def test_no_curtain_hangs_where_the_front_leaps_back_to_another_limb():
    front = even(0.25)
    front[:, SIZE // 2 :] = -0.13
    at_the_leap = along_the_axis(*torch.linspace(-0.1, 0.15, 20).tolist())
    assert (distances(core_of(front, even(-0.25)), at_the_leap) > 0).all()
    beside = torch.tensor([[-0.5, 0.0, 0.25 - LIMB / 2], [0.5, 0.0, -0.13 - LIMB / 2]])
    assert (distances(core_of(front, even(-0.25)), beside * torch.tensor([0.9, 1, 1])) < 0).all()


def test_no_curtain_hangs_where_both_sides_leap_together():
    """From one trouser leg to the one that stands behind it, each as deep as a limb."""
    front = even(0.15)
    front[:, SIZE // 2 :] = -0.15
    at_the_leap = along_the_axis(*torch.linspace(-0.2, 0.1, 20).tolist())
    assert (distances(core_of(front, front - 0.11), at_the_leap) > 0).all()


def test_steepness_is_that_of_the_steeper_side():
    ramp = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    slanted = steepness((3 * ramp[:, None] + 4 * ramp).expand(1, 1, SIZE, SIZE))
    assert torch.allclose(slanted, torch.tensor(5.0), atol=1e-3)
    step = (ramp > 0).float().expand(1, 1, SIZE, SIZE)
    assert torch.equal(steepness(step)[0, 0, 5].nonzero().flatten(), torch.tensor([SIZE // 2 - 1, SIZE // 2]))


def test_the_smooth_minimum_is_the_minimum_away_from_the_crease():
    a, b = torch.tensor([0.0, 1.0, 0.5]), torch.tensor([1.0, 0.0, 0.5])
    assert smooth_minimum(a, b, 0.1)[:2].tolist() == [0, 0]
    assert 0.45 < smooth_minimum(a, b, 0.1)[2] < 0.5
