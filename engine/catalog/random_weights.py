"""Random weights that can be measured: settled, so that outputs neither vanish nor overflow.

MEASURING.md, rule 12: a fixed seed, a few train-mode passes for BatchNorm's statistics, a
re-initialised head where a library starts it at zero, and BatchNorm biases above zero. Without those,
every BatchNorm and ReLU of an untrained network makes a rounding error grow by a fifth (Yang et al.
2019, arXiv:1902.08129): after 50 layers FP16 is wrong by 3 %, and the network is at fault, not FP16.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.admission.weights import carry
from engine.artifact import Artifact

if TYPE_CHECKING:
    from torch import nn

PASSES, BATCH_SIZE = 4, 4
NORM_BIAS, SMALL_NORM_WEIGHT = 0.5, 0.2


def settled(folder: Path, architecture: str, arguments: Mapping[str, Any], seed: int) -> Artifact:
    """A torch-module of an architecture with settled random weights."""
    import torch

    from engine import catalog
    from engine.formats import torch_module

    torch.manual_seed(seed)
    module = catalog.build(architecture, arguments)
    settle(module, architecture, arguments, seed)
    torch_module.write(folder / "model", architecture, arguments, module.state_dict())
    carry(folder, architecture)
    note = f"The weights are random (seed {seed}), settled with {PASSES} passes: speed is real, accuracy is not."
    return Artifact(torch_module.TorchModule.name, folder / "model", details={"notes": [note]})


def settle(module: nn.Module, architecture: str, arguments: Mapping[str, Any], seed: int) -> None:
    """Re-initialise layers that start at zero, calm BatchNorm and let it see some data."""
    import torch

    from engine.inspection.module import working_inputs

    generator = torch.Generator().manual_seed(seed)
    for each in module.modules():
        if isinstance(each, (torch.nn.Linear, torch.nn.Conv2d)) and not each.weight.detach().any():
            fan_in = each.weight[0].numel()
            with torch.no_grad():
                each.weight.copy_(torch.randn(each.weight.shape, generator=generator) / fan_in**0.5)
    norms = [each for each in module.modules() if isinstance(each, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    feeds = working_inputs(module, architecture, arguments)
    with torch.no_grad():
        for norm in norms:
            calm(norm)
            norm.reset_running_stats()
            norm.momentum, norm.original_momentum = None, norm.momentum  # type: ignore[assignment]
            norm.train()
        for number in range(PASSES):
            module(*feeds(BATCH_SIZE, seed + number))
    for norm in norms:
        norm.momentum = norm.original_momentum  # type: ignore[assignment]
    module.eval()


def calm(norm: Any) -> None:
    """Keep most of a BatchNorm's output above zero, and let a branch that starts switched off take part."""
    if norm.weight is None:
        return
    if not norm.weight.any():
        norm.weight.fill_(SMALL_NORM_WEIGHT)
    if not norm.bias.any():
        norm.bias.fill_(NORM_BIAS)
