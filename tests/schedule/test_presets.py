"""Presets name only what exists, and fit the upload."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import preset_recipes, presets
from engine.errors import BadInput
from engine.formats import all_formats
from engine.recipes import parse
from tests.schedule.made import SPEC

TABLES = [value for name, value in vars(preset_recipes).items() if name.isupper()]
FORMATS = [each.name for each in all_formats().values() if each.reference is not None]


@pytest.mark.parametrize("text", sorted({text for table in TABLES for _, text, _ in table}))
def test_every_recipe_of_every_preset_can_be_read(text: str) -> None:
    assert parse(text).runtime.name


@pytest.mark.parametrize("format", FORMATS)
def test_quick_has_four_variants_with_the_reference_first(format: str) -> None:
    spec = replace(SPEC, format=format)
    found = presets.recipes(spec, "cpu", "quick")
    assert len(found) == 4
    reference = all_formats()[format].reference
    assert reference is not None
    assert parse(found[0][1]).runtime == reference
    planned = presets.variants(spec, "cpu", found)
    assert [each.baseline for each in planned] == [True, False, False, False]
    assert not any(each.unsupported for each in planned)


@pytest.mark.parametrize("preset", presets.NAMES)
def test_labels_are_unique_and_data_is_asked_for_only_when_it_is_there(preset: str) -> None:
    spec = replace(SPEC, format="torch-module")
    found = presets.recipes(spec, "cpu", preset, dataset=True)
    assert len({label for label, _ in found}) == len(found) == len({text for _, text in found})
    without = presets.recipes(spec, "cpu", preset)
    assert not any("finetune" in text for _, text in without)


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(BadInput, match="no preset") as caught:
        presets.recipes(SPEC, "cpu", "slow")
    assert "quick" in caught.value.hint


def test_a_recipe_without_a_label_gets_one() -> None:
    assert presets.label(parse("half > onnxruntime(cuda_graph=true) [static]"), "onnx") == (
        "ONNX Runtime · FP16 · CUDA graph · static"
    )
    assert presets.label(parse("trace > freeze > torchscript"), "torch-module") == "TorchScript · Trace · Freeze"
