"""What every kind of artifact has: a digest, a size, and guesses put together into one spec."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.artifact import Artifact
from engine.inspection import guess
from engine.inspection.observe import Observation
from engine.spec import ModelSpec

CHUNK = 1 << 20
TOKENIZER = "tokenizer.json"  # beside an artifact, for models that read text


def digest(artifact: Artifact) -> str:
    """SHA-256 of an artifact's bytes: of the file, or of every file's name and digest in a folder."""
    if artifact.path.is_file():
        return file_digest(artifact.path)
    whole = hashlib.sha256()
    for each in artifact.files():
        whole.update(f"{each.relative_to(artifact.path)} {file_digest(each)}\n".encode())
    return whole.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of one file, read in pieces."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def assemble(artifact: Artifact, seen: Observation, *, guessed: Iterable[str] = (), **facts: Any) -> ModelSpec:
    """Put a spec together; task and preprocessing are guessed where `facts` doesn't give them."""
    tensors = tuple(each for each in seen.inputs if each.constant is None)
    unsure = [*guessed, *(f"size {each}" for each in seen.guessed)]
    if not facts.get("task"):
        facts["task"] = guess.task(tensors, seen.outputs, facts.get("operators", {}))
        unsure.append("task")
    if "preprocessing" not in facts:
        facts["preprocessing"] = guess.preprocessing(tensors, seen.outputs, seen.sizes, facts["task"])
        unsure.append("preprocessing")
    if not facts["preprocessing"].tokenizer and (artifact.path.parent / TOKENIZER).exists():
        facts["preprocessing"] = replace(facts["preprocessing"], tokenizer=TOKENIZER)
    facts["notes"] = (*seen.notes, *facts.get("notes", ()))
    return ModelSpec(
        name="",
        format=artifact.format,
        inputs=seen.inputs,
        outputs=seen.outputs,
        sizes=seen.sizes,
        size_bytes=artifact.size_bytes(),
        digest=digest(artifact),
        guessed=tuple(dict.fromkeys(unsure)),
        **facts,
    )
