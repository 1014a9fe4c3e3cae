"""Traces that lie are found out; scripts and mixtures keep control flow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.conversion.data_dependence import lines_that_read_data
from engine.feeds import random_feeds
from engine.formats import torch_module
from engine.settings import load
from engine.spec import ModelSpec, TensorSpec
from tests.steps.conftest import Model
from tests.steps.models import error_of, module_upload

GATED = ModelSpec(
    "gated",
    "torch-module",
    (TensorSpec("values", "float32", ("batch", 8)),),
    (TensorSpec("scores", "float32", ("batch", 4)),),
    control_flow=1,
)
SEVERAL = ModelSpec(
    "several",
    "torch-module",
    (
        TensorSpec("tokens", "int64", ("batch", "length"), low=0, high=9),
        TensorSpec("rate", "int", constant=2000),
        TensorSpec("some.values", "float32", ("batch", 8)),
    ),
    (
        TensorSpec("scores", "float32", ("batch", 8)),
        TensorSpec("best", "int64", ("batch",)),
        TensorSpec("hidden", "float32", ("batch", 8)),
        TensorSpec("sum", "float32", ("batch",)),
    ),
    sizes={"length": 5},
)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Model]]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPTIBENCH_HOME", str(home))
        source = Path(__file__).with_name("oddities.py").read_text()
        (load().architectures / "oddities.py").write_text(source)
        patch.setenv("OPTIBENCH_HOME", str(home))
        yield {
            kind: Model(
                module_upload(tmp_path_factory.mktemp(kind), "operator.oddities.build", {"kind": kind}),
                spec,
                tmp_path_factory.mktemp(f"{kind}-work"),
            )
            for kind, spec in (("gated", GATED), ("several", SEVERAL))
        }


def test_a_trace_that_recorded_control_flow_is_suspect(sequence: Model) -> None:
    result, artifact = sequence.build("trace")
    assert artifact is not None
    fidelity = artifact.details["fidelity"]
    assert fidelity["of"] >= 32
    assert fidelity["diverged"] > 0
    assert "use script" in fidelity["advice"]
    assert fidelity["control_flow"]["script"]["loops"] > fidelity["control_flow"]["trace"]["loops"]
    assert fidelity["tracer_warnings"]
    assert "differs from the model" in artifact.details["suspect_reason"]
    assert result.steps[0]["warnings"]


@pytest.mark.parametrize("recipe", ["script", "mix(reverse=true)", "script > freeze", "script > onnx"])
def test_control_flow_survives(sequence: Model, recipe: str) -> None:
    made = sequence.made(recipe)
    assert "suspect_reason" not in made.details
    for batch_size in (1, 5):
        assert error_of(made, sequence.artifact, sequence.spec, batch_size=batch_size) < 1e-5


def test_onnx_never_traces_what_branches(sequence: Model) -> None:
    result, _ = sequence.build("onnx")
    assert (result.status, result.failing_step) == ("unsupported", "onnx")
    assert "branches or loops on its data" in result.reason


def test_a_faithful_trace_says_so(digits: Model) -> None:
    assert digits.made("trace").details["fidelity"]["diverged"] == 0


def test_data_dependence_is_found_where_it_is(sequence: Model, digits: Model) -> None:
    for model, expected in ((sequence, 1), (digits, 0)):
        module = torch_module.load(model.artifact.path)
        assert len(lines_that_read_data(module, model.spec, random_feeds(model.spec, 2, 0))) == expected


def test_script_names_what_it_can_not_compile(odd: dict[str, Model]) -> None:
    result, _ = odd["gated"].build("script")
    assert result.status == "unsupported"
    assert "variable number of arguments" in result.reason
    assert "oddities.py, line" in result.reason


def test_mix_scripts_the_branch_and_traces_the_rest(odd: dict[str, Model]) -> None:
    made = odd["gated"].made("mix")
    assert made.details["scripted"] == ["gate"]
    assert "suspect_reason" not in made.details
    assert "suspect_reason" in odd["gated"].made("trace").details


@pytest.mark.parametrize(
    "recipe",
    [
        "trace",
        "trace > freeze",
        "export",
        "onnx",
        "onnx(exporter=torchscript)",
        "half > trace",
        "export > half",
        "trace > half",
    ],
)
def test_several_inputs_outputs_and_a_number(odd: dict[str, Model], recipe: str) -> None:
    model = odd["several"]
    error = error_of(model.made(recipe), model.artifact, model.spec, batch_size=4, length=7)
    assert error < (2e-1 if "half" in recipe else 1e-5)  # an argmax between near equals may flip
