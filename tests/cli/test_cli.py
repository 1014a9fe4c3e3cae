"""Every command on something real, and on something wrong."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine import document
from engine.cli import app
from engine.spec import ModelSpec, from_json
from engine.worker.launch import ROOT

FAST = ["--rounds", "2", "--seconds", "0.05", "--threads", "1", "--device", "cpu"]
TWO = ["--recipe", "onnxruntime", "--recipe", "onnxruntime(graph_optimization=basic)"]


def optibench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def compared(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "tiny.json"
    result = optibench("compare", tiny, *TWO, "--recipe", "tensorrt", "--batch", "1,4", "--out", out, *FAST)
    assert result.exit_code == 0, result.output
    assert "unsupported" in result.stdout
    return out


def test_compare_writes_a_whole_comparison(compared: Path) -> None:
    found = document.read(compared)
    assert [each.recipe for each in found.variants][:2] == TWO[1::2]
    assert found.command.startswith("optibench")
    for variant in found.variants[:2]:
        for result in variant.results:
            assert result.status == "ok", result.reason
            assert result.parity is not None
            assert result.parity.passed
            assert result.latency_ms["resident"].rounds == 2
            assert result.size_bytes is not None
            assert result.load_s
    assert found.variants[1].results[0].speedup["baseline"].low is not None
    assert [each.status for each in found.variants[2].results] == ["unsupported", "unsupported"]
    assert found.orchestration["wall_s"] >= found.orchestration["workers_s"] > 0


def test_compare_leaves_nothing_in_the_home_folder(compared: Path, home: Path) -> None:
    assert list((home / "uploads").iterdir()) == []
    assert list((home / "jobs").iterdir()) == []
    assert not (home / "optibench.db").exists()


def test_the_file_becomes_a_report_and_an_import(compared: Path, tmp_path: Path) -> None:
    result = optibench("report", compared, "--format", "csv,json", "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert {each.suffix for each in (tmp_path / "report").iterdir()} == {".csv", ".json"}
    imported = optibench("import", compared)
    assert imported.exit_code == 0
    assert len(imported.stdout.strip()) == 12


@pytest.mark.parametrize(("formats", "folder"), [("html,pdf", "report"), (",", "report"), ("csv", "taken/report")])
def test_a_report_that_can_not_be_written_leaves_nothing(
    compared: Path, tmp_path: Path, formats: str, folder: str
) -> None:
    (tmp_path / "taken").touch()
    result = optibench("report", compared, "--format", formats, "--out", tmp_path / folder)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error:")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]


def test_a_taken_port_is_refused_with_the_next_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = optibench("serve", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "is taken" in result.stderr
    assert "--port" in result.stderr


def test_inspect_prints_the_model_object_and_nothing_else(tiny: Path) -> None:
    result = optibench("inspect", tiny, "--json")
    assert result.exit_code == 0, result.output
    spec = from_json(ModelSpec, json.loads(result.stdout))
    assert (spec.name, spec.format, spec.parameters, spec.opset) == ("tiny", "onnx", 10, 17)
    assert "MatMul" in optibench("inspect", tiny).stdout


def test_plugins_say_whether_they_are_ready() -> None:
    found = json.loads(optibench("plugins", "--json").stdout)
    eager = next(each for each in found["runtimes"] if each["name"] == "eager")
    assert eager["ready"]
    assert {each["name"] for each in eager["options"]} >= {"tf32", "autocast"}
    assert all(each["hint"] for kind in ("steps", "runtimes") for each in found[kind] if not each["ready"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["compare"], "No model is given"),
        (["compare", "nowhere.onnx"], "nowhere.onnx"),
        (["compare", "MODEL", "--recipe", "trace > nonsense"], "nonsense"),
        (["compare", "MODEL", "--recipe", "onnxruntime(graph_optimization=odd)"], "graph_optimization"),
        (["compare", "MODEL", "--preset", "slow"], "no preset"),
        (["compare", "MODEL", "--batch", "one"], "batch sizes"),
        (["compare", "MODEL", "--device", "tpu"], "no device"),
        (["compare", "MODEL", "--device", "cuda:99"], "no NVIDIA GPU"),
        (["compare", "MODEL", "--shape", "x=axb"], "not the shape of an input"),
        (["compare", "MODEL", "--shape", "z=1x4"], "no input 'z'"),
        (["compare", "MODEL", "--shape", "x=1x5"], "fixed dimension of 4"),
        (["compare", "MODEL", "--values", "x"], "not a range or a value"),
        (["compare", "MODEL", "--values", "x=low:high"], "not a range or a value"),
        (["compare", "MODEL", "--values", "z=0:5"], "no input 'z'"),
        (["compare", "MODEL", "--values", "x=5:5"], "range of x is empty"),
        (["compare", "MODEL", "--values", "x=7"], "can't be a constant"),
        (["inspect", "MODEL", "--shape", "x=1x5"], "fixed dimension of 4"),
        (["compare", "MODEL", "--dataset", "nowhere.npz"], "no data set"),
        (["compare", "MODEL", "--out", "/no/such/folder/out.json"], "no folder"),
        (["inspect", "--architecture", "torchvision.resnet1"], "resnet1"),
        (["compare", "MODEL", "--dataset", "/tmp"], "no data set"),
        (["compare", "MODEL", "--out", "/tmp"], "is a folder"),
        (["compare", "MODEL", "--recipe", "@nonsense > onnxruntime"], "@nonsense"),
        (["inspect", "MODEL", "--architecture", "torchvision.resnet18"], "its own architecture"),
        (["inspect", "EMPTY"], "empty folder"),
        (["report", "nowhere.json", "--out", "."], "nowhere.json"),
        (["import", "MODEL"], "not JSON"),
    ],
)
def test_bad_arguments_are_one_sentence_and_2(arguments: list[str], sentence: str, tiny: Path, tmp_path: Path) -> None:
    stand_for = {"MODEL": tiny, "EMPTY": tmp_path}
    result = optibench(*[stand_for.get(each, each) for each in arguments])
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert "Traceback" not in result.output


def test_a_broken_file_is_refused(tmp_path: Path, home: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    result = optibench("compare", broken)
    assert result.exit_code == 2
    assert result.stderr.count("Error:") == 1
    assert list((home / "uploads").iterdir()) == []


def test_help_starts_at_once() -> None:
    code = "import sys, engine.cli; sys.exit(bool({'torch', 'onnxruntime', 'sqlalchemy', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    shown = subprocess.run([sys.executable, "-m", "engine.cli", "--help"], cwd=ROOT, capture_output=True, check=False)
    assert shown.returncode == 0
    assert b"compare" in shown.stdout
