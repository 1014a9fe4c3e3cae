"""From a question of the live demo to the inputs of one call."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.data import pixels, prepared, text
from engine.data.prepared import Prepared
from engine.errors import BadInput
from engine.measure.inputs import data_call, verification_calls
from engine.measure.sequence import Feeds, call_size
from engine.spec import ModelSpec
from engine.worker.jobs import ServeJob
from engine.worker.phases.prepare import folders
from engine.worker.serving import IMAGE, Question


def feeds_for(job: ServeJob, question: Question, folder: Path) -> tuple[Feeds, np.ndarray | None]:
    """The inputs of one call, and an uploaded image as the model sees it.

    One sample fills a larger batch by being repeated. Raises BadInput when the input can't be used.
    """
    spec = job.spec.with_shapes(job.workload.shapes)
    if question.kind == "random":
        return verification_calls(spec, job.batch_size, 1, question.seed, None)[0], None
    arrays = arrays_of(job, question, spec, folder)
    repeated = np.zeros(call_size(spec, job.batch_size), dtype=np.int64)
    shown = pixels.picture(next(iter(arrays.values())), spec) if question.kind == "image" else None
    return data_call(spec, Prepared("the input", "", arrays, None), repeated), shown


def arrays_of(job: ServeJob, question: Question, spec: ModelSpec, folder: Path) -> dict[str, np.ndarray]:
    """The model's inputs for one sample, by name."""
    if question.kind == "sample":
        return prepared.sample(Path(job.prepared), question.index)
    if question.kind == "image":
        return {pixels.image_input(spec).name: image((folder / IMAGE).read_bytes(), spec)}
    if not question.text.strip():
        raise BadInput("There is no text.", "Type a sentence.")
    return text.encode([question.text], spec, text.tokenizer_path(spec, folders(job.model)))


def image(content: bytes, spec: ModelSpec) -> np.ndarray:
    """An uploaded image as the model takes it; raises BadInput when it can't be read."""
    pixels.geometry(spec)
    try:
        return pixels.one_image(content, "The image", spec)
    except BadInput as error:
        raise BadInput("This file can't be read as an image.", "Choose a PNG or JPEG of ordinary size.") from error
