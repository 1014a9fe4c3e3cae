from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from engine.data import prepared
from engine.formats import exported_program, torch_module
from tests.compression.conftest import Bench, accuracy

ROOT = Path(__file__).parents[2]


def test_calibrated_program_is_small_and_right(bench: Bench) -> None:
    artifact = bench.ok("static-int8(samples=64)")
    program = exported_program.load(artifact.path)
    assert accuracy(program.module(), bench.data().split("test"), bench.spec) > 0.97
    stored = sum(each.numel() * each.element_size() for each in program.state_dict.values())
    whole = sum(each.numel() * 4 for each in torch_module.load(bench.model / "module").parameters())
    assert stored * 3 < whole
    assert artifact.precision == "int8"
    assert [row["bits"] for row in artifact.details["report"]] == [8, 8, 8, 8]


def test_opens_in_a_process_that_knows_nothing_of_quantization(bench: Bench) -> None:
    path = bench.ok("static-int8(samples=32)").path
    code = f"from pathlib import Path; from engine.formats.exported_program import load; load(Path({str(path)!r}))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


def test_kept_layer_stays_in_floating_point(bench: Bench) -> None:
    artifact = bench.ok("static-int8(keep=classifier, observer=min-max, samples=32)")
    assert [row["bits"] for row in artifact.details["report"]] == [8, 8, 8, 32]


def test_refuses_without_data_and_with_too_little(bench: Bench, tmp_path: Path) -> None:
    assert "needs a data set" in bench.fails("static-int8", dataset=False)[0]
    data = bench.data()
    few = replace(data, splits={**data.splits, "calibration": data.splits["calibration"][:3]}, digest="few")
    prepared.write(tmp_path / "few", few)
    bench.prepared = tmp_path / "few"
    reason, hint = bench.fails("static-int8")
    assert "at least 8 samples" in reason
    assert hint


def test_static_build_is_calibrated_with_other_batch_sizes(bench: Bench) -> None:
    bench.batch_size = 3
    program = exported_program.load(bench.ok("static-int8(samples=40)").path)
    assert tuple(program.example_inputs[0][0].shape) == (3, 1, 8, 8)
