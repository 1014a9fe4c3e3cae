"""A form for what the user knows about a model better than inspection does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import streamlit as st

from engine.errors import BadInput
from engine.recipes import scalar
from engine.spec import ModelSpec, Preprocessing, Range, Scalar, Task
from engine.store import ModelRow
from pages.ui import badges
from pages.ui.context import store

TASKS: tuple[Task, ...] = ("classification", "embedding", "detection", "other")


def shape_text(shape: tuple[int | str, ...]) -> str:
    """A shape as people write it: batch × 3 × 224 × 224."""
    return " × ".join(map(str, shape)) or "scalar"


def edit(row: ModelRow) -> None:
    """A form for everything the user knows better than inspection does."""
    spec = row.spec
    with st.form(f"spec_{row.id}", border=False):
        st.markdown("**Inputs.** Integer inputs are drawn from low (included) to high (excluded).")
        table = st.data_editor(
            inputs_frame(spec), hide_index=True, disabled=("Name", "Type", "Shape"), key=f"inputs_{row.id}"
        )
        st.markdown(f"**Outputs.** {badges.plain(outputs_text(spec))}")
        dimensions = sorted({each for tensor in spec.inputs for each in tensor.dynamic} - {spec.batch_dimension or ""})
        sizes = {each: dimension_field(row.id, each, spec) for each in dimensions}
        first, second, third = st.columns(3)
        task = first.selectbox(
            "Task", TASKS, TASKS.index(spec.task), help="Top-1 accuracy means something for classification only."
        )
        names = ["", *(each.name for each in spec.outputs)]
        scores = second.selectbox(
            "Output with the scores",
            names,
            names.index(spec.preprocessing.scores) if spec.preprocessing.scores in names else 0,
            format_func=lambda name: name or "the first",
        )
        labels = third.text_input(
            "Labels", ", ".join(spec.preprocessing.labels), help="In the order of the scores, separated by commas."
        )
        preprocessing = preprocessing_fields(row.id, spec.preprocessing)
        if st.form_submit_button("Save", icon=":material/save:"):
            try:
                names_of_classes = tuple(each.strip() for each in labels.split(",") if each.strip())
                changed = replace(
                    spec.with_values(changed_values(spec, table)),
                    sizes={**spec.sizes, **sizes},
                    task=task,
                    preprocessing=replace(preprocessing(), scores=scores, labels=names_of_classes),
                    guessed=(),
                )
                store().update_model(row.id, changed)
                st.rerun()
            except BadInput as error:
                st.error(f"{badges.plain(error.reason)} {badges.plain(error.hint)}", icon=":material/error:")


def inputs_frame(spec: ModelSpec) -> pd.DataFrame:
    """The inputs as an editable table."""
    return pd.DataFrame(
        {
            "Name": [each.name for each in spec.inputs],
            "Type": [each.dtype for each in spec.inputs],
            "Shape": [shape_text(each.shape) for each in spec.inputs],
            "Low": pd.Series([each.low for each in spec.inputs], dtype="float64"),
            "High": pd.Series([each.high for each in spec.inputs], dtype="float64"),
            "Constant": ["" if each.constant is None else str(each.constant) for each in spec.inputs],
        }
    )


def changed_values(spec: ModelSpec, table: pd.DataFrame) -> dict[str, Range | Scalar]:
    """The ranges and constants that the table gives otherwise than the model has them."""
    found: dict[str, Range | Scalar] = {}
    for each, (_, line) in zip(spec.inputs, table.iterrows(), strict=True):
        low, high = (None if pd.isna(line[name]) else float(line[name]) for name in ("Low", "High"))
        constant = str(line["Constant"] or "").strip()
        if constant and constant != str(each.constant):
            found[each.name] = scalar(constant)
        elif (low, high) != (each.low, each.high):
            found[each.name] = (low, high)
    return found


def outputs_text(spec: ModelSpec) -> str:
    """The outputs in one line."""
    return (
        "; ".join(f"{each.name}: {each.dtype}, {shape_text(each.shape)}" for each in spec.outputs)
        or "unknown until it runs"
    )


def dimension_field(id: str, name: str, spec: ModelSpec) -> int:
    """The size of one dynamic dimension."""
    value = spec.sizes.get(name, 1)
    return int(
        st.number_input(f"Size of the dynamic dimension {name}", 1, None, value, key=f"size_{id}_{name}", width=320)
    )


def preprocessing_fields(id: str, kept: Preprocessing) -> Callable[[], Preprocessing]:
    """Fields for how raw samples become inputs; returns a function that reads them."""
    with st.expander("Preprocessing of images and text"):
        st.caption(
            "Images are resized, scaled to 0–1, then (x − mean) / std per channel. Text goes through the tokenizer."
        )
        first, second, third, fourth = st.columns(4)
        resize = first.text_input(
            "Resize to", "×".join(map(str, kept.resize or ())), placeholder="224×224", key=f"resize_{id}"
        )
        mean = second.text_input(
            "Mean", ", ".join(map(str, kept.mean)), placeholder="0.485, 0.456, 0.406", key=f"mean_{id}"
        )
        std = third.text_input("Standard deviation", ", ".join(map(str, kept.std)), key=f"std_{id}")
        length = fourth.number_input("Tokens at most", 1, None, kept.max_length, key=f"length_{id}")

    def read() -> Preprocessing:
        sizes = floats(resize.replace("×", ",").replace("x", ","), "Resize to")
        if sizes and (len(sizes) != 2 or min(sizes) < 1):
            raise BadInput("A size is height × width.", "For example 224×224.")
        size = (int(sizes[0]), int(sizes[1])) if sizes else None
        return replace(
            kept, resize=size, mean=floats(mean, "Mean"), std=floats(std, "Standard deviation"), max_length=int(length)
        )

    return read


def floats(text: str, name: str) -> tuple[float, ...]:
    """Numbers separated by commas; raises BadInput naming the field."""
    try:
        return tuple(float(each) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise BadInput(f"{name} is {text!r}.", "Write numbers separated by commas.") from error
