"""The shapes of a script's inputs, which its file does not tell: the user gives them, and it is looked at again."""

from __future__ import annotations

import streamlit as st

from engine import intake
from engine.errors import BadInput
from engine.recipes import read_shapes, split
from engine.settings import Settings
from engine.spec import ModelSpec
from engine.store import ModelRow, Store
from pages.ui import tasks
from pages.ui.add_model import Work, begin
from pages.ui.context import settings, store


def ask(row: ModelRow) -> None:
    """A field for the shapes of inputs that were guessed, open where the model did not run on any guess."""
    names = guessed_inputs(row.spec)
    if row.spec.format != "torchscript" or not names:
        return
    with (
        st.expander("Give the shapes of its inputs", expanded=not row.spec.outputs, icon=":material/straighten:"),
        st.form(f"shapes_form_{row.id}", border=False),
    ):
        text = st.text_input(
            "Shapes",
            key=f"shapes_{row.id}",
            placeholder=", ".join(f"{name}=1x3x224x224" for name in names),
            help="One for each input, as NAME=SIZExSIZE with the batch among the sizes, separated by commas. "
            "The file is not sent again.",
        )
        if st.form_submit_button("Inspect it with these shapes", icon=":material/search:"):
            submit(row, text)


def submit(row: ModelRow, text: str) -> None:
    """Look at the model again with the shapes as they were typed, or say what is wrong with them."""
    try:
        shapes = read_shapes(part.strip() for part in split(text, ",") if part.strip())
        if not shapes:
            raise BadInput("No shape is given.", "Write NAME=1x3x224x224.")
    except BadInput as error:
        tasks.problem(error.reason, error.hint)
        return
    begin(row.name, again(settings(), store(), row.id, shapes))
    st.rerun()


def again(kept: Settings, models: Store, id: str, shapes: dict[str, tuple[int, ...]]) -> Work:
    """The background work of looking at a kept model again."""
    return lambda on_event, cancelled: intake.inspect_again(kept, models, id, shapes, on_event, cancelled)


def guessed_inputs(spec: ModelSpec) -> list[str]:
    """The names of the inputs whose shapes were guessed."""
    return [each.name for each in spec.tensor_inputs if f"input {each.name}" in spec.guessed]
