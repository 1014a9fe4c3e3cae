from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput
from tests.data.conftest import Prepare, image_model


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path / "set.npz", **arrays)
    return path / "set.npz"


def test_inputs_labels_and_four_splits(tmp_path: Path, arrays: dict[str, np.ndarray], prepare_with: Prepare) -> None:
    found = prepare_with(image_model(), save(tmp_path, **arrays))
    assert (found.feeds["pixels"] == arrays["x"]).all()
    assert found.labels is not None
    assert found.labels.dtype == np.int64
    assert (len(found.split("test")), len(found.split("train")), len(found.split("validation"))) == (15, 36, 9)
    tested = set(found.splits["test"].tolist())
    for name in ("train", "validation", "calibration"):
        assert not tested & set(found.splits[name].tolist())


def test_split_keeps_the_share_of_each_class(
    tmp_path: Path, arrays: dict[str, np.ndarray], prepare_with: Prepare
) -> None:
    found = prepare_with(image_model(), save(tmp_path, **arrays))
    labels = found.split("test").labels
    assert labels is not None
    assert np.bincount(labels).tolist() == [5, 5, 5]


def test_seed_decides_the_split(tmp_path: Path, arrays: dict[str, np.ndarray], prepare_with: Prepare) -> None:
    path = save(tmp_path, **arrays)
    first, again, other = (prepare_with(image_model(), path, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest
    assert first.splits["test"].tolist() != other.splits["test"].tolist()


def test_own_train_and_test_are_honoured(tmp_path: Path, arrays: dict[str, np.ndarray], prepare_with: Prepare) -> None:
    x, y = arrays["x"], arrays["y"]
    found = prepare_with(image_model(), save(tmp_path, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:]))
    assert (np.sort(found.split("test").feeds["pixels"].sum((1, 2, 3))) == np.sort(x[40:].sum((1, 2, 3)))).all()
    assert len(found.split("validation")) == 6


def test_few_samples_are_all_for_testing(tmp_path: Path, arrays: dict[str, np.ndarray], prepare_with: Prepare) -> None:
    found = prepare_with(image_model(), save(tmp_path, x=arrays["x"][:5], y=arrays["y"][:5]))
    assert len(found.split("test")) == 5
    with pytest.raises(BadInput, match="none of them is for train"):
        found.split("train")


def test_raw_pixels_are_normalised(tmp_path: Path, prepare_with: Prepare) -> None:
    pixels = np.full((12, 8, 8), 255, dtype=np.uint8)
    found = prepare_with(image_model(mean=(0.5,), std=(0.25,)), save(tmp_path, x=pixels))
    assert found.feeds["pixels"].shape == (12, 1, 8, 8)
    assert np.allclose(found.feeds["pixels"], 2.0)
    assert found.labels is None


def test_flat_samples_are_reshaped_and_said_so(
    tmp_path: Path, arrays: dict[str, np.ndarray], prepare_with: Prepare
) -> None:
    found = prepare_with(image_model(), save(tmp_path, x=arrays["x"].reshape(60, 64), y=arrays["y"]))
    assert (found.feeds["pixels"] == arrays["x"]).all()
    assert any("64 values" in note for note in found.facts["notes"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x": np.full((60, 1, 8, 8), np.nan, np.float32)}, "NaN"),
        ({"x": np.zeros((60, 1, 9, 9), np.float32)}, "1×9×9"),
        ({"x": np.zeros((0, 1, 8, 8), np.float32), "y": np.zeros(0)}, "no samples"),
        ({"y": np.arange(60)}, "labels up to 59"),
        ({"y": np.arange(59) % 3}, "60 inputs and 59"),
        ({"y": np.arange(60) - 2}, "down to -2"),
        ({"y": np.arange(60) / 7}, "whole class numbers"),
        ({"x": np.array([["a"]] * 60)}, "values for input"),
        ({"x": np.array([{}] * 60)}, "Python objects"),
        ({"other": np.zeros((60, 2)), "x": np.zeros((60, 3, 1, 1, 1), np.float32)}, "3×1×1×1"),
    ],
)
def test_bad_arrays(
    tmp_path: Path, arrays: dict[str, np.ndarray], prepare_with: Prepare, change: dict[str, np.ndarray], reason: str
) -> None:
    with pytest.raises(BadInput, match=reason) as caught:
        prepare_with(image_model(), save(tmp_path, **{**arrays, **change}))
    assert caught.value.hint


def test_samples_without_a_label_only_train(
    tmp_path: Path, arrays: dict[str, np.ndarray], prepare_with: Prepare
) -> None:
    y = np.where(np.arange(60) < 20, arrays["y"], -1)
    found = prepare_with(image_model(), save(tmp_path, x=arrays["x"], y=y))
    assert found.labels is not None
    assert (found.labels[found.splits["test"]] >= 0).all()
    assert len(found.split("train")) == 52
    assert found.facts["classes"] == 3
    own = {"x_train": arrays["x"], "y_train": arrays["y"], "x_test": arrays["x"], "y_test": y}
    with pytest.raises(BadInput, match="Test samples"):
        prepare_with(image_model(), save(tmp_path, **own))


def test_one_class_is_noted(tmp_path: Path, arrays: dict[str, np.ndarray], prepare_with: Prepare) -> None:
    found = prepare_with(image_model(), save(tmp_path, x=arrays["x"], y=np.full(60, 2)))
    assert any("one class" in note for note in found.facts["notes"])


@pytest.mark.parametrize("content", [b"PK\x03\x04garbage", b"not a zip at all"])
def test_truncated_file(tmp_path: Path, prepare_with: Prepare, content: bytes) -> None:
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(BadInput, match=r"set\.npz"):
        prepare_with(image_model(), tmp_path / "set.npz")
