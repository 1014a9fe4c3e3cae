"""An operator's own architectures: Python files in `OPTIBENCH_HOME/architectures/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from engine.catalog.base import Description, Source
from engine.catalog.sample_source import load_file
from engine.errors import BadInput
from engine.spec import Preprocessing, TensorSpec, from_json

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class OperatorSource(Source):
    """`operator.<file>.<callable>`: a function or class of a file the operator dropped into the home folder.

    The file may hold `DESCRIPTIONS`, a dict from the callable's name to `inputs` (name, dtype, shape),
    `sizes`, `task` and `preprocessing`, as in a sample's card.
    """

    name = "operator"
    title = "Operator's architectures"
    where = "They are functions and classes in OPTIBENCH_HOME/architectures/*.py."

    @classmethod
    def names(cls) -> list[str]:
        return [f"{path.stem}.{name}" for path in files() for name in callables(path)]

    @classmethod
    def build(cls, name: str, arguments: Mapping[str, Any]) -> nn.Module:
        from torch import nn

        file, _, callable_ = name.partition(".")
        module = getattr(module_of(file), callable_)(**arguments)
        if not isinstance(module, nn.Module):
            raise BadInput(
                f"operator.{name} gives a {type(module).__name__}, not a torch.nn.Module.", "Return the module."
            )
        return module

    @classmethod
    def describe(cls, name: str, arguments: Mapping[str, Any], module: nn.Module) -> Description:
        file, _, callable_ = name.partition(".")
        card = getattr(module_of(file), "DESCRIPTIONS", {}).get(callable_, {})
        return Description(
            inputs=from_json(tuple[TensorSpec, ...], card.get("inputs", ())),
            sizes=dict(card.get("sizes", {})),
            task=card.get("task"),
            preprocessing=from_json(Preprocessing, card.get("preprocessing", {})),
            outputs=tuple(card.get("outputs", ())),
        )


def files() -> list[Path]:
    """The operator's files."""
    from engine.settings import load

    return [each for each in sorted(load().architectures.glob("*.py")) if each.stem.isidentifier()]


def callables(path: Path) -> list[str]:
    """The public functions and classes that a file defines at its top level, read without running it."""
    text = path.read_text(errors="replace")
    return list(re.findall(r"^(?:def|class)\s+([A-Za-z]\w*)", text, re.MULTILINE))


def module_of(file: str) -> ModuleType:
    """Import one of the operator's files."""
    path = next((each for each in files() if each.stem == file), None)
    if path is None:
        raise BadInput(f"There is no file {file}.py in the architectures folder.", OperatorSource.where)
    return load_file(path, f"optibench_architectures_{file}")
