"""What the live demo asks a `serve` worker, and what it answers.

A question is one line of JSON on the worker's standard input, an answer one line on its standard
output. Arrays travel beside them, as `answer.npz` in the job's folder, and an uploaded image as a
file there. The first line the worker writes says that the artifact is open, or why not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from engine.spec import Status, from_json, to_json

ANSWER, IMAGE = "answer.npz", "image"
OUTPUT, PICTURE = "output", "picture"
InputKind = Literal["sample", "image", "text", "random"]


@dataclass(frozen=True)
class Question:
    """One input and how often to run it.

    `index` is a sample of the prepared data set, `text` is typed text, `seed` draws a random input;
    an image is a file beside the job, called `image`.
    """

    kind: InputKind
    calls: int = 1
    index: int = 0
    text: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Reply:
    """One answer without its arrays. Times are of single calls, device-resident, in nanoseconds.

    `first` says that the first of them was the first call since the artifact was opened. Anything
    but `ok` has a reason, and the worker goes on.
    """

    status: Status = "ok"
    reason: str = ""
    hint: str = ""
    load_s: float | None = None
    times_ns: tuple[int, ...] = ()
    first: bool = False
    outputs: int = 0


def write_line(stream: IO[bytes], message: Question | Reply) -> None:
    """Send one message."""
    stream.write(json.dumps(to_json(message)).encode() + b"\n")
    stream.flush()


def read_question(line: bytes) -> Question:
    """Read a question; raises BadInput when it is not one."""
    return from_json(Question, json.loads(line))


def read_reply(line: bytes) -> Reply:
    """Read an answer; raises BadInput when it is not one."""
    return from_json(Reply, json.loads(line))


def write_arrays(folder: Path, outputs: list[np.ndarray], picture: np.ndarray | None) -> None:
    """Write what an inference gave, and the image as the model saw it, whole or not at all."""
    arrays: dict[str, Any] = {f"{OUTPUT}:{index}": each for index, each in enumerate(outputs)}
    if picture is not None:
        arrays[PICTURE] = picture
    partial = folder / f"partial-{ANSWER}"
    np.savez(partial, **arrays)
    partial.replace(folder / ANSWER)


def read_arrays(folder: Path, outputs: int) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Read the outputs of the last answer, and its picture where it has one."""
    with np.load(folder / ANSWER, allow_pickle=False) as stored:
        found = [stored[f"{OUTPUT}:{index}"] for index in range(outputs)]
        return found, stored[PICTURE] if PICTURE in stored.files else None
