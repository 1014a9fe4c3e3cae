"""The table of variants on the Optimize page: what will run, what can't and why."""

from __future__ import annotations

import hashlib
import json

import pandas as pd
import streamlit as st

from engine import presets
from engine.errors import BadInput
from engine.recipes import parse, render
from engine.routes import describe
from engine.spec import ModelSpec, Variant, to_json

PRESETS = {
    "quick": "Quick look",
    "full": "Full comparison",
    "smaller": "Smaller",
    "faster": "Faster here",
    "smallest": "Smallest file",
    "recorded": "Recorded",
    "none": "My own",
}
ABOUT = {
    "quick": "Four variants, one round, no long compilation: under a minute for a small model. No intervals.",
    "full": "Everything that makes sense for this model here; five rounds, so every figure has an interval.",
    "smaller": "Pruning and quantization that keep the model's accuracy in sight. What trains needs a data set.",
    "faster": "Compression that this device can turn into speed.",
    "smallest": "Everything for the fewest bytes on disk; speed comes second.",
    "recorded": "Everything, as in the recorded results: five rounds and a sweep over batch sizes.",
    "none": "The baseline and what you choose below.",
}


@st.cache_data(max_entries=64, show_spinner="Looking for routes")
def preset_recipes(key: str, _spec: ModelSpec, device: str, preset: str, dataset: bool) -> list[tuple[str, str]]:
    """A preset's labels and recipes for one model; `key` stands for the spec."""
    return [] if preset == "none" else presets.recipes(_spec, device, preset, dataset=dataset)


@st.cache_data(max_entries=64, show_spinner="Looking for routes")
def planned(key: str, _spec: ModelSpec, device: str, recipes: tuple[tuple[str, str], ...]) -> list[Variant]:
    """The variants of some recipes, baseline first, each recipe once."""
    once = list({render(parse(text)): (label, text) for label, text in recipes}.values())
    return presets.variants(_spec, device, once)


def spec_key(spec: ModelSpec) -> str:
    """A short key that changes whenever the spec does."""
    return hashlib.sha256(json.dumps(to_json(spec), sort_keys=True).encode()).hexdigest()


def own_recipe(model: str) -> list[tuple[str, str]]:
    """A field for recipes written by hand, and the ones added so far."""
    key = f"own_{model}"
    own: list[tuple[str, str]] = st.session_state.setdefault(key, [])
    with (
        st.form(f"recipe_form_{model}", border=False, clear_on_submit=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        text = st.text_input(
            "Write a recipe yourself",
            placeholder="trace > freeze > torchscript",
            key=f"recipe_text_{model}",
            help="Steps in order, then a runtime; options in parentheses: half > onnxruntime(nhwc=true)",
        )
        added = st.form_submit_button("Add", icon=":material/add:", key=f"recipe_add_{model}")
    if added and text.strip():
        try:
            own.append(("", render(parse(text))))
        except BadInput as error:
            st.error(f"{error.reason} {error.hint}", icon=":material/error:")
    return own


def route(variant: Variant) -> str:
    """The route in words, or why there is none."""
    return describe(variant) if variant.formats else f"{variant.unsupported} {variant.hint}".strip()


def table(variants: list[Variant], model: str) -> list[Variant]:
    """Draw the variants with a box to leave one out; returns those to run, the baseline always."""
    left_out: set[str] = st.session_state.setdefault(f"left_out_{model}", set())
    texts = [render(each.recipe) for each in variants]
    shown = pd.DataFrame(
        {
            "Run": [text not in left_out or variant.baseline for text, variant in zip(texts, variants, strict=True)],
            "Variant": [f"{each.label} (baseline)" if each.baseline else each.label for each in variants],
            "State": ["✓ Ready" if not each.unsupported else "– Will be skipped" for each in variants],
            "Route": [
                describe(each) if each.formats else f"{each.unsupported} {each.hint}".strip() for each in variants
            ],
            "Recipe": texts,
        }
    )
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
    edited = st.data_editor(
        shown,
        hide_index=True,
        disabled=("Variant", "State", "Route", "Recipe"),
        key=f"variants_{model}_{digest}",
        column_config={
            "Run": st.column_config.CheckboxColumn(width="small", help="The baseline always runs."),
            "Variant": st.column_config.TextColumn(width="medium"),
            "Route": st.column_config.TextColumn("Route, or why not", width="large"),
            "Recipe": st.column_config.TextColumn(width="medium"),
        },
        alt="Variants that will run, with their routes, and those that will be skipped and why",
    )
    for text, wanted in zip(texts, edited["Run"], strict=True):
        left_out.discard(text) if wanted else left_out.add(text)
    return [each for each, wanted in zip(variants, edited["Run"], strict=True) if wanted or each.baseline]
