"""Pickled checkpoints: recognised by their bytes, loaded with `weights_only` alone."""

from __future__ import annotations

import pickle
import re
from _codecs import encode
from pathlib import Path
from typing import Any

from engine.admission.archives import members
from engine.errors import BadInput, RefusedFile

LEGACY_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")
INSTEAD = (
    "Save the weights alone with torch.save(model.state_dict(), path) and choose the architecture, "
    "or upload TorchScript, ONNX or an exported program."
)


def is_torch_archive(path: Path) -> bool:
    """Whether a file is what torch.save writes: a zip with data.pkl and no program."""
    inside = {each.partition("/")[2] for each in members(path)}
    return "data.pkl" in inside and "constants.pkl" not in inside


def is_legacy(path: Path) -> bool:
    """Whether a file is what torch.save wrote before 1.6: pickles in a row, a magic number first."""
    with path.open("rb") as stream:
        return LEGACY_MAGIC in stream.read(64)


def is_pickle(path: Path) -> bool:
    """Whether a file starts as a pickle of protocol 2 or later."""
    with path.open("rb") as stream:
        head = stream.read(2)
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def load_checkpoint(path: Path) -> Any:
    """Load a checkpoint's tensors and plain containers on the CPU; nothing in it is executed.

    Raises RefusedFile when it holds more than that, BadInput when it is damaged.
    """
    import torch

    try:
        with torch.serialization.safe_globals(plain_values()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise refusal(path, str(error)) from error
    except (RuntimeError, UnicodeDecodeError, EOFError, ValueError, KeyError, IndexError, TypeError, OSError) as error:
        raise damaged(path, error) from error
    except (AttributeError, AssertionError, MemoryError, OverflowError, ImportError) as error:
        raise damaged(path, error) from error


def plain_values() -> list[Any]:
    """What training scripts store beside the weights and what can't run code: options and NumPy's numbers."""
    import argparse

    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    dtypes = (type(np.dtype(each)) for each in ("float64", "float32", "int64", "int32", "bool"))
    return [argparse.Namespace, scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *dtypes, encode]


def refusal(path: Path, text: str) -> BadInput:
    """Tell a pickle that holds more than weights from one that is damaged."""
    name = re.search(r"GLOBAL ([\w.]+)|global ([\w.]+)|class ([\w.]+)", text)
    if "Unsupported" in text or "not an allowed global" in text or "Unsupported global" in text:
        found = next((each for each in (name.groups() if name else ()) if each), "an object")
        return RefusedFile(f"{path.name} pickles {found}, and opening it could run code.", INSTEAD)
    return RefusedFile(f"{path.name} is a pickle with more in it than weights.", INSTEAD)


def damaged(path: Path, error: Exception) -> BadInput:
    """A checkpoint that can't be read."""
    return BadInput(
        f"{path.name} is damaged or incomplete ({type(error).__name__}).", "Save it again and upload it again."
    )
