"""Recorded results are listed by model, machine and date, and each is taken in once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine import document as documents
from pages.ui import recorded
from tests.documents import gpu_document
from tests.pages.conftest import Dashboard


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    bert = replace(gpu_document(), name="BERT on an H100", model=replace(gpu_document().model, name="bert"))
    documents.write(gpu_document(), tmp_path / "resnet50.json.gz")
    documents.write(bert, tmp_path / "bert.json")
    (tmp_path / "facts.json").write_text('{"not": "a comparison"}')
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    return tmp_path


def test_every_recording_is_listed(folder: Path) -> None:
    found = recorded.recordings()
    assert [(each.model, each.machine, each.date) for each in found] == [
        ("bert", "NVIDIA H100 80GB HBM3", "2026-11-20"),
        ("resnet50", "NVIDIA H100 80GB HBM3", "2026-11-20"),
    ]


def test_a_recording_is_taken_in_once(folder: Path, dashboard: Dashboard) -> None:
    bert, resnet = recorded.recordings()
    first = recorded.open_recording(bert)
    assert recorded.open_recording(bert) == first
    assert recorded.open_recording(resnet) == dashboard.recorded
    assert dashboard.store.comparison(first).origin == "recorded"
    dashboard.store.delete_comparison(first)
