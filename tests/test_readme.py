"""The README's example is a step that works."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from engine.artifact import Artifact
from engine.formats import torch_module
from engine.recipes import parse_use

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    module = types.ModuleType("round_weights")
    monkeypatch.setitem(sys.modules, "round_weights", module)
    exec(code, vars(module))
    return module.RoundWeights


def test_the_example_step_rounds_weights(example: Any, tmp_path: Path) -> None:
    from engine import catalog

    weights = catalog.build("sample.digits", {}).state_dict()
    source = Artifact("torch-module", torch_module.write(tmp_path / "digits", "sample.digits", {}, weights))
    step = example.from_options(parse_use("round-weights(decimals=2)").options)
    made = step.apply(source, types.SimpleNamespace(folder=tmp_path))
    for weight in torch_module.load(made.path).parameters():
        assert bool((weight.round(decimals=2) == weight).all())


def test_every_command_of_the_readme_exists() -> None:
    from typer.main import get_command

    from engine.cli import app

    offered = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"^    optibench (\w+)", README.read_text(), re.MULTILINE)) <= offered
