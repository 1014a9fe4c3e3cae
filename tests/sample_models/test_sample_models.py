"""The cards say the truth: accuracy, parameters, inputs; and tracing gets `sequence` wrong."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import catalog
from engine.data import bundled
from engine.data.prepared import Prepared, load
from engine.feeds import random_feeds
from engine.formats import torch_module
from engine.spec import ModelSpec, from_json
from engine.torch_bridge import positional
from engine.worker.jobs import PrepareJob
from engine.worker.phases import prepare
from engine.worker.protocol import Reporter

ROOT = Path(__file__).parents[2] / "sample_models"
NAMES = ("digits", "digits_teacher", "movie_sentences", "sequence")


def card_of(name: str) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((ROOT / name / "card.json").read_text())
    return card


def spec_of(name: str) -> ModelSpec:
    card = card_of(name)
    keys = ("name", "inputs", "task", "preprocessing", "sizes")
    scores = {"name": "scores", "dtype": "float32", "shape": ["batch", len(card["preprocessing"]["labels"])]}
    facts = {key: card[key] for key in keys if key in card}
    return from_json(ModelSpec, {**facts, "outputs": [scores], "format": "torch-module"})


def sample(name: str) -> torch.nn.Module:
    from safetensors.torch import load_file

    module = catalog.build(f"sample.{name}", card_of(name)["arguments"])
    module.load_state_dict(load_file(ROOT / name / "weights.safetensors"))
    return module.eval()


def data_for(name: str, folder: Path) -> Prepared:
    from engine.artifact import Artifact, write_manifest

    payload = torch_module.write(folder / "model", f"sample.{name}", {}, sample(name).state_dict())
    if (ROOT / name / "tokenizer.json").exists():
        (payload / "tokenizer.json").write_bytes((ROOT / name / "tokenizer.json").read_bytes())
    write_manifest(folder, Artifact("torch-module", payload))
    job = PrepareJob(spec_of(name), str(folder), card_of(name)["dataset"], str(folder / "prepared"))
    prepare.run(job, Reporter(folder))
    return load(folder / "prepared")


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_card_tells_the_accuracy(name: str, tmp_path: Path) -> None:
    spec, card = spec_of(name), card_of(name)
    test = data_for(name, tmp_path).split("test")
    module = sample(name)
    inputs = positional(test.feeds, spec)
    parts = zip(*(each.split(128) for each in inputs), strict=True)
    found = torch.cat([module(*part) for part in parts]).argmax(1).numpy()
    assert (found == test.labels).mean() == pytest.approx(card["accuracy"], abs=2e-3)
    assert sum(each.numel() for each in module.parameters()) == card["parameters"]


def test_digits_are_classified_as_promised() -> None:
    assert card_of("digits")["accuracy"] >= 0.98
    assert card_of("digits_teacher")["parameters"] > 10 * card_of("digits")["parameters"]


def test_weights_are_small() -> None:
    assert sum(each.stat().st_size for each in ROOT.glob("*/weights.safetensors")) < 6e6


@torch.no_grad()
def test_tracing_gets_the_sequence_wrong_and_scripting_right() -> None:
    module, spec = sample("sequence"), spec_of("sequence")
    example = positional(random_feeds(spec, 2, 0), spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced, scripted = torch.jit.trace(module, example, check_trace=False), torch.jit.script(module)
    digits = torch.from_numpy(bundled.digits().arrays["pixels"][:32, 0])
    expected = module(digits)
    assert torch.equal(scripted(digits), expected)
    assert (traced(digits) - expected).norm() > 0.05 * expected.norm()


@pytest.mark.parametrize("name", NAMES)
def test_samples_can_be_scripted(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.jit.script(sample(name)).graph


def test_unknown_bundled_data_set_names_the_known_ones() -> None:
    from engine.errors import BadInput

    with pytest.raises(BadInput) as caught:
        bundled.read("sample:cats")
    assert "sample:digits" in caught.value.hint
