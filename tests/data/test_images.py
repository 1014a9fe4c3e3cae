from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import BadInput, RefusedFile
from tests.data.conftest import Prepare, image_model


def png(value: int, size: tuple[int, int] = (8, 8)) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full(size, value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path / "set.zip"


def test_folders_are_classes(tmp_path: Path, prepare_with: Prepare) -> None:
    members = {f"set/{label}/{number}.png": png(51 * number) for label in ("cat", "dog") for number in range(6)}
    members["__MACOSX/set/cat/._0.png"] = b"leftover"
    found = prepare_with(image_model(2), zipped(tmp_path, members))
    assert found.labels is not None
    assert np.bincount(found.labels).tolist() == [6, 6]
    assert np.allclose(found.feeds["pixels"][1], 0.2)
    assert any("0 cat, 1 dog" in note for note in found.facts["notes"])


def test_model_label_names_decide_the_numbers(tmp_path: Path, prepare_with: Prepare) -> None:
    members = {"a/0.png": png(1), "b/0.png": png(2)}
    found = prepare_with(image_model(2, labels=("b", "a")), zipped(tmp_path, members))
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0]
    with pytest.raises(BadInput, match="does not know: b"):
        prepare_with(image_model(2, labels=("a", "c")), tmp_path / "set.zip")


def test_train_and_test_folders(tmp_path: Path, prepare_with: Prepare) -> None:
    members = {f"{part}/{label}/{n}.png": png(n) for part in ("train", "test") for label in "012" for n in range(4)}
    found = prepare_with(image_model(), zipped(tmp_path, members))
    assert len(found.split("test")) == 12


def test_larger_images_are_cropped_and_resized(tmp_path: Path, prepare_with: Prepare) -> None:
    found = prepare_with(image_model(), zipped(tmp_path, {"0/a.png": png(255, (40, 20))}))
    assert found.feeds["pixels"].shape == (1, 1, 8, 8)


@pytest.mark.parametrize(
    ("members", "error", "reason"),
    [
        ({"../0/evil.png": png(1)}, RefusedFile, "points outside"),
        ({"/0/evil.png": png(1)}, RefusedFile, "points outside"),
        ({"0/bomb.png": b"\0" * 80_000_000}, RefusedFile, "zip bomb"),
        ({"0/a.png": b"no image"}, BadInput, "can't be read as an image"),
        ({"0/readme.txt": b"text"}, BadInput, "no images"),
        ({"0/a.png": png(1), "stray.png": png(1)}, BadInput, "stray"),
    ],
)
def test_bad_archives(
    tmp_path: Path, prepare_with: Prepare, members: dict[str, bytes], error: type[BadInput], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        prepare_with(image_model(), zipped(tmp_path, members))


def test_colour_model_takes_grey_images(tmp_path: Path, prepare_with: Prepare) -> None:
    from dataclasses import replace

    from engine.spec import TensorSpec

    colour = replace(image_model(), inputs=(TensorSpec("x", "float32", ("batch", 3, "height", "width")),))
    sized = replace(colour, sizes={"height": 4, "width": 6})
    found = prepare_with(sized, zipped(tmp_path, {"0/a.png": png(255)}))
    assert found.feeds["x"].shape == (1, 3, 4, 6)
    with pytest.raises(BadInput, match="size of the model's image input"):
        prepare_with(colour, tmp_path / "set.zip")
