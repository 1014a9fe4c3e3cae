"""The README's tables say what the recorded runs say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks import tables


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
