"""From sentences to token ids, through the model's own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.errors import BadInput, MissingDependency
from engine.spec import ModelSpec, TensorSpec

PADS = ("[PAD]", "<pad>", "<|endoftext|>")


def takes_tokens(spec: ModelSpec) -> bool:
    """Whether the model takes token ids: every tensor input is (batch, length) of integers or bools."""
    tensors = spec.tensor_inputs
    return bool(tensors) and all(
        len(each.shape) == 2 and each.dtype.startswith(("int", "uint", "bool")) for each in tensors
    )


def tokenizer_path(spec: ModelSpec, folders: Sequence[Path]) -> Path:
    """The tokenizer.json inside one of the model's folders; raises BadInput when there is none."""
    name = spec.preprocessing.tokenizer
    if not name:
        raise BadInput(
            f"The data set is text, and the model {spec.name} has no tokenizer.",
            "Zip the model together with its tokenizer.json and upload the zip, or give token ids as a .npz file.",
        )
    for folder in folders:
        found = (folder / name).resolve()
        if found.is_file() and found.is_relative_to(folder.resolve()):
            return found
    raise BadInput(
        f"The tokenizer {name} is not in the model's folder.", "Upload the model again with its tokenizer.json."
    )


def encode(texts: Sequence[str], spec: ModelSpec, path: Path) -> dict[str, np.ndarray]:
    """Feeds for every input of the model: token ids, attention mask, segment ids, positions."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingDependency("Text needs the tokenizers package.", "Run: pip install tokenizers") from error
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a file that is no tokenizer
        raise BadInput(
            f"{path.name} is not a tokenizer: {error}.", "Save it with tokenizers' Tokenizer.save."
        ) from error
    length = sequence_length(spec)
    pad = next((each for each in PADS if tokenizer.token_to_id(each) is not None), None)
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=tokenizer.token_to_id(pad) if pad else 0, pad_token=pad or "[PAD]")
    encoded = tokenizer.encode_batch(list(texts))
    return {each.name: tokens_for(each, encoded, length) for each in spec.tensor_inputs}


def sequence_length(spec: ModelSpec) -> int:
    """How many tokens a sample has: the input's fixed length, the size given, else the model's maximum."""
    dimension = spec.tensor_inputs[0].shape[1]
    if isinstance(dimension, int):
        return dimension
    return spec.sizes.get(dimension, spec.preprocessing.max_length)


def tokens_for(tensor: TensorSpec, encoded: Sequence[object], length: int) -> np.ndarray:
    """The array of one input, told by its name."""
    name = tensor.name.lower()
    if "position" in name:
        rows = np.tile(np.arange(length), (len(encoded), 1))
    else:
        field = "attention_mask" if "mask" in name else "type_ids" if "type" in name or "segment" in name else "ids"
        rows = np.array([getattr(each, field) for each in encoded])
    if (
        tensor.high is not None
        and rows.size
        and rows.max() >= tensor.high
        and "mask" not in name
        and "type" not in name
    ):
        raise BadInput(
            f"The tokenizer gives ids up to {rows.max()}, and input {tensor.name} takes ids below {int(tensor.high)}.",
            "The tokenizer belongs to another model; upload the right one.",
        )
    return rows.astype(tensor.dtype)
