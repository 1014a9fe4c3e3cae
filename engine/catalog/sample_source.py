"""The sample models that come with Optibench: `sample_models/<name>/architecture.py`."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from engine.catalog.base import Description, Source
from engine.errors import BadInput
from engine.spec import Preprocessing, TensorSpec, from_json

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class SampleSource(Source):
    """Small trained models that come with Optibench."""

    name = "sample"
    title = "Sample models"
    where = "They are the folders of sample_models/."

    @classmethod
    def names(cls) -> list[str]:
        return sorted(each.parent.name for each in folder().glob("*/architecture.py"))

    @classmethod
    def build(cls, name: str, arguments: Mapping[str, Any]) -> nn.Module:
        module: nn.Module = load_file(folder() / name / "architecture.py", f"sample_models.{name}.architecture").build(
            **arguments
        )
        return module

    @classmethod
    def describe(cls, name: str, arguments: Mapping[str, Any], module: nn.Module) -> Description:
        card = read_card(name)
        return Description(
            inputs=from_json(tuple[TensorSpec, ...], card.get("inputs", [])),
            sizes={key: int(value) for key, value in card.get("sizes", {}).items()},
            task=card.get("task"),
            preprocessing=from_json(Preprocessing, card.get("preprocessing", {})),
            outputs=tuple(card.get("outputs", ())),
        )

    @classmethod
    def assets(cls, name: str) -> list[Path]:
        return [each for each in [folder() / name / "tokenizer.json"] if each.exists()]


def folder() -> Path:
    """Where the sample models lie."""
    return Path(__file__).resolve().parents[2] / "sample_models"


def read_card(name: str) -> dict[str, Any]:
    """A sample's card; raises BadInput when there is none."""
    path = folder() / name / "card.json"
    if not path.exists():
        raise BadInput(f"The sample {name!r} has no card.json.", "Install Optibench again.")
    card: dict[str, Any] = json.loads(path.read_text())
    return card


def load_file(path: Path, name: str) -> ModuleType:
    """Import one Python file by its path, outside any package's search path."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        raise BadInput(f"There is no file {path}.", "Check the architecture's name.")
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
