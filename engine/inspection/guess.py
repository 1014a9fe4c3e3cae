"""Guess what a model is for and how its inputs are made; the user confirms both."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from engine.catalog.base import BATCH, IMAGENET_MEAN, IMAGENET_STD
from engine.spec import Preprocessing, Task, TensorSpec

SCORES = re.compile(r"logit|prob|score|class|label|pred|softmax", re.I)
EMBEDDING = re.compile(r"embed|pool|hidden|feature|latent|sentence|repr", re.I)
DETECTION = re.compile(r"box|det(ection)?s?$|bbox|num_det", re.I)
EMBEDDING_WIDTHS = {128, 256, 384, 512, 768, 1024, 1536, 2048}


def task(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], operators: Collection[str]) -> Task:
    """The likely task of a model from its outputs' names and shapes and from what it contains."""
    names = [each.name for each in outputs]
    if any("NonMaxSuppression" in each or "nms" in each for each in operators) or any(map(DETECTION.search, names)):
        return "detection"
    floats = [each for each in outputs if each.dtype.startswith(("float", "bfloat"))]
    if not floats:
        return "other"
    first = floats[0]
    if len(first.shape) == 3 and isinstance(first.shape[2], int) and looks_like_boxes(first):
        return "detection"
    if any(EMBEDDING.search(each.name) and not SCORES.search(each.name) for each in floats):
        return "embedding"
    if len(first.shape) != 2 or not isinstance(first.shape[1], int) or len(floats) > 2:
        return "other"
    if first.shape[1] < 2:
        return "other"
    if SCORES.search(first.name) or any("softmax" in each.lower() for each in operators):
        return "classification"
    if not is_image(inputs) and not is_text(inputs):
        return "other"
    return "embedding" if first.shape[1] in EMBEDDING_WIDTHS else "classification"


def looks_like_boxes(output: TensorSpec) -> bool:
    """Whether an output is a list of boxes: many rows of coordinates, or the other way around."""
    rows, columns = output.shape[1], output.shape[2]
    return (isinstance(rows, int) and rows > 1000 and columns in (4, 5, 6, 7, 8, 85)) or (
        isinstance(rows, int) and isinstance(columns, int) and rows in (84, 85) and columns > 1000
    )


def is_image(inputs: Sequence[TensorSpec]) -> bool:
    """Whether the only input that counts is an image."""
    return bool(inputs) and image_layout(inputs[0]) is not None


def is_text(inputs: Sequence[TensorSpec]) -> bool:
    """Whether the first input is a list of token numbers."""
    first = inputs[0] if inputs else None
    return first is not None and first.dtype in ("int64", "int32") and len(first.shape) == 2 and first.high != 256


def image_layout(tensor: TensorSpec) -> tuple[int | str, int | str, int | str] | None:
    """Channels, height and width of an image input, or None when it is none."""
    if len(tensor.shape) != 4:
        return None
    _, one, two, three = tensor.shape
    if one in (1, 3, 4):
        return one, two, three
    if three in (1, 3, 4):
        return three, one, two
    return None


def preprocessing(
    inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], sizes: dict[str, int], found: Task
) -> Preprocessing:
    """The usual preprocessing for such inputs; ImageNet's mean and deviation for three floating channels."""
    scores = scores_output(outputs, found)
    layout = image_layout(inputs[0]) if inputs else None
    if layout is None:
        return Preprocessing(scores=scores, max_length=sizes.get("sequence", 128))
    channels, height, width = (sizes.get(each, 224) if isinstance(each, str) else each for each in layout)
    natural = channels == 3 and inputs[0].dtype.startswith("float") and inputs[0].shape[1] == 3 and height >= 64
    return Preprocessing(
        resize=(height, width),
        mean=IMAGENET_MEAN if natural else (),
        std=IMAGENET_STD if natural else (),
        scale=255.0 if inputs[0].dtype.startswith(("int", "uint")) else 1.0,
        scores=scores,
    )


def scores_output(outputs: Sequence[TensorSpec], found: Task) -> str:
    """The name of the output with the class scores, or nothing."""
    if found != "classification":
        return ""
    floats = [e for e in outputs if e.dtype.startswith(("float", "bfloat")) and len(e.shape) == 2]
    named = [each.name for each in floats if SCORES.search(each.name)]
    return (named or [each.name for each in floats] or [""])[0]


def follows_batch(outputs: Sequence[TensorSpec]) -> bool:
    """Whether every output has the batch in front."""
    return all(each.shape and each.shape[0] == BATCH for each in outputs)
