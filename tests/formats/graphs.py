"""Small ONNX graphs as other tools write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, FLOAT16, INT32, INT64, UINT8 = 1, 10, 6, 7, 2
Value = tuple[str, int, Sequence[Any] | None]


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def graph(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    stored: dict[str, np.ndarray] | None = None,
    opset: int = 13,
) -> Path:
    """Write a graph; each node is (operator, inputs, outputs, attributes)."""
    made = helper.make_graph(
        [helper.make_node(kind, list(takes), list(gives), **facts) for kind, takes, gives, facts in nodes],
        "graph",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(array, name) for name, array in (stored or {}).items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 4 if opset < 11 else 9
    onnx.save(model, str(path))
    return path


def classifier(path: Path, opset: int = 9, image: Sequence[Any] = (None, 3, None, None), name: str = "input.1") -> Path:
    """A convolution, a pooling and a flatten, with the names an old exporter gives."""
    return graph(
        path,
        [
            ("Conv", [name, "w"], ["c"], {"kernel_shape": [3, 3]}),
            ("GlobalAveragePool", ["c"], ["p"], {}),
            ("Flatten", ["p"], ["495"], {}),
        ],
        [(name, TensorProto.FLOAT, image)],
        [("495", TensorProto.FLOAT, (None, 8))],
        {"w": weights(8, 3, 3, 3)},
        opset,
    )
