"""How much each layer of a quantized graph differs from the original's, on the same inputs."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.steps.calibration import CalibrationBatches


def layer_errors(original: Path, quantized: Path, data: CalibrationBatches) -> list[dict[str, Any]]:
    """One row for each activation that both graphs have, worst first: `layer`, `operator`, `snr_db`.

    The signal-to-noise ratio is of one batch, with everything before the layer quantized too.
    """
    import onnx

    producers = {name: node for node in onnx.load(str(original)).graph.node for name in node.output}
    names = [name for name in producers if name]
    feeds = data.get_first()
    with tempfile.TemporaryDirectory(dir=quantized.parent) as folder:
        before = activations(original, names, feeds, Path(folder) / "original.onnx")
        after = activations(quantized, names, feeds, Path(folder) / "quantized.onnx")
    rows = [
        {
            "layer": producers[name].name or name,
            "operator": producers[name].op_type,
            "snr_db": snr_db(before[name], value),
        }
        for name, value in after.items()
        if name in before and before[name].shape == value.shape and producers[name].op_type != "Constant"
    ]
    return sorted((row for row in rows if row["snr_db"] is not None), key=lambda row: row["snr_db"])


def activations(
    path: Path, names: list[str], feeds: Mapping[str, np.ndarray], augmented: Path
) -> dict[str, np.ndarray]:
    """The values of the floating activations of those names that a graph has, as the next layer reads them."""
    import onnx
    import onnxruntime

    model = onnx.load(str(path))
    present = {name for node in model.graph.node for name in node.output}
    outputs = {each.name for each in model.graph.output}
    read_as = dequantized(model.graph)
    wanted = {name: read_as.get(name, name) for name in names if name in present}
    added = {each for each in wanted.values() if each not in outputs}
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(each) for each in sorted(added))
    onnx.save(model, str(augmented), save_as_external_data=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(augmented), options, providers=["CPUExecutionProvider"])
    values = session.run(list(wanted.values()), dict(feeds))
    return {
        name: value.astype(np.float32)
        for name, value in zip(wanted, values, strict=True)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 1
    }


def dequantized(graph: Any) -> dict[str, str]:
    """For each tensor that is quantized, the tensor that its dequantized value has."""
    after = {node.input[0]: node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    pairs = ((node.input[0], node.output[0]) for node in graph.node if node.op_type == "QuantizeLinear")
    return {source: after[quantized] for source, quantized in pairs if quantized in after}


def snr_db(signal: np.ndarray, value: np.ndarray) -> float | None:
    """10 log10 of signal power over noise power; None for a signal of zeros, at most 200 dB."""
    power = float(np.mean(np.square(signal, dtype=np.float64)))
    noise = float(np.mean(np.square(signal.astype(np.float64) - value)))
    if not power or not np.isfinite(noise):
        return None
    return round(min(200.0, 10 * math.log10(power / noise)) if noise else 200.0, 2)
