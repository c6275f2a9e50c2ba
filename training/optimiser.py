"""How weights are changed: matrices and convolutions by Muon, all else by AdamW.

Muon (Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks") replaces the momentum of a matrix
by the nearest matrix whose singular values are all about one, so that no direction starves. Its steps are scaled to the
size of AdamW's (Liu et al., 2025, "Muon is scalable for LLM training", sec. 2.2).
"""

from __future__ import annotations

import torch
from torch import nn

from training import processes

MOMENTUM = 0.95
DECAY = 0.01  # of weights
ROUNDS = 5  # of Newton and Schulz
# of the quintic that lifts singular values quickly; they end between about 0.7 and 1.2 (Jordan et al., 2024)
QUINTIC = (3.4445, -4.7750, 2.0315)
STEP_SIZE = 0.2  # root mean square of AdamW's steps
ADAMW_SHARE = 0.5  # of the learning rate


class Muon(torch.optim.Optimizer):
    """For weights of two and more dimensions; those of convolutions count as matrices (out, in * height * width)."""

    def __init__(self, params: list[nn.Parameter], lr: float):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            steps = processes.shared_out(orthogonalised, [self._ahead(weight).flatten(1) for weight in weights])
            for weight, step in zip(weights, steps, strict=True):
                scale = STEP_SIZE * max(len(weight), weight[0].numel()) ** 0.5
                weight.mul_(1 - group["lr"] * DECAY).add_(step.view_as(weight), alpha=-group["lr"] * scale)

    def _ahead(self, weight: nn.Parameter) -> torch.Tensor:
        """The gradient's moving average, a step ahead (Nesterov's momentum)."""
        momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
        momentum.lerp_(weight.grad, 1 - MOMENTUM)
        return weight.grad.lerp(momentum, MOMENTUM)


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """``matrix`` (n, m) with its singular values brought near one, by Newton's and Schulz' iteration; 16-bit floats.

    Each round multiplies the matrix by a polynomial of its Gram matrix, and the next Gram matrix follows from the last,
    so that all rounds are products of small squares, and the matrix itself is read twice only.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide.float()
    x = x / (x.norm() + 1e-7)
    a, b, c = QUINTIC
    factors: list[torch.Tensor] = []
    gram = x @ x.T
    for _ in range(ROUNDS):
        if factors:
            gram = factors[-1] @ gram @ factors[-1]
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        factors.append(factor)
    x = (torch.linalg.multi_dot(factors) @ x).bfloat16()
    return x if wide is matrix else x.T


class Optimiser:
    """Muon for the weights within the networks, AdamW for the first and last layers, biases and scales."""

    OUTER = (
        "stem",
        "view",
        "head",
        "maps",
        "parts",
        "first_pixel",
        "first_point",
        "distance",
        "albedo",
        "shading_network",
    )

    def __init__(self, model: nn.Module, lr: float, muon: bool = True):
        """``muon`` False leaves everything to AdamW."""
        inner: list[nn.Parameter] = []
        outer: list[nn.Parameter] = []
        for name, weight in model.named_parameters():
            within = muon and weight.ndim >= 2 and not any(part in self.OUTER for part in name.split("."))
            (inner if within else outer).append(weight)
        self.parts: dict[str, torch.optim.Optimizer] = {
            "adamw": torch.optim.AdamW(outer, lr=lr, weight_decay=DECAY, betas=(0.9, 0.98))
        }
        if inner:
            self.parts["muon"] = Muon(inner, lr)

    def set_rate(self, rate: float) -> None:
        for part in self.parts.values():
            for group in part.param_groups:
                group["lr"] = rate * (ADAMW_SHARE if part is self.parts["adamw"] and "muon" in self.parts else 1)

    def zero_grad(self) -> None:
        for part in self.parts.values():
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        for part in self.parts.values():
            part.step()

    def state_dict(self) -> dict:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
