"""What the arguments of `optibench compare` mean; refused before a model is opened."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from engine import presets
from engine.cli.models import SAMPLE
from engine.errors import BadInput
from engine.recipes import parse, read_shapes, read_values

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Request:
    """What was asked for, as it was typed."""

    model: Path | None
    recipes: tuple[str, ...] = ()
    preset: str = ""
    batch: str = ""
    device: str = ""
    shapes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    architecture: str = ""
    dataset: str = ""
    out: Path | None = None
    name: str = ""
    rounds: int = 0
    seconds: float = 0.0
    threads: int = 0
    timeout_s: float = 900.0
    seed: int = 0


def check(request: Request) -> None:
    """Refuse what can be refused before the model is opened."""
    if request.preset and request.preset not in presets.NAMES:
        raise BadInput(f"There is no preset {request.preset!r}.", f"Presets: {', '.join(presets.NAMES)}.")
    for each in request.recipes:
        parse(each)
    batch_sizes(request.batch)
    read_shapes(request.shapes)
    read_values(request.values)
    device(request.device)
    if request.dataset and not request.dataset.startswith(SAMPLE) and not Path(request.dataset).is_file():
        raise BadInput(f"There is no data set {request.dataset}.", "Give the path of a file, or sample:NAME.")
    if request.out is not None:
        writable(request.out.absolute())


def writable(path: Path) -> None:
    """Refuse a file that could not be written after everything was measured."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder.", "Name a file for --out, such as comparison.json.")
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {path.parent}.", "Create it, or choose another --out.")
    if not os.access(path.parent, os.W_OK):
        raise BadInput(f"Nothing can be written to {path.parent}.", "Choose another --out.")


def batch_sizes(text: str) -> tuple[int, ...]:
    """Read `1,8`."""
    parts = [each.strip() for each in text.split(",") if each.strip()]
    if not all(each.isdigit() and int(each) > 0 for each in parts):
        raise BadInput(f"--batch {text!r} is not a list of batch sizes.", "Write whole numbers, such as 1,8.")
    return tuple(dict.fromkeys(int(each) for each in parts))


def device(text: str) -> str:
    """The device to measure on: the first GPU where there is one, unless another is named."""
    from engine.schedule.locks import gpu_uuid

    kind, _, index = text.partition(":")
    if text and (kind not in DEVICES or (index and not index.isdigit())):
        raise BadInput(f"There is no device {text!r}.", "Use cpu or cuda.")
    if kind == "cuda" and gpu_uuid(int(index or 0)) is None:
        raise BadInput("There is no NVIDIA GPU here, or its driver does not answer.", "Use --device cpu.")
    if kind == "cuda" or (not text and gpu_uuid(0) is not None):
        return f"cuda:{index or 0}"
    return "cpu"


def dataset(request: Request) -> str:
    """The data set as the workload names it."""
    if not request.dataset or request.dataset.startswith(SAMPLE):
        return request.dataset
    return str(Path(request.dataset).absolute())


def report_formats(text: str) -> tuple[str, ...]:
    """Read `html,csv`; refused before anything is written."""
    from engine.report import formats

    known = formats()
    chosen = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    for each in chosen or ("",):
        if each not in known:
            raise BadInput(f"There is no report format {each!r}.", f"Formats: {', '.join(known)}.")
    return chosen


def free_port(port: int) -> None:
    """Refuse a port of localhost that something listens on already."""
    with socket.socket() as connection:
        if connection.connect_ex(("127.0.0.1", port)) == 0:
            raise BadInput(
                f"Port {port} is taken: a dashboard may be running already at http://localhost:{port}.",
                f"Open that, or run: optibench serve --port {port + 1 if port < 65535 else port - 1}",
            )
