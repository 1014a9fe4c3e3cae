"""What compression did to each layer: how much is left, in how many bits and bytes, and how far it moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.coding.tensors import Contents, Shared


def layer_report(contents: Contents, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each weight matrix: weights, sparsity, bits of a number, bytes in the file.

    `relative_l2` compares the sorted absolute weights with those before, because units may be permuted and
    training moves all of them; it is an estimate of how much of the layer's energy is gone.
    """
    rows = []
    for tensor in contents.tensors:
        if not isinstance(tensor, Shared) or tensor.numbers.ndim < 2:
            continue
        old = np.sort(np.abs(np.asarray(before[tensor.name]).reshape(-1)))
        new = np.sort(np.abs(tensor.values().reshape(-1)))
        rows.append(
            {
                "layer": tensor.name.removesuffix(".weight"),
                "weights": int(tensor.numbers.size),
                "sparsity": float((tensor.numbers == 0).mean()),
                "bits": max(1, len(tensor.codebook).bit_length()),
                "bytes": contents.sizes.get(tensor.name, 0) + 2 * len(tensor.codebook),
                "relative_l2": float(np.linalg.norm(new - old) / max(1e-12, float(np.linalg.norm(old)))),
            }
        )
    return rows
