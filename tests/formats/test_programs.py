"""What inspection says about exported programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Opener
from torch import nn
from torch.export import Dim

from engine.formats import exported_program


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, scale: int = 2) -> dict[str, torch.Tensor]:
        hidden = (self.table(ids) * mask.unsqueeze(-1)).sum(1)
        hidden = torch.cond(mask.sum() > 3, lambda h: h * 2, lambda h: h - 1, (hidden,))
        return {"logits": self.head(hidden) * scale, "hidden": hidden}


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.add_(1)  # type: ignore[operator]
        return x * self.seen  # type: ignore[operator, no-any-return]


class Nested(nn.Module):
    def forward(self, pair: Any) -> torch.Tensor:
        return pair[0] - pair[1]["b"]  # type: ignore[no-any-return]


def saved(path: Path, module: nn.Module, args: tuple, kwargs: dict | None = None, shapes: Any = None) -> Path:
    torch.export.save(torch.export.export(module.eval(), args, kwargs or {}, dynamic_shapes=shapes), path)
    return path


def test_dimensions_ranges_constants_and_branches(tmp_path: Path, opened: Opener) -> None:
    args = (torch.zeros(2, 7, dtype=torch.int64), torch.ones(2, 7, dtype=torch.int64), 3)
    dims = {0: Dim("n", min=1, max=64), 1: Dim("length", max=512)}
    spec = opened(saved(tmp_path / "m.pt2", Text(), args, shapes=(dims, dims, None)))
    ids, mask, scale = spec.inputs
    assert (ids.shape, ids.high) == (("batch", "sequence"), 50)
    assert (mask.shape, mask.low, mask.high) == (("batch", "sequence"), 1, 2)
    assert (scale.constant, scale.dtype) == (3, "int")
    assert [(each.name, each.shape) for each in spec.outputs] == [("logits", ("batch", 3)), ("hidden", ("batch", 8))]
    assert (spec.control_flow, spec.parameters, spec.state) == (1, 427, "none")
    assert "The dimension batch may be 1 to 64." in spec.notes
    assert ("embedding", 400) in [(kind, parameters) for _, kind, parameters in spec.layers]


def test_a_program_that_changes_its_buffers_has_hidden_state(tmp_path: Path, opened: Opener) -> None:
    assert opened(saved(tmp_path / "m.pt2", Counter(), (torch.ones(2, 4),))).state == "hidden"


@pytest.mark.parametrize("keywords", [False, True])
def test_nested_and_keyword_inputs_are_laid_out_in_order(tmp_path: Path, opened: Opener, keywords: bool) -> None:
    pair = (torch.randn(2, 4), {"b": torch.randn(2, 4)})
    path = saved(tmp_path / "m.pt2", Nested(), () if keywords else (pair,), {"pair": pair} if keywords else None)
    spec = opened(path)
    assert [each.shape for each in spec.inputs] == [(2, 4), (2, 4)]
    flat = exported_program.load(tmp_path / "artifact" / "model.pt2").module()
    assert torch.equal(flat(pair[0], pair[1]["b"]), pair[0] - pair[1]["b"])


def test_a_transformers_answer_needs_no_transformers_to_open(tmp_path: Path, opened: Opener) -> None:
    import subprocess
    import sys

    from transformers import BertConfig, BertModel

    small = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=99)
    path = saved(tmp_path / "m.pt2", BertModel(small), (torch.zeros(2, 7, dtype=torch.int64),))
    spec = opened(path)
    assert [each.name for each in spec.outputs] == ["last_hidden_state", "pooler_output"]
    code = f"import torch, sys; torch.export.load({str(tmp_path / 'artifact' / 'model.pt2')!r}); " + (
        "sys.exit('transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
