"""The dashboard, the store and the command line start without the heavy libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.worker.launch import ROOT

HEAVY = ("torch", "onnxruntime", "onnx", "tensorrt", "transformers", "sklearn")
LIGHT = (
    "engine",
    "engine.document",
    "engine.plugin",
    "engine.routes",
    "engine.presets",
    "engine.store.store",
    "engine.store.queue",
    "engine.schedule.scheduler",
    "engine.summary",
    "engine.intake",
    "engine.live.demo",
    "engine.live.reading",
    "engine.cli.compare",
    "engine.cli.show",
    "engine.report",
    "engine.plots",
    "pages.ui",
)


@pytest.mark.parametrize("module", LIGHT)
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([each for each in {HEAVY!r} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_comparing_needs_no_dashboard() -> None:
    code = (
        "import sys; sys.modules['streamlit'] = sys.modules['plotly'] = None;"
        "import engine.cli.compare, engine.schedule.scheduler, engine.summary; print('fine')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "fine", done.stderr


def test_every_plugin_can_be_listed_and_planned_without_them() -> None:
    code = (
        "import sys; from engine.cli.show import plugin_facts; from engine.presets import recipes;"
        "from tests.schedule.made import SPEC; plugin_facts(); recipes(SPEC, 'cpu', 'full');"
        f"print([each for each in {HEAVY!r} if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
