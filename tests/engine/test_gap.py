"""The air between the lower legs, of joints set by hand."""

from __future__ import annotations

import torch

from phorhum_blender.engine.gap import DOUBT, FLESH, Gap
from phorhum_blender.engine.skeleton import JOINT


def legs(apart: float) -> Gap:
    """Of a person whose right shin stands ``apart`` behind the left one, both upright."""
    joints = torch.zeros(21, 3)
    for side, z in (("l", 0.0), ("r", -apart)):
        joints[JOINT[f"{side}_knee"]] = torch.tensor([0.0, -0.3, z])
        joints[JOINT[f"{side}_ankle"]] = torch.tensor([0.0, -0.7, z])
    return Gap(joints)


def raised(gap: Gap, *points: tuple[float, float, float]) -> torch.Tensor:
    return gap.raised(torch.full((len(points),), -0.01), torch.tensor(points))


def test_a_web_between_the_shins_is_opened():
    assert (raised(legs(0.3), (0, -0.4, -0.15), (0, -0.6, -0.15)) > 0).all()


def test_the_shins_and_all_that_is_not_between_them_stay_as_they_are():
    places = (0, -0.5, 0), (0, -0.5, -0.3), (FLESH, -0.5, 0), (0, -0.5, 0.2), (0.2, -0.5, -0.15), (0, 0.1, -0.15)
    assert (raised(legs(0.3), *places) == -0.01).all()


def test_legs_that_touch_stay_as_they_are():
    assert (raised(legs(2 * FLESH), (0, -0.5, -FLESH), (0, -0.5, -0.02)) == -0.01).all()


def test_what_f_is_sure_of_stays_inside():
    assert legs(0.3).raised(torch.tensor([-2 * DOUBT]), torch.tensor([[0.0, -0.5, -0.15]])) < 0


def test_shins_of_no_length_are_points():
    assert torch.isfinite(Gap(torch.zeros(21, 3)).raised(torch.zeros(2), torch.rand(2, 3))).all()
