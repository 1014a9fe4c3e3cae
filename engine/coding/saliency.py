"""Gradual pruning by what a weight is worth to the loss: w² v, with v the second moment that Adam keeps.

An estimate of Optimal Brain Damage's saliency (LeCun et al. 1990) that costs nothing; the schedule is
cubic (Zhu & Gupta 2017, https://arxiv.org/abs/1710.01878). Magnitude is what Han et al. 2015 go by.
"""

from __future__ import annotations

import torch

from engine.coding.learning import Learning
from engine.coding.student import Student
from engine.errors import BadInput

SCORES = ("saliency", "magnitude")


@torch.no_grad()
def prune_to(student: Student, keep: int, score: str) -> None:
    """Zero the weights that are worth least until `keep` are left; pruned ones never come back.

    Raises BadInput when a weight matrix would be left with nothing.
    """
    parameters = student.parameters()
    if student.count() <= keep:
        return
    worth = {name: worth_of(student, name, score) for name in parameters}
    alive = torch.cat([worth[name][student.masks[name]] for name in parameters])
    limit = alive.kthvalue(max(1, len(alive) - keep)).values
    for name, parameter in parameters.items():
        mask = student.masks[name] & (worth[name] > limit)
        if parameter.ndim >= 2 and not bool(mask.any()):
            raise BadInput(
                f"Pruning would leave nothing of {name.removesuffix('.weight')}.",
                "Lower the amount of pruning, or keep this layer.",
            )
        student.masks[name] = mask
        parameter.mul_(mask)


def worth_of(student: Student, name: str, score: str) -> torch.Tensor:
    """What each weight of a parameter is worth: larger stays longer."""
    weight = student.module.get_parameter(name).detach()
    return weight.square() * student.second_moment(name) if score == "saliency" else weight.abs()


def prune_gradually(
    learning: Learning,
    amount: float,
    epochs: int,
    rate: float,
    part: tuple[float, float],
    *,
    score: str = "saliency",
    ramp: float = 0.6,
) -> None:
    """Prune a fraction `amount` of the weights over the first `ramp` of the epochs, then let the rest settle."""
    student = learning.student
    total = sum(each.numel() for each in student.parameters().values())
    warm = min(1, epochs - 1) / epochs * 0.5  # the second moments need some updates before they mean anything

    def between(done: float) -> None:
        if done < warm:
            return
        progress = min(1.0, (done - warm) / max(1e-9, ramp - warm))
        prune_to(student, round(total * (1.0 - amount * (1.0 - (1.0 - progress) ** 3))), score)
        student.cut_dead_units()

    def rate_at(done: float) -> float:
        """Full while weights are pruned, then down to a twentieth."""
        return rate if done < ramp else rate * (1.0 - 0.95 * (done - ramp) / (1.0 - ramp))

    learning.train(epochs, rate_at, "Pruning", part, between=between)
