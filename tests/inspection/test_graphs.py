"""Every format tells the same story: the same modules, repeated ones once, the shortcut kept."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from engine.inspection.drawing import drawn
from engine.inspection.module_graph import module_graph
from engine.inspection.onnx_structure import onnx_structure
from engine.inspection.program_graph import program_graph
from engine.inspection.script_graph import script_graph
from engine.model_graph import ModelGraph, Operation, build
from engine.plots.model_dot import dot
from engine.plots.model_graph import modules, outline, title
from engine.spec import ModelSpec, TensorSpec


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense, self.norm, self.act = nn.Linear(8, 8), nn.LayerNorm(8), nn.ReLU()

    def forward(self, x: Any) -> Any:
        return x + self.act(self.norm(self.dense(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.blocks, self.head = (
            nn.Linear(4, 8),
            nn.Sequential(*(Block() for _ in range(9))),
            nn.Linear(8, 2),
        )

    def forward(self, x: torch.Tensor) -> Any:
        return self.head(self.blocks(self.first(x)))


SPEC = ModelSpec("", "", (TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("scores", "float32", ("batch", 2)),))


def from_module(net: nn.Module, folder: Path) -> ModelGraph:
    return module_graph(net, SPEC)


def from_script(net: nn.Module, folder: Path) -> ModelGraph:
    torch.jit.trace(net, torch.rand(2, 4)).save(str(folder / "net.pt"))
    return script_graph(torch.jit.load(str(folder / "net.pt")))


def from_program(net: nn.Module, folder: Path) -> ModelGraph:
    return program_graph(torch.export.export(net, (torch.rand(2, 4),)))


def from_onnx(net: nn.Module, folder: Path) -> ModelGraph:
    import onnx

    path = str(folder / "net.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (torch.rand(2, 4),), path, dynamo=False)
    return onnx_structure(onnx.load(path), {"first.bias": 8})


@pytest.mark.parametrize("read", [from_module, from_script, from_program, from_onnx])
def test_repeated_modules_are_one_box_in_every_format(read: Any, tmp_path: Path) -> None:
    graph = read(Net().eval(), tmp_path)
    found = outline(graph)
    repeats = [each.repeats for each in found.boxes]
    assert repeats == [1, 1, 9, 1, 1]
    assert set(found.edges) == {(0, 1), (1, 2), (2, 3), (3, 4)}
    inside = outline(graph, "blocks.0")
    kinds = [each.kind.lower() for each in inside.boxes]
    assert kinds[-1] == "add"
    assert len(kinds) == 4
    assert (2, 3) in inside.edges
    assert "blocks.0" in modules(graph)
    assert "blocks.1" not in modules(graph)


def test_shapes_and_parameters_are_told() -> None:
    graph = module_graph(Net().eval(), SPEC)
    first = next(each for each in graph.nodes if each.path == "first")
    assert (first.kind, first.shape, first.parameters) == ("Linear", ("batch", 8), 40)


def test_a_graph_without_modules_shows_its_pattern() -> None:
    kinds = ["Conv", "Relu"] * 300
    nodes = [Operation("", kind, frozenset({n})) for n, kind in enumerate(kinds)]
    found = outline(build([Operation("x", "Input"), *nodes], {}))
    assert [title(each) for each in found.boxes] == ["Input", "300 × Conv, Relu"]


def test_very_many_different_operators_stay_readable() -> None:
    nodes = [Operation("", f"Op{n * n % 977}", frozenset({n})) for n in range(599)]
    assert len(outline(build([Operation("x", "Input"), *nodes], {})).boxes) < 60


def test_names_can_not_break_the_picture() -> None:
    graph = build([Operation('a"]; b\\', "Input"), Operation('evil"name.\n', "x\ny", frozenset({0}))], {})
    text = dot(graph, outline(graph), theme="dark")
    assert '\\"]; b\\\\' in text
    assert len(text.splitlines()) == 10


def test_what_can_not_be_drawn_is_a_note() -> None:
    graph, notes = drawn(lambda: module_graph(nn.Linear(3, 3), SPEC))
    assert graph == ModelGraph()
    assert "can't be drawn" in notes[0]
