"""A torch-module folder gives back what was saved: weights, precision, sharing, structure."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.errors import StepFailed
from engine.formats import torch_module

SOURCE = """
from torch import nn

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.head = nn.Linear(4, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        return self.head(self.embedding(tokens))

def conv():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
"""


@pytest.fixture(autouse=True)
def architectures(home: Path) -> None:
    (home / "architectures").mkdir(exist_ok=True)
    (home / "architectures" / "own.py").write_text(SOURCE)


def written(folder: Path, name: str) -> nn.Module:
    from engine import catalog

    module = catalog.build(name, {})
    torch_module.write(folder, name, {}, module.state_dict())
    return module


def test_shared_tensors_are_stored_once_and_stay_shared(tmp_path: Path) -> None:
    module = written(tmp_path / "a", "operator.own.Tied")
    stored = (tmp_path / "a" / "weights.safetensors").stat().st_size
    assert stored < 2 * 11 * 4 * 4 + 200
    again = torch_module.load(tmp_path / "a")
    tokens = torch.arange(11)
    assert torch.equal(again(tokens), module(tokens))
    assert again.get_parameter("head.weight") is again.get_parameter("embedding.weight")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_precision_and_strides_survive(tmp_path: Path, dtype: torch.dtype) -> None:
    module = written(tmp_path / "a", "operator.own.conv").to(dtype).to(memory_format=torch.channels_last)
    torch_module.save(tmp_path / "b", module, tmp_path / "a", None)
    again = torch_module.load(tmp_path / "b")
    assert not again.training
    assert {name: each.dtype for name, each in again.state_dict().items()} == {
        name: each.dtype for name, each in module.state_dict().items()
    }
    x = torch.randn(2, 3, 8, 8, dtype=dtype)
    assert torch.equal(again(x), module(x))


def test_records_are_kept_in_order_and_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine import steps
    from engine.steps.base import Step

    class Narrow(Step):
        name = "narrow"
        formats = {"torch-module": "torch-module"}

        def apply(self, source, context):  # type: ignore[no-untyped-def]
            raise NotImplementedError

        @classmethod
        def replay(cls, module, record):  # type: ignore[no-untyped-def]
            module.append(nn.Conv2d(4, record["width"], 1))
            return module

    module = written(tmp_path / "a", "operator.own.conv")
    changed = Narrow.replay(module, {"width": 2})
    torch_module.save(tmp_path / "b", changed, tmp_path / "a", {"step": "narrow", "width": 2})
    with pytest.raises(StepFailed, match="'narrow', which is not installed"):
        torch_module.load(tmp_path / "b")
    monkeypatch.setattr(steps, "step_for", lambda name, format: Narrow)
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(torch_module.load(tmp_path / "b")(x), changed.eval()(x))


def test_weights_of_another_structure_are_an_error(tmp_path: Path) -> None:
    module = written(tmp_path / "a", "operator.own.conv")
    assert isinstance(module, nn.Sequential)
    module.append(nn.Linear(4, 4))
    torch_module.save(tmp_path / "b", module, tmp_path / "a", None)
    with pytest.raises(StepFailed, match="unexpected"):
        torch_module.load(tmp_path / "b")
