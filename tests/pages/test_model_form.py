"""What the table of inputs on the Models page changes in a model."""

from __future__ import annotations

from engine.spec import ModelSpec, TensorSpec
from pages.ui.model_form import changed_values, inputs_frame

SPEC = ModelSpec(
    name="speech",
    format="onnx",
    inputs=(
        TensorSpec("ids", "int64", ("batch", 16), low=0, high=2),
        TensorSpec("mask", "int64", ("batch", 16), low=0, high=2),
        TensorSpec("rate", "int64", (), constant=8000),
    ),
    outputs=(TensorSpec("y", "float32", ("batch", 2)),),
)


def test_an_untouched_table_changes_nothing() -> None:
    assert changed_values(SPEC, inputs_frame(SPEC)) == {}


def test_only_what_was_changed_counts_as_given() -> None:
    table = inputs_frame(SPEC)
    table.loc[0, "High"] = 30522.0
    table.loc[2, "Constant"] = "16000"
    changed = SPEC.with_values(changed_values(SPEC, table))
    assert changed.given == ("ids", "rate")
    assert [(each.low, each.high, each.constant) for each in changed.inputs] == [
        (0, 30522, None),
        (0, 2, None),
        (None, None, 16000),
    ]
