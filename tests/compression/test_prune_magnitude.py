from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.formats import torch_module
from tests.compression.conftest import Bench, accuracy


def weights_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: each.detach().numpy() for name, each in module.named_parameters() if each.ndim >= 2}


@pytest.mark.parametrize("amount", [0.0, 0.5, 0.999])
def test_global_amount_is_met(bench: Bench, amount: float) -> None:
    if amount == 0.999:  # the first layer holds 144 of 25,856 weights and would be left empty
        reason, hint = bench.fails(f"prune-magnitude(amount={amount})")
        assert "leave nothing" in reason
        assert "layer" in hint
        return
    module = torch_module.load(bench.ok(f"prune-magnitude(amount={amount})", dataset=False).path)
    weights = np.concatenate([each.reshape(-1) for each in weights_of(module).values()])
    assert (weights == 0).mean() == pytest.approx(amount, abs=1e-3)


def test_layer_scope_prunes_each_layer_alike(bench: Bench) -> None:
    artifact = bench.ok("prune-magnitude(amount=0.75, scope=layer)", dataset=False)
    for weight in weights_of(torch_module.load(artifact.path)).values():
        assert (weight == 0).mean() == pytest.approx(0.75, abs=0.01)
    assert [round(row["sparsity"], 2) for row in artifact.details["report"]] == [0.75] * 4


def test_smallest_weights_go(bench: Bench) -> None:
    before = weights_of(torch_module.load(bench.model / "module"))
    after = weights_of(torch_module.load(bench.ok("prune-magnitude(amount=0.3)").path))
    gone = np.concatenate([np.abs(before[name][after[name] == 0]) for name in before])
    kept = np.concatenate([np.abs(before[name][after[name] != 0]) for name in before])
    assert gone.max() <= kept.min()


def test_kept_layers_stay_whole(bench: Bench) -> None:
    artifact = bench.ok("prune-magnitude(amount=0.9, keep=classifier)")
    assert (torch_module.load(artifact.path).get_parameter("classifier.weight") != 0).all()
    reason, hint = bench.fails("prune-magnitude(keep=nowhere)")
    assert "nowhere" in reason
    assert "classifier" in hint


def test_cycles_with_fine_tuning_beat_pruning_at_once(bench: Bench) -> None:
    test = bench.data().split("test")
    once = torch_module.load(bench.ok("prune-magnitude(amount=0.9)").path)
    cycles = torch_module.load(bench.ok("prune-magnitude(amount=0.9, cycles=3, epochs=2)").path)
    assert accuracy(cycles, test, bench.spec) > accuracy(once, test, bench.spec)
    assert np.mean([(each == 0).mean() for each in weights_of(cycles).values()]) > 0.5
    assert len(bench.curves()) == 9


def test_fine_tuning_between_cycles_needs_data(bench: Bench) -> None:
    reason, hint = bench.fails("prune-magnitude(cycles=2, epochs=1)", dataset=False)
    assert "data set" in reason
    assert hint
