"""A TensorRT engine up close: its layers, the ONNX layers they came from, and the time of each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

CALLS = 20
ONNX_LAYER = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
PRECISIONS = (
    ("fp8", "fp8"),
    ("e4m3", "fp8"),
    ("int8", "int8"),
    ("bf16", "bf16"),
    ("bfloat16", "bf16"),
    ("fp16", "fp16"),
    ("half", "fp16"),
    ("fp32", "fp32"),
    ("float", "fp32"),
    ("int64", "int64"),
    ("int32", "int32"),
    ("bool", "bool"),
)


def profile(session: Any) -> dict[str, Any]:
    """Layers with their origin, precision and median time; `session` has its inputs bound.

    Layers that the profiler times under a name the inspector does not have are added without origin.
    """
    api = session.library.api
    inspector = session.engine.create_engine_inspector()
    inspector.execution_context = session.context
    layers = parse(inspector.get_engine_information(api.LayerInformationFormat.JSON))
    session.enqueue()
    session.synchronize()  # kernels are compiled now
    times = time_layers(session, api)
    for layer in layers:
        layer["ms"] = times.pop(layer["name"], 0.0)
    layers += [{**layer_row(name), "ms": ms} for name, ms in times.items()]
    layers.sort(key=lambda layer: -layer["ms"])
    return {
        "layers": layers,
        "busy_ms": sum(layer["ms"] for layer in layers),
        "layers_before": session.details.get("network_layers"),
        "layers_after": session.engine.num_layers,
    }


def time_layers(session: Any, api: Any) -> dict[str, float]:
    """Median milliseconds of each layer over a number of calls."""
    samples: dict[str, list[float]] = {}

    class Collector(api.IProfiler):  # type: ignore[misc]
        def __init__(self) -> None:
            api.IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            samples.setdefault(layer_name, []).append(ms)

    session.collector = session.context.profiler = Collector()  # the context keeps no reference of its own
    for _ in range(CALLS):
        session.enqueue()
        session.synchronize()
    return {name: sorted(found)[len(found) // 2] for name, found in samples.items()}


def parse(text: str) -> list[dict[str, Any]]:
    """The layers of the inspector's JSON: name, kind, origin (ONNX layers), precision, shapes, tactic.

    Reads the schema of TensorRT 10 (`Format/Datatype`) and of 11 (`Format`, `DataType`). An engine
    built without detailed verbosity lists names only.
    """
    document = json.loads(text)
    return [layer_row(each) for each in document.get("Layers", ())]


def layer_row(layer: Mapping[str, Any] | str) -> dict[str, Any]:
    """One layer of the inspector's JSON in our words."""
    if isinstance(layer, str):
        return {"name": layer, "kind": "", "origin": [], "precision": "", "inputs": [], "outputs": [], "tactic": ""}
    inputs, outputs = layer.get("Inputs", ()), layer.get("Outputs", ())
    return {
        "name": layer.get("Name", ""),
        "kind": layer.get("ParameterType") or layer.get("LayerType", ""),
        "origin": origin(layer.get("Metadata", "")),
        "precision": precision(outputs) or precision(inputs),
        "inputs": [each.get("Dimensions", []) for each in inputs],
        "outputs": [each.get("Dimensions", []) for each in outputs],
        "tactic": layer.get("TacticName", ""),
    }


def origin(metadata: str) -> list[str]:
    """The ONNX layers a fused layer came from, in order."""
    return list(dict.fromkeys(each.strip() for each in ONNX_LAYER.findall(metadata)))


def precision(tensors: Sequence[Mapping[str, Any]]) -> str:
    """The type of a layer's first tensor in our words."""
    for tensor in tensors:
        text = str(tensor.get("DataType") or tensor.get("Format/Datatype") or tensor.get("Format") or "").lower()
        for sign, name in PRECISIONS:
            if sign in text:
                return name
    return ""
