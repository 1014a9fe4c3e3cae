"""Recipes as text: what is wrong with one is said with the way out."""

from __future__ import annotations

import pytest

from engine.errors import BadInput
from engine.recipes import parse


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("onnx-simplfy > onnxruntime", "no step named 'onnx-simplfy'", "Did you mean onnx-simplify?"),
        ("half > onnxrunntime", "'onnxrunntime' is unknown", "Did you mean onnxruntime?"),
        ("half", "'half' is a step", "Runtimes: "),
        ("wibble > onnxruntime", "no step named 'wibble'", "Run `optibench plugins`"),
        ("half(depth=3) > onnxruntime", "no option 'depth'", "Its options"),
        ("half(3) > onnxruntime", "'3' in 'half(3)' is not an option", "Write option=value"),
        ("half > > onnxruntime", "is not a step or a runtime", "Write name"),
    ],
)
def test_a_wrong_recipe_names_what_is_wrong(text: str, reason: str, hint: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert reason in caught.value.reason
    assert caught.value.hint.startswith(hint)
