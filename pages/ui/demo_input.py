"""Choosing an input for the Demo page: a sample of the data set, an image, a text, or random numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from engine.data import pixels, prepared
from engine.data.text import takes_tokens
from engine.errors import BadInput
from engine.live.choosing import prepared_folder
from engine.spec import ModelSpec
from engine.store.rows import ComparisonState
from engine.worker.serving import InputKind, Question
from pages.ui import badges

IMAGE_MB = 20
LONGEST_TEXT = 5000
SHOWN_PIXELS = 200
IMAGE_SUFFIXES = ["png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "gif"]
NAMES: dict[InputKind, str] = {
    "sample": "Sample of the data set",
    "image": "Your image",
    "text": "Your text",
    "random": "Random numbers",
}


@dataclass(frozen=True)
class Chosen:
    """One input; `label` is the class that the data set gives it, or nothing."""

    question: Question
    image: bytes = b""
    label: int | None = None


def data_folder(state: ComparisonState) -> Path | None:
    """Where the comparison's data set lies as inputs of the model."""
    found = prepared_folder(state)
    return Path(found) if found else None


def kinds(spec: ModelSpec, data: Path | None) -> list[InputKind]:
    """The kinds of input that fit a model."""
    found: list[InputKind] = ["sample"] if data is not None else []
    if takes_images(spec):
        found.append("image")
    if takes_tokens(spec) and spec.preprocessing.tokenizer:
        found.append("text")
    return [*found, "random"]


def takes_images(spec: ModelSpec) -> bool:
    """Whether an image file can become an input: the task and the size of its images are known."""
    if spec.task == "other" or not (is_picture(spec) and spec.tensor_inputs):
        return False
    return len(spec.tensor_inputs[0].shape) == 4 or spec.preprocessing.resize is not None


def is_picture(spec: ModelSpec) -> bool:
    """Whether the model's one input can be drawn."""
    try:
        channels, _, _ = pixels.geometry(spec)
    except BadInput:
        return False
    return channels in pixels.CHANNELS


def choose(id: str, spec: ModelSpec, data: Path | None) -> Chosen | None:
    """The fields of an input, and the input; None while it is not complete."""
    offered = kinds(spec, data)
    kind = st.segmented_control(
        "Input",
        offered,
        default=offered[0],
        format_func=NAMES.__getitem__,
        key=f"input_{id}",
        required=True,
    )
    if kind == "sample" and data is not None:
        return sample(id, spec, data)
    if kind == "image":
        file = st.file_uploader("Image", type=IMAGE_SUFFIXES, key=f"image_{id}", max_upload_size=IMAGE_MB)
        st.caption(preprocessing_text(spec))
        return Chosen(Question("image"), file.getvalue()) if file is not None else None
    if kind == "text":
        text = st.text_area("Text", key=f"text_{id}", max_chars=LONGEST_TEXT, placeholder="Type a sentence")
        return Chosen(Question("text", text=text)) if text.strip() else None
    seed = st.number_input("Seed", 0, 2**31 - 1, 0, key=f"seed_{id}", width=200)
    st.caption("Random numbers in the model's shapes: right for speed, and how far outputs differ; they mean nothing.")
    return Chosen(Question("random", seed=int(seed)))


def sample(id: str, spec: ModelSpec, data: Path) -> Chosen | None:
    """A test sample, drawn as what it is."""
    known = glance(str(data))
    if not len(known.test):
        st.caption("The data set has no test samples.")
        return None
    words, shown = st.columns([2, 3], gap="medium")
    number = words.number_input(
        f"Test sample of {known.name}, 1 to {len(known.test):,}", 1, len(known.test), 1, key=f"sample_{id}"
    )
    index = int(known.test[int(number) - 1])
    label = None if known.labels is None else int(known.labels[index])
    if label is not None and label >= 0:
        words.caption(f"Labelled {badges.plain(class_text(spec, label))}.")
    with shown:
        show_sample(spec, data, known, index)
    return Chosen(Question("sample", index=index), label=label)


def class_text(spec: ModelSpec, number: int) -> str:
    """A class by its name, or its number."""
    labels = spec.preprocessing.labels
    return labels[number] if number < len(labels) else f"class {number}"


def show_sample(spec: ModelSpec, data: Path, known: prepared.Glance, index: int) -> None:
    """An image as a picture, a text as text, anything else as its shape."""
    if known.texts:
        st.markdown(f"> {badges.plain(' '.join(known.texts[index].split()))}")
    elif is_picture(spec):
        draw_picture(pixels.picture(next(iter(prepared.sample(data, index).values())), spec), "The sample")
    else:
        feeds = prepared.sample(data, index)
        st.caption(", ".join(f"{name}: {'×'.join(map(str, each.shape[1:]))}" for name, each in feeds.items()))


def draw_picture(image: np.ndarray, alt: str) -> None:
    """A picture as the model sees it, small ones enlarged without blurring."""
    times = max(1, SHOWN_PIXELS // max(image.shape[:2]))
    large = image.repeat(times, axis=0).repeat(times, axis=1)
    st.image(large.squeeze(), width=min(SHOWN_PIXELS, large.shape[1]), alt=alt, caption="As the model sees it")


def preprocessing_text(spec: ModelSpec) -> str:
    """What happens to an image before the model sees it."""
    _, (height, width), _ = pixels.geometry(spec)
    normalised = " and normalised" if spec.preprocessing.mean or spec.preprocessing.std else ""
    return f"Its centre is cropped, resized to {height}×{width}{normalised}, as the model's preprocessing says."


@st.cache_resource(max_entries=8, show_spinner=False)
def glance(folder: str) -> prepared.Glance:
    """What is known of a prepared data set, read once."""
    return prepared.glance(Path(folder))
