"""Let one upload in: find out what it is, check it, and put it into its folder whole or not at all."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.admission.archives import members, place, unpack
from engine.artifact import Artifact, write_manifest
from engine.errors import BadInput, RefusedFile
from engine.formats import recognise
from engine.inspection.facts import TOKENIZER
from engine.worker.jobs import InspectJob

Tell = Callable[[float, str], None]
SCRATCH, UNPACKED = ".partial", ".unpacked"


@contextmanager
def admitted(job: InspectJob, tell: Tell) -> Iterator[Artifact]:
    """The upload as an artifact in a scratch folder, moved to its place when the block ends well.

    `tell` is told how far it is and with what. After an error nothing is left.
    Raises BadInput, RefusedFile or Unsupported.
    """
    folder = Path(job.folder)
    scratch, unpacked = folder / SCRATCH, folder / UNPACKED
    for each in (scratch, unpacked):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    try:
        artifact = take(job, scratch, unpacked, tell)
        yield artifact
        for each in sorted(scratch.iterdir()):
            os.replace(each, folder / each.name)
        write_manifest(folder, replace(artifact, path=folder / artifact.path.relative_to(scratch)))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(unpacked, ignore_errors=True)


def take(job: InspectJob, scratch: Path, unpacked: Path, tell: Tell) -> Artifact:
    """Turn what the job names into an artifact inside `scratch`."""
    options: dict[str, Any] = {"architecture": job.architecture, "arguments": job.arguments, "tell": tell}
    if not job.path:
        from engine.catalog.random_weights import settled

        if not job.architecture:
            raise BadInput("No file and no architecture were given.", "Upload a model, or choose an architecture.")
        return settled(scratch, job.architecture, job.arguments, job.seed)
    path = check_file(Path(job.path))
    if path.is_dir():
        return from_folder(path, path.name, scratch, options)
    if is_cut_off(path):
        raise BadInput(
            f"{path.name} is an incomplete archive (TorchScript, .pt, .pt2 and .zip files are archives).",
            "Save or copy it again, and upload it again.",
        )
    if is_plain_zip(path):
        unpack(path, unpacked, upload_limit())
        return from_folder(unpacked, path.name, scratch, options)
    return from_file(path, scratch, options)


def check_file(path: Path) -> Path:
    """Raise BadInput for a file that is not there, empty, or over the limit."""
    if not path.exists():
        raise BadInput(f"There is no file {path}.", "Check the path.")
    if path.is_dir():
        return path
    if not path.is_file():
        raise BadInput(f"{path.name} is not a regular file.", "Upload the model file itself.")
    size = path.stat().st_size
    if size == 0:
        raise BadInput(f"{path.name} is empty.", "Save the model again and upload it again.")
    if size > upload_limit():
        raise BadInput(
            f"{path.name} has {size / 1e6:,.0f} MB, and the limit is {upload_limit() / 1e6:,.0f} MB.",
            "Raise OPTIBENCH_UPLOAD_LIMIT_MB, or save the model in half precision.",
        )
    return path


def upload_limit() -> int:
    """The largest upload in bytes."""
    from engine.settings import load

    return load().upload_limit_mb * 1_000_000


def is_cut_off(path: Path) -> bool:
    """Whether a file begins as a zip archive and lacks the list of its members, which is at the end."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04" and not zipfile.is_zipfile(path)


def is_plain_zip(path: Path) -> bool:
    """Whether a file is a zip of files rather than one of PyTorch's own archives."""
    names = members(path)
    inside = {each.partition("/")[2] for each in names} | set(names)
    ours = {"data.pkl", "constants.pkl", "archive_format", "serialized_exported_program.json", ".data/extern_modules"}
    return bool(names) and not inside & ours


def from_file(path: Path, scratch: Path, options: dict[str, Any]) -> Artifact:
    """Admit one file by its content."""
    format = recognise(path)
    if format.refusal:
        raise RefusedFile(format.refusal, format.instead)
    return format.admit(path, scratch, options)


def from_folder(folder: Path, name: str, scratch: Path, options: dict[str, Any]) -> Artifact:
    """Admit the one model in a folder: a Hugging Face model, ONNX with its data, or a single file."""
    from engine.formats.hugging_face import HuggingFace

    files = [each for each in sorted(folder.rglob("*")) if each.is_file() and not each.is_symlink()]
    configs = [each.parent for each in files if each.name == "config.json" and HuggingFace.recognise(each.parent)]
    if configs:
        return HuggingFace.admit(min(configs, key=lambda each: len(each.parts)), scratch, options)
    known = []
    for each in files:
        try:
            known.append((each, recognise(each)))
        except BadInput:
            continue
    if len(known) == 1:
        artifact = from_file(known[0][0], scratch, options)
        tokenizer = next((each for each in files if each.name == TOKENIZER), None)
        if tokenizer is not None and not (scratch / TOKENIZER).exists():
            place(tokenizer, scratch / TOKENIZER)
        return artifact
    if not known:
        raise BadInput(
            f"{name} holds no model file that Optibench knows.",
            "Zip an .onnx file with its data, or config.json with model.safetensors.",
        )
    listed = ", ".join(each.name for each, _ in known[:4])
    raise BadInput(f"{name} holds {len(known)} models: {listed}.", "Upload one model at a time.")
