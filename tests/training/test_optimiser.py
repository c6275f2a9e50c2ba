"""Muon and its company."""

import pytest
import torch
from torch import nn

from training.optimiser import STEP_SIZE, Optimiser, orthogonalised


@pytest.mark.parametrize("shape", [(8, 8), (8, 40), (40, 8)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 1e-3
    values = torch.linalg.svdvals(orthogonalised(matrix).float())
    assert 0.6 < values.min() and values.max() < 1.3


def test_orthogonalising_keeps_the_singular_directions():
    generator = torch.Generator().manual_seed(1)
    left, right = (torch.linalg.qr(torch.randn(6, 6, generator=generator))[0] for _ in range(2))
    matrix = left @ torch.diag(torch.tensor([5.0, 4, 3, 2, 1, 0.5])) @ right.T
    rotated = left.T @ orthogonalised(matrix).float() @ right
    assert (rotated - torch.diag(rotated.diag())).abs().max() < 0.1


def net():
    torch.manual_seed(0)
    return nn.ModuleDict({"stem": nn.Linear(3, 5), "inside": nn.Linear(5, 5), "head": nn.Linear(5, 2)})


def run(model, x):
    return model["head"](torch.tanh(model["inside"](torch.tanh(model["stem"](x)))))


def test_matrices_inside_go_to_muon_and_all_else_to_adamw():
    model = net()
    parts = Optimiser(model, 1e-3).parts
    (inner,) = (group["params"] for group in parts["muon"].param_groups)
    assert [id(weight) for weight in inner] == [id(model["inside"].weight)]
    assert sum(len(group["params"]) for group in parts["adamw"].param_groups) == 5
    assert "muon" not in Optimiser(model, 1e-3, muon=False).parts


def test_steps_are_as_large_as_adamw_s():
    model = net()
    optimiser = Optimiser(model, 1e-2)
    before = model["inside"].weight.detach().clone()
    run(model, torch.randn(16, 3)).square().mean().backward()
    optimiser.step()
    change = (model["inside"].weight.detach() - before * (1 - 1e-4)).square().mean().sqrt().item()
    assert change == pytest.approx(1e-2 * STEP_SIZE, rel=0.3)


def test_it_learns_and_goes_on_after_a_break():
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(2))
    wanted = torch.stack([x[:, 0] * x[:, 1], x[:, 2]], 1)

    def train(model, optimiser, steps):
        for _ in range(steps):
            loss = (run(model, x) - wanted).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return loss.item()

    whole, parted = net(), net()
    optimiser = Optimiser(whole, 1e-2)
    first = train(whole, optimiser, 1)
    last = train(whole, optimiser, 39)
    assert last < 0.6 * first
    optimiser = Optimiser(parted, 1e-2)
    train(parted, optimiser, 20)
    again = Optimiser(parted, 1e-2)
    again.load_state_dict(optimiser.state_dict())
    assert train(parted, again, 20) == pytest.approx(last, rel=1e-4)
