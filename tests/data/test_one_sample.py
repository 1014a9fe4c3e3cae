"""One sample of a prepared data set, and how it is shown to people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.data import pixels, prepared
from engine.errors import BadInput
from tests.data.conftest import Prepare, image_model


def test_one_sample_is_read_without_the_others(
    tmp_path: Path, prepare_with: Prepare, arrays: dict[str, np.ndarray]
) -> None:
    np.savez(tmp_path / "set.npz", **arrays)
    whole = prepare_with(image_model(), tmp_path / "set.npz")
    known = prepared.glance(tmp_path / "prepared")
    assert known.test.tolist() == whole.splits["test"].tolist()
    assert known.labels is not None
    assert known.labels.tolist() == arrays["y"].tolist()
    for index in (0, 59):
        (found,) = prepared.sample(tmp_path / "prepared", index).values()
        assert np.array_equal(found[0], arrays["x"][index])
    with pytest.raises(BadInput, match="no sample 60"):
        prepared.sample(tmp_path / "prepared", 60)


@pytest.mark.parametrize("facts", [{}, {"mean": (0.5,), "std": (0.25,)}, {"scale": 255.0}])
def test_a_picture_is_what_was_put_in(facts: dict[str, object]) -> None:
    spec = image_model(resize=(8, 8), **facts)
    image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4
    assert np.array_equal(pixels.picture(pixels.arrange(image[None], spec, spec.inputs[0]), spec), image)


def test_an_input_normalised_elsewhere_is_stretched() -> None:
    drawn = pixels.picture(np.linspace(-3, 5, 64, dtype=np.float32).reshape(1, 1, 8, 8), image_model())
    assert (drawn.min(), drawn.max()) == (0, 255)
