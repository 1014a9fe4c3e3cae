from __future__ import annotations

import numpy as np
import torch

from engine.formats import onnx, torch_module
from engine.pruning.onnx_weights import input_axes, values, weight_tensors
from engine.pruning.two_of_four import is_two_of_four, two_of_four
from tests.compression.conftest import Bench, accuracy


def test_two_largest_of_four_stay() -> None:
    mask = two_of_four(np.array([[1.0, -4.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0]]))
    assert mask is not None
    assert mask.tolist() == [[False, True, True, False, True, True, False, False]]
    assert two_of_four(np.ones((2, 6))) is None


def test_module_has_the_pattern_and_fine_tuning_keeps_it(bench: Bench) -> None:
    artifact = bench.ok("prune-2to4 > finetune(epochs=3)")
    module = torch_module.load(artifact.path)
    for name in ("features.3", "features.7", "classifier"):
        assert is_two_of_four(module.get_parameter(f"{name}.weight").detach().numpy())
    assert any("features.0.weight (1 inputs)" in each for each in artifact.details["warnings"])
    assert accuracy(module, bench.data().split("test"), bench.spec) > 0.95


def test_graph_has_the_pattern_along_the_inputs(bench: Bench) -> None:
    from_graph = onnx.load(bench.ok("onnx > prune-2to4", dataset=False).path)
    axes = input_axes(from_graph)
    found = {name: is_two_of_four(each, axes[name]) for name, each in values(weight_tensors(from_graph)).items()}
    assert sorted(found.values()) == [False, True, True, True]
    exported = onnx.load(bench.ok("prune-2to4 > onnx", dataset=False).path)
    axes = input_axes(exported)
    assert sum(is_two_of_four(each, axes[name]) for name, each in values(weight_tensors(exported)).items()) == 3


def test_nothing_to_prune(bench: Bench) -> None:
    weights = torch_module.load(bench.model / "module").state_dict()
    keep = ",".join(
        name.rpartition(".")[0] for name, each in weights.items() if each.ndim >= 2 and each.shape[1] % 4 == 0
    )
    reason, hint = bench.fails(f'prune-2to4(keep="{keep}")')
    assert "multiples of four" in reason
    assert hint
    assert isinstance(weights["classifier.weight"], torch.Tensor)
