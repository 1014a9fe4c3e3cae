"""The README's tables say what the recorded runs say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks import recordings, tables
from engine import document
from tests.documents import gpu_document, quick_document


def test_the_readme_is_what_the_recorded_runs_give() -> None:
    text = tables.README.read_text()
    assert tables.PLACE.search(text)
    assert tables.filled(text) == text


def test_a_table_that_nobody_makes_is_refused() -> None:
    with pytest.raises(SystemExit, match="unknown"):
        tables.filled("<!-- table: unknown -->\n<!-- end of table -->")


def test_figures_are_medians_over_the_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "RECORDED", tmp_path)
    for seed, gained in enumerate((0.5, 1.0, 1.5)):
        row = {"gained_points": gained, "fewer_parameters": 7.0, "wall_s": 10 + seed, "peak_memory_bytes": 2e9}
        row |= {"accuracy": {"alone": 0.95, "distilled": 0.95 + gained / 100}, "command": "python x.py"}
        (tmp_path / f"distillation-seed{seed}.json").write_text(json.dumps(row))
    made = tables.distillation()
    assert "+1.00 points** of accuracy, 95 % interval -0.24 to +2.24, paired over 3 seeds" in made[2]
    assert made[3:5] == ["95.00 % alone → 96.00 % distilled", "12 s, 2.0 GB, 3 seeds"]


def test_no_recorded_run_names_a_path_of_a_machine() -> None:
    for path in (tables.ROOT / "benchmarks").rglob("*.json"):
        assert not re.search(r'"(/\w|[A-Z]:\\)|/home/|/tmp/', path.read_text()), path


def test_recordings_name_the_fastest_correct_variant(tmp_path: Path) -> None:
    document.write(gpu_document(), tmp_path / "resnet50.json.gz")
    document.write(quick_document(), tmp_path / "cpu.json.gz")
    made = recordings.rows(tmp_path)
    assert [each[1] for each in made] == [str(each) for each in gpu_document().workload.batch_sizes]
    assert all("H100" in each[-1] for each in made)
    assert all("FP8" not in each[3] for each in made), "suspect"
    assert "faster" in made[0][4]
