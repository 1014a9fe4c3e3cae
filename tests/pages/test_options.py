"""Widgets drawn from options: every option of every plugin has one that keeps its default."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from engine.plugin import Plugin
from engine.runtimes import all_runtimes
from engine.steps import all_steps

PLUGINS: list[type[Plugin]] = [*all_runtimes().values(), *all_steps()]


def draw(module: str, name: str) -> None:
    import importlib

    import streamlit as st

    from pages.ui import options

    plugin = getattr(importlib.import_module(module), name)
    st.session_state.use = options.form(plugin, "test")


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda each: f"{each.name}-{each.__name__}")
def test_untouched_options_change_nothing(plugin: type[Plugin]) -> None:
    at = AppTest.from_function(draw, args=(plugin.__module__, plugin.__name__), default_timeout=30).run()
    assert not at.exception
    assert at.session_state.use.options == {}
    assert at.session_state.use.name == plugin.name


def test_a_changed_option_is_in_the_recipe() -> None:
    runtime = all_runtimes()["onnxruntime"]
    at = AppTest.from_function(draw, args=(runtime.__module__, runtime.__name__), default_timeout=30).run()
    at.toggle(key="test_cuda_graph").set_value(True).run()
    assert at.session_state.use.options == {"cuda_graph": True}
