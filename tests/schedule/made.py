"""Small comparisons made by hand, for tests of the store and the planner."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.measurement import BuildResult, Latency, Measurement
from engine.recipes import parse
from engine.routes import plan
from engine.schedule.plan import wanted
from engine.schedule.taking import take
from engine.spec import ModelSpec, TensorSpec, Variant, Workload, to_json
from engine.store import Store
from engine.store.queue import Queue
from engine.store.rows import PhaseRow
from engine.worker.protocol import Outcome

HERE = Path(__file__).parent
SPEC = ModelSpec(
    name="tiny",
    format="onnx",
    inputs=(TensorSpec("x", "float32", ("batch", 4)),),
    outputs=(TensorSpec("y", "float32", ("batch", 2)),),
)


def variants(*recipes: str) -> list[Variant]:
    return [plan(SPEC, parse(each), "cpu", label=each, baseline=index == 0) for index, each in enumerate(recipes)]


def comparison(store: Store, *recipes: str, workload: Workload | None = None) -> str:
    model = store.add_model(SPEC, Path(store.settings.uploads / "tiny"))
    return store.create_comparison("Tiny", model, workload or Workload(), variants(*recipes))


def measurement(batch_size: int, milliseconds: float, round: int = 0, calls: int = 50) -> Measurement:
    times = tuple(int(milliseconds * 1e6) + 1000 * (each % 7) for each in range(calls))
    return Measurement(batch_size, round, "ok", resident=Latency(times, count=calls), load_s=0.1)


def work_through(store: Store, id: str, answer: Callable[[PhaseRow], Outcome]) -> list[str]:
    """Carry out a comparison without workers: `answer` says how each phase ends. Returns what was planned."""
    queue = Queue(store, platform.node(), "test")
    done: list[str] = []
    labels = {each.id: each.variant.label for each in store.variants(id)}
    while planned := next(wanted(store.state(id)), None):
        phase = queue.claim(id, planned, "cpu", store.settings.jobs)
        assert phase is not None, f"{planned} is planned but can't be claimed"
        assert queue.finish(phase, take(phase, answer(phase)))
        sizes = ",".join(map(str, phase.batch_sizes))
        done.append(f"{phase.kind} {labels.get(phase.variant_id or '', '')} {sizes} round {phase.round}")
        assert len(done) < 200
    return done


def fine(phase: PhaseRow) -> Outcome:
    """A phase that worked."""
    if phase.kind == "build":
        return Outcome("ok", to_json(BuildResult("ok", build_s=0.5, details={"artifact": str(HERE)})), seconds=1.0)
    if phase.kind == "measure":
        found = [measurement(size, 2.0 * size, phase.round) for size in phase.batch_sizes]
        return Outcome("ok", {"measurements": to_json(found)}, seconds=1.0)
    return Outcome("ok", {}, seconds=1.0)


def tiny_onnx(path: Path) -> Path:
    """Write a small real network: x (batch, 4) times a matrix, plus a bias, rectified."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).standard_normal((4, 2)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["sum"]),
            helper.make_node("Relu", ["sum"], ["y"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([0.5, 0.25], dtype=np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path
