"""Models that are called by keyword and answer with a mapping, made positional.

Every module of Optibench takes its inputs in order and gives a tensor or a tuple of tensors, so that
tracing, exporting and timing need to know nothing about where it came from. The number of inputs is
spelled out because torch.export and the ONNX exporters read the signature.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Adapter(nn.Module):
    """Calls `model` with its inputs by name; gives a tuple of the tensors it answers with."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def ask(self, *inputs: Any) -> tuple[Tensor, ...]:
        answer = self.model(**dict(zip(self.names, inputs, strict=True)), return_dict=True)
        return tuple(each for each in answer.values() if isinstance(each, Tensor))

    def output_names(self, *inputs: Any) -> tuple[str, ...]:
        """The names of what `forward` gives, in order."""
        answer = self.model(**dict(zip(self.names, inputs, strict=True)), return_dict=True)
        return tuple(name for name, each in answer.items() if isinstance(each, Tensor))


class OneInput(Adapter):
    def forward(self, first: Any) -> tuple[Tensor, ...]:
        return self.ask(first)


class TwoInputs(Adapter):
    def forward(self, first: Any, second: Any) -> tuple[Tensor, ...]:
        return self.ask(first, second)


class ThreeInputs(Adapter):
    def forward(self, first: Any, second: Any, third: Any) -> tuple[Tensor, ...]:
        return self.ask(first, second, third)


ADAPTERS: tuple[type[Adapter], ...] = (OneInput, TwoInputs, ThreeInputs)


def adapted(model: nn.Module, names: tuple[str, ...]) -> Adapter:
    """The model behind the adapter for its number of inputs."""
    return ADAPTERS[len(names) - 1](model, names)
