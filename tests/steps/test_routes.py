"""The routes that real specs get."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import presets, recipes, routes
from engine.spec import ModelSpec
from tests.steps.conftest import DIGITS, SEQUENCE

SCRIPT = replace(DIGITS, format="torchscript")
PROGRAM = replace(DIGITS, format="exported-program")


def route(spec: ModelSpec, recipe: str) -> str:
    variant = routes.plan(spec, recipes.parse(recipe), "cpu")
    assert not variant.unsupported, f"{variant.unsupported} {variant.hint}"
    return " > ".join(each.name for each in variant.route)


@pytest.mark.parametrize(
    ("spec", "recipe", "expected"),
    [
        (DIGITS, "eager", ""),
        (DIGITS, "torchscript", "trace"),
        (DIGITS, "onnxruntime", "onnx"),
        (DIGITS, "half > onnx > onnxruntime", "half > onnx"),
        (DIGITS, "trace > freeze > torchscript", "trace > freeze"),
        (DIGITS, "freeze > torchscript", "trace > freeze"),
        (DIGITS, "script > freeze > torchscript", "script > freeze"),
        (DIGITS, "@exported-program > onnxruntime", "export > onnx"),
        (DIGITS, "onnx-simplify > onnxruntime", "onnx > onnx-simplify"),
        (DIGITS, "dynamic-int8 > onnxruntime", "onnx > dynamic-int8"),
        (DIGITS, "onnx(exporter=torchscript) > onnxruntime", "onnx"),
        (DIGITS, "half > torchscript", "half > trace"),
        (SEQUENCE, "torchscript", "script"),
        (SEQUENCE, "onnxruntime", "script > onnx"),
        (SEQUENCE, "trace > torchscript", "trace"),
        (SEQUENCE, "mix(reverse=true) > torchscript", "mix"),
        (SCRIPT, "onnxruntime", "onnx"),
        (SCRIPT, "freeze > torchscript", "freeze"),
        (PROGRAM, "eager", ""),
        (PROGRAM, "onnxruntime", "onnx"),
        (PROGRAM, "half > onnxruntime", "half > onnx"),
        (replace(DIGITS, format="onnx"), "eager", "onnx-to-module"),
    ],
)
def test_the_cheapest_route_is_the_right_one(spec: ModelSpec, recipe: str, expected: str) -> None:
    assert route(spec, recipe) == expected


def test_hidden_state_is_refused_even_when_named() -> None:
    variant = routes.plan(replace(SCRIPT, state="hidden"), recipes.parse("onnx > onnxruntime"), "cpu")
    assert "hidden state" in f"{variant.unsupported} {variant.hint}"


def test_an_exporter_that_does_not_fit_says_so() -> None:
    variant = routes.plan(PROGRAM, recipes.parse("onnx(exporter=torchscript) > onnxruntime"), "cpu")
    assert route(PROGRAM, "program-to-module > onnx(exporter=torchscript) > onnxruntime") == "program-to-module > onnx"
    assert not variant.unsupported  # the router opens the program as a module, which that exporter takes
    variant = routes.plan(DIGITS, recipes.parse("onnx(exporter=dynamo, opset=11) > onnxruntime"), "cpu")
    assert "opset 18 and later" in f"{variant.unsupported} {variant.hint}"


def test_what_is_missing_on_the_way_comes_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runtimes.toolchain.cpp_compiler", lambda: None)
    variant = routes.plan(DIGITS, recipes.parse("aoti"), "cpu")
    assert variant.unsupported.endswith("needs a C++ compiler, and none is installed.")
    assert variant.hint.startswith("Run: sudo apt-get install g++")
    variant = routes.plan(DIGITS, recipes.parse("aot-compile(max_autotune=true) > aoti"), "cpu")
    assert variant.hint.startswith("Run: sudo apt-get install g++")


def test_only_conversions_are_named_where_no_route_leads() -> None:
    variant = routes.plan(replace(SEQUENCE, state="hidden"), recipes.parse("aoti"), "cpu")
    assert "nothing leads there" in variant.unsupported
    assert "hidden state" in variant.hint
    assert "numbers" not in variant.hint


def test_a_step_that_refuses_says_so_itself() -> None:
    branching = replace(DIGITS, format="onnx", control_flow=1)
    variant = routes.plan(branching, recipes.parse("onnx-to-module > eager"), "cpu")
    assert variant.unsupported.startswith("ONNX to module: the graph has branches")


def test_a_graph_without_matrix_products_is_not_offered_dynamic_int8() -> None:
    convolutions = replace(DIGITS, format="onnx", operators={"Conv": 3, "Relu": 3})
    variant = routes.plan(convolutions, recipes.parse("dynamic-int8 > onnxruntime"), "cpu")
    assert "operators=all" in f"{variant.unsupported} {variant.hint}"
    assert not routes.plan(convolutions, recipes.parse("dynamic-int8(operators=all) > onnxruntime"), "cpu").unsupported
    offered = [text for _, text in presets.recipes(convolutions, "cpu", "quick")]
    assert "dynamic-int8 > onnxruntime" not in offered
    assert "onnx-simplify > onnxruntime" in offered


@pytest.mark.parametrize("spec", [SCRIPT, PROGRAM])
def test_channels_of_a_file_without_architecture_are_not_removed(spec: ModelSpec) -> None:
    variant = routes.plan(spec, recipes.parse("prune-channels > eager"), "cpu")
    assert "architecture is known" in variant.unsupported
