from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.formats import torch_module
from engine.pruning.channels import ChannelPlan, prune_channels
from engine.pruning.structure import changes, reshape, structure_of
from tests.compression.conftest import Bench, accuracy, architecture, scores


def parameters(module: torch.nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def test_reloads_smaller_with_the_same_outputs(bench: Bench) -> None:
    artifact = bench.ok("prune-channels(ratio=0.5)", dataset=False)
    first, second = torch_module.load(artifact.path), torch_module.load(artifact.path)
    assert parameters(first) < 0.35 * 25978
    sample = bench.data().take(np.arange(16))
    assert (scores(first, sample, bench.spec) == scores(second, sample, bench.spec)).all()
    assert artifact.size_bytes() < 0.5 * sum(each.stat().st_size for each in (bench.model / "module").iterdir())
    cost = artifact.details["multiply_adds"]
    assert cost["after"] * 2 < cost["before"]
    row = artifact.details["report"][0]
    assert (row["layer"], row["channels_before"], row["channels"]) == ("features.0", 16, 8)


def test_fine_tuning_and_pruning_again_stack_up(bench: Bench) -> None:
    test = bench.data().split("test")
    pruned = torch_module.load(bench.ok("prune-channels(ratio=0.5)").path)
    artifact = bench.ok(
        "prune-channels(ratio=0.5) > finetune(epochs=5, learning_rate=0.003) > prune-magnitude(amount=0.3)"
    )
    tuned = torch_module.load(artifact.path)
    assert accuracy(tuned, test, bench.spec) > max(0.9, accuracy(pruned, test, bench.spec))
    twice = bench.ok("prune-channels(ratio=0.25, round_to=1) > prune-channels(ratio=0.25, round_to=1)")
    assert len(torch_module.read_model(twice.path)["applied"]) == 2
    assert parameters(torch_module.load(twice.path)) < 0.6 * 25978


def test_channels_are_multiples(bench: Bench) -> None:
    artifact = bench.ok("prune-channels(ratio=0.3, round_to=4, scope=global)")
    assert {row["channels"] % 4 for row in artifact.details["report"][:-1]} == {0}


def test_taylor_importance_needs_data_and_runs_with_it(bench: Bench) -> None:
    reason, _ = bench.fails("prune-channels(importance=taylor)", dataset=False)
    assert "data set" in reason
    route = "prune-channels(importance=taylor, steps=2, epochs=1)"
    first, again = (torch_module.load(bench.ok(route, store=store).path) for store in ("a", "b"))
    assert parameters(first) < 0.35 * 25978
    assert all(torch.equal(each, again.state_dict()[name]) for name, each in first.state_dict().items())


@pytest.mark.parametrize("route", ["onnx", "trace", "script"])
def test_goes_on_to_other_formats(bench: Bench, route: str) -> None:
    pruned = torch_module.load(bench.ok("prune-channels(ratio=0.5)").path)
    artifact = bench.ok(f"prune-channels(ratio=0.5) > {route}")
    sample = bench.data().take(np.arange(8))
    if artifact.format == "onnx":
        import onnxruntime

        from engine.formats.onnx import model_path

        session = onnxruntime.InferenceSession(str(model_path(artifact.path)), providers=["CPUExecutionProvider"])
        found = session.run(None, {"pixels": sample.feeds["pixels"]})[0]
    else:
        found = scores(torch.jit.load(str(artifact.path)), sample, bench.spec)
    assert np.allclose(found, scores(pruned, sample, bench.spec), atol=1e-4)


@pytest.mark.parametrize("ratio", [0.0, 0.95])
def test_bounds(bench: Bench, ratio: float) -> None:
    module = torch_module.load(bench.ok(f"prune-channels(ratio={ratio}, round_to=1)").path)
    assert parameters(module) == 25978 if ratio == 0 else parameters(module) < 1000


def test_unknown_layer_to_keep(bench: Bench) -> None:
    reason, hint = bench.fails("prune-channels(keep=nowhere)")
    assert "nowhere" in reason
    assert hint


def test_a_network_without_channels_to_spare_is_said_to_be_one(bench: Bench) -> None:
    reason, hint = bench.fails("prune-channels(round_to=128)")
    assert reason == "Nothing can be pruned: no layer has 128 channels to spare."
    assert "round_to" in hint


class Reader(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(50, 32)
        self.project = torch.nn.Linear(32, 32)
        self.memory = torch.nn.LSTM(32, 64, batch_first=True)
        self.hidden = torch.nn.Linear(64, 32)
        self.scores = torch.nn.Linear(32, 5)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        states = self.memory(torch.relu(self.project(self.words(words))))[0]
        scores: torch.Tensor = self.scores(torch.relu(self.hidden(states[:, -1])))
        return scores


def test_layers_around_recurrent_ones_shrink() -> None:
    module = Reader().eval()
    prune_channels(module, (torch.randint(0, 50, (2, 7)),), ChannelPlan(0.5))
    assert (module.memory.hidden_size, module.project.out_features, module.hidden.out_features) == (64, 16, 16)
    assert module(torch.randint(0, 50, (3, 7))).shape == (3, 5)


@pytest.mark.parametrize(
    ("name", "shape", "heads"),
    [
        ("sample.movie_sentences", (2, 16), True),
        ("sample.sequence", (2, 8, 8), False),
        ("sample.digits_teacher", (2, 1, 8, 8), False),
    ],
)
def test_other_architectures_rebuild(name: str, shape: tuple[int, ...], heads: bool) -> None:
    module = architecture(name).eval()
    inputs: tuple[torch.Tensor, ...] = (torch.rand(shape),)
    if len(shape) == 2:
        tokens = torch.randint(0, 4000, shape)
        inputs = (tokens, torch.ones_like(tokens), torch.zeros_like(tokens))
    before = structure_of(module)
    prune_channels(module, inputs, ChannelPlan(0.5, heads=heads))
    fresh = reshape(architecture(name), changes(before, structure_of(module)))
    fresh.load_state_dict(module.state_dict())
    assert parameters(fresh) < 0.6 * parameters(architecture(name))
    assert torch.equal(fresh.eval()(*inputs), module.eval()(*inputs))
