"""Widgets drawn from a plugin's options, so that a new plugin needs no edit here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from engine.plugin import Option, Plugin
from engine.spec import Use


def form(plugin: type[Plugin], key: str, references: Mapping[str, list[tuple[str, str]]] | None = None) -> Use:
    """Draw every option of a plugin and give its use: the options that differ from the defaults.

    `references` offers values by kind (`model`, `dataset`) as (value, label).
    """
    values = {each.name: widget(each, f"{key}_{each.name}", references or {}) for each in plugin.option_list()}
    known = {each.name: each for each in plugin.option_list()}
    changed = {name: value for name, value in values.items() if value is not None and value != known[name].default}
    return Use(plugin.name, changed)


def widget(option: Option, key: str, references: Mapping[str, list[tuple[str, str]]]) -> Any:
    """The widget of one option; returns its value."""
    label = f"{option.label} ({option.unit})" if option.unit else option.label
    if option.kind == "flag":
        return st.toggle(label, bool(option.default), key=key, help=option.help, persist_state="session")
    if option.kind == "choice":
        return choice(option, label, key)
    if option.kind == "number":
        return number(option, label, key)
    if option.kind in references:
        offered = dict(references[option.kind])
        return st.selectbox(
            label,
            [option.default, *offered],
            format_func=lambda value: offered.get(value, "None chosen"),
            key=key,
            help=option.help,
            persist_state="session",
        )
    return st.text_input(label, str(option.default), key=key, help=option.help, persist_state="session")


def choice(option: Option, label: str, key: str) -> Any:
    """Two to five choices side by side, more in a list."""
    index = option.choices.index(option.default)
    if len(option.choices) <= 5 and sum(map(len, option.choices)) <= 40:
        return st.segmented_control(
            label,
            option.choices,
            default=option.default,
            key=key,
            help=option.help,
            required=True,
            persist_state="session",
        )
    return st.selectbox(label, option.choices, index, key=key, help=option.help, persist_state="session")


def number(option: Option, label: str, key: str) -> Any:
    """A slider where steps of 1 or 0.01 are fine enough, else a number field."""
    kind, default = option.type, option.default
    if slides(option):
        step = 1 if kind is int else 0.01
        return st.slider(
            label,
            kind(option.min),
            kind(option.max),
            kind(default),
            step,
            key=key,
            help=option.help,
            persist_state="session",
        )
    return st.number_input(
        label,
        min_value=kind(option.min) if option.min is not None else None,
        max_value=kind(option.max) if option.max is not None else None,
        value=kind(default),
        step=1 if kind is int else (abs(default) / 10 or 0.01),
        format=None if kind is int else "%.5g",
        key=key,
        help=option.help,
        persist_state="session",
    )


def slides(option: Option) -> bool:
    """Whether an option's bounds are close enough, and its default round enough, for a slider."""
    if option.min is None or option.max is None:
        return False
    span = option.max - option.min
    if option.type is int:
        return span <= 100
    return span <= 2 and round(option.default, 2) == option.default


def about(plugins: Iterable[type[Plugin]]) -> str:
    """What a technique does and when it helps: the first paragraph of its docstring, and its paper."""
    first = next(iter(plugins))
    text = " ".join(first.about().split("\n\n")[0].split())
    return f"{text} ({first.paper})" if first.paper else text
