"""Magnitude pruning of ONNX graphs and TorchScript."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.formats import onnx, torchscript
from engine.pruning.onnx_weights import values, weight_tensors
from tests.compression.conftest import Bench, scores


def test_onnx_graph_is_sparse_and_runs(bench: Bench) -> None:
    import onnxruntime

    artifact = bench.ok("onnx > prune-magnitude(amount=0.75, scope=layer)", dataset=False)
    model = onnx.load(artifact.path)
    for weight in values(weight_tensors(model)).values():
        assert (weight == 0).mean() == pytest.approx(0.75, abs=0.01)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"pixels": np.zeros((3, 1, 8, 8), np.float32)})[0].shape == (3, 10)
    assert len(artifact.details["report"]) == 4


@pytest.mark.parametrize("route", ["script", "trace", "trace > freeze"])
def test_scripts_are_sparse_and_equal_the_pruned_module(bench: Bench, route: str) -> None:
    artifact = bench.ok(f"{route} > prune-magnitude(amount=0.5, scope=layer)", dataset=False)
    assert [row["sparsity"] for row in artifact.details["report"]] == pytest.approx([0.5] * 4, abs=0.01)
    found = scores(torchscript.load(artifact.path), bench.data().take(np.arange(8)), bench.spec)
    whole = scores(torchscript.load(bench.ok(route, dataset=False).path), bench.data().take(np.arange(8)), bench.spec)
    assert not np.allclose(found, whole)
    if "freeze" not in route:  # freezing folds the normalisation in, so other weights are the smallest
        module = bench.ok("prune-magnitude(amount=0.5, scope=layer)", dataset=False)
        from engine.formats import torch_module

        expected = scores(torch_module.load(module.path), bench.data().take(np.arange(8)), bench.spec)
        assert np.allclose(found, expected, atol=1e-5)


def test_model_without_weights(bench: Bench) -> None:
    from engine.artifact import Artifact, write_manifest

    path = bench.model / "plain.pt"
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), str(path))
    write_manifest(bench.model, Artifact("torchscript", path))
    reason, hint = bench.fails("prune-magnitude")
    assert "no linear or convolutional layer" in reason
    assert "architecture" in hint
