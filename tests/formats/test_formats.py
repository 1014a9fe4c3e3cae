"""What holds for every format and every source of architectures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine import catalog
from engine.formats import all_formats, recognise
from engine.formats.base import Format
from engine.runtimes import all_runtimes

MADE_HERE = ("torch-module", "torchscript", "exported-program", "onnx")


def test_looking_at_formats_and_architectures_imports_nothing_heavy() -> None:
    code = (
        "import sys; from engine.formats import all_formats; from engine.catalog import all_sources; "
        "import engine.admission.upload, engine.worker.sandbox; all_formats(); all_sources(); "
        "heavy = {'torch', 'onnx', 'onnxruntime', 'transformers', 'timm'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("format", all_formats().values(), ids=lambda each: each.name)
def test_every_format_says_what_it_is(format: type[Format], tmp_path: Path) -> None:
    assert format.title
    assert format.about()
    assert not (format.refusal and format.uploadable)
    assert bool(format.refusal) == bool(format.instead)
    (tmp_path / "text").write_text("some text that is no model")
    assert not format.recognise(tmp_path / "text")
    assert not format.recognise(tmp_path)


@pytest.mark.parametrize("name", MADE_HERE)
def test_every_reference_is_a_runtime_that_opens_the_format(name: str) -> None:
    use = all_formats()[name].reference
    assert use is not None
    runtime = all_runtimes()[use.name].from_options(use.options)
    assert name in runtime.formats


def test_the_samples_are_in_the_catalog_and_build() -> None:
    names = catalog.all_sources()["sample"].names()
    assert {"digits", "movie_sentences"} <= set(names)
    module = catalog.build("sample.digits", {})
    known = catalog.describe("sample.digits", {}, module)
    assert known.inputs[0].shape[0] == "batch"
    assert known.task == "classification"


def test_a_file_of_no_format_is_named_with_what_to_upload(tmp_path: Path) -> None:
    from engine.errors import BadInput

    (tmp_path / "notes.onnx").write_text("not a model")
    with pytest.raises(BadInput, match=r"notes\.onnx") as caught:
        recognise(tmp_path / "notes.onnx")
    assert "TorchScript" in caught.value.hint
