"""Choose each layer's clipping and bits by Bayesian optimisation: what the loss rises against what is saved."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from engine.coding.clipping import LayerSetting, clip_and_quantize, look_up, stored_bits
from engine.coding.learning import Cancelled, Learning
from engine.training.modes import switch
from engine.training.objective import Classification, judge
from engine.training.tensors import Tensors

SAMPLES = 512


def search(
    learning: Learning, trade: float, trials: int, seed: int, progress: Callable[[float, str], None]
) -> dict[str, LayerSetting]:
    """A setting for each weight matrix, largest layer first, each judged with those chosen before it in place.

    Minimizes the loss on training samples minus `trade` times the share of the network's bits that is saved.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    student = learning.student
    names = sorted(student.names, key=lambda each: -student.module.get_parameter(each).numel())
    total = 32.0 * sum(student.module.get_parameter(each).numel() for each in names)
    data = learning.lessons.data
    chosen = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:SAMPLES]
    batch = data.take(chosen)
    samples = Tensors(batch.inputs, batch.labels)
    switch(student.module, training=False)
    found: dict[str, LayerSetting] = {}
    original = {name: student.module.get_parameter(name).detach().clone() for name in names}
    for number, name in enumerate(names):
        progress(number / len(names), f"Choosing bits and clipping of {name.removesuffix('.weight')}")
        weight = original[name]

        def cost(trial: optuna.Trial, name: str = name, weight: torch.Tensor = weight) -> float:
            if learning.cancelled():
                raise Cancelled
            setting = LayerSetting(trial.suggest_float("amount", 0.0, 0.98), trial.suggest_int("bits", 2, 8))
            place(learning, name, weight, setting)
            saved = (32.0 * weight.numel() - stored_bits(student, name, setting)) / total
            loss = judged(learning, samples)
            return (loss if math.isfinite(loss) else 1e6) - trade * saved

        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed + number, multivariate=True))
        study.enqueue_trial({"amount": 0.5, "bits": 5})
        study.optimize(cost, n_trials=trials)
        found[name] = LayerSetting(float(study.best_params["amount"]), int(study.best_params["bits"]))
        place(learning, name, weight, found[name])
    with torch.no_grad():
        for name, weight in original.items():
            student.module.get_parameter(name).copy_(weight)
    return found


@torch.no_grad()
def place(learning: Learning, name: str, weight: torch.Tensor, setting: LayerSetting) -> None:
    """Put a layer's quantized weights into the module."""
    learning.student.module.get_parameter(name).copy_(look_up(*clip_and_quantize(weight, setting)))


def judged(learning: Learning, samples: Tensors) -> float:
    """The loss on the samples."""
    index = learning.lessons.index
    return judge(learning.student.module, samples, Classification(index), index, device=learning.lessons.device).loss
