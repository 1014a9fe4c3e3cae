from __future__ import annotations

import pytest
import torch

from engine.artifact import Artifact
from engine.coding.clipping import LayerSetting, clip_and_quantize, look_up
from engine.formats import torch_module
from engine.store.artifacts import sizes
from tests.compression.conftest import Bench, accuracy


@pytest.mark.parametrize(("amount", "bits"), [(0.0, 8), (0.5, 4), (0.9, 2), (0.98, 3)])
def test_clips_that_share_and_uses_that_many_bits(amount: float, bits: int) -> None:
    weight = torch.randn(64, 50, generator=torch.Generator().manual_seed(0))
    numbers, book = clip_and_quantize(weight, LayerSetting(amount, bits))
    assert (numbers == 0).float().mean() == pytest.approx(amount, abs=0.01)
    assert len(book) == 2**bits - 1
    made = look_up(numbers, book)
    assert bool(((made == 0) | (made.sign() == weight.sign())).all())
    bits_more = look_up(*clip_and_quantize(weight, LayerSetting(amount, bits + 2)))
    assert (bits_more - weight).norm() < (made - weight).norm()


@pytest.mark.parametrize("weight", [torch.zeros(4, 4), torch.full((4, 4), -2.0), torch.ones(1, 1)])
def test_odd_weights(weight: torch.Tensor) -> None:
    assert torch.equal(look_up(*clip_and_quantize(weight, LayerSetting(0.0, 3))), weight)


def test_small_file_and_right_answers(bench: Bench) -> None:
    artifact = bench.ok("clip-q(trade=2, trials=6, epochs=3)")
    before = sizes(Artifact("torch-module", bench.model / "module")).parameters
    after = sizes(artifact).parameters
    assert before
    assert after
    assert before / after > 5
    test = bench.data().split("test")
    old = accuracy(torch_module.load(bench.model / "module"), test, bench.spec)
    assert accuracy(torch_module.load(artifact.path), test, bench.spec) > old - 0.05
    assert all(0 <= row["amount"] <= 0.98 and 2 <= row["bits"] <= 8 for row in artifact.details["report"])


def test_a_higher_price_of_bits_makes_a_smaller_file(bench: Bench) -> None:
    files = [sizes(bench.ok(f"clip-q(trade={trade}, trials=6, epochs=1)")).parameters or 0 for trade in (0.05, 20.0)]
    assert files[1] < files[0]


def test_no_data_set(bench: Bench) -> None:
    reason, hint = bench.fails("clip-q", dataset=False)
    assert "needs a data set" in reason
    assert hint
