"""An ONNX Runtime session up close: time by node and provider, from its own profiler."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CALLS = 10
KERNEL = "_kernel_time"
HOST_TIME = "Times are the host's: on a GPU a node's kernels run on after the node returns."


def profile(session: Any) -> dict[str, Any]:
    """Time a twin of the session that records nodes; `session` has its inputs bound.

    Times are per call. Layers before are the file's nodes, layers after those of the optimized graph.
    """
    import onnxruntime

    if session.plan.cuda_graph and session.plan.configure is not None:
        return {"notes": ["Nodes can't be timed while this provider replays a CUDA graph."]}
    options = session.session.get_session_options()
    options.enable_profiling = True
    providers = None
    if session.plan.configure is None:
        providers = [(name, without_graph(settings)) for name, settings in session.plan.providers]
    model = Path(session.session._model_path)  # a session does not tell its file in any other way
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "nodes")
        disabled = list(session.plan.disabled)
        twin = onnxruntime.InferenceSession(str(model), options, providers=providers, disabled_optimizers=disabled)
        for _ in range(CALLS):
            twin.run_with_ort_values(None, session.values)
        layers = parse(json.loads(Path(twin.end_profiling()).read_text()), CALLS)
    return {
        "layers": layers,
        "busy_ms": sum(each["ms"] for each in layers),
        "providers": by_provider(layers),
        "layers_before": node_count(model),
        "layers_after": len(layers),
        "notes": [HOST_TIME] if session.device != "cpu" else [],
    }


def without_graph(settings: Mapping[str, str]) -> dict[str, str]:
    """A provider's settings with its CUDA graph off: a replay has no nodes to time."""
    return {name: "0" if "cuda_graph" in name else value for name, value in settings.items()}


def parse(events: Sequence[dict[str, Any]], calls: int) -> list[dict[str, Any]]:
    """Nodes of a profile, longest first: name, operator, provider, milliseconds per call."""
    rows: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("cat") != "Node" or not str(event.get("name", "")).endswith(KERNEL):
            continue
        facts = event.get("args", {})
        name = str(event["name"]).removesuffix(KERNEL)
        row = rows.setdefault(
            name,
            {
                "name": name,
                "kind": facts.get("op_name", ""),
                "provider": str(facts.get("provider", "")).removesuffix("ExecutionProvider"),
                "ms": 0.0,
            },
        )
        row["ms"] += float(event.get("dur", 0)) / calls / 1e3
    return sorted(rows.values(), key=lambda row: -row["ms"])


def by_provider(layers: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """How many nodes and how much time each provider has."""
    found: dict[str, dict[str, float]] = {}
    for each in layers:
        row = found.setdefault(each["provider"], {"nodes": 0, "ms": 0.0})
        row["nodes"] += 1
        row["ms"] += each["ms"]
    return found


def node_count(model: Path) -> int:
    """The nodes of the file, constants left out."""
    import onnx

    graph = onnx.load(str(model), load_external_data=False).graph
    return sum(each.op_type != "Constant" for each in graph.node)
