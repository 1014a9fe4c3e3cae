"""Small comparisons made by hand, for tests of the store and the planner."""

from __future__ import annotations

from pathlib import Path

from engine.recipes import parse
from engine.routes import plan
from engine.spec import Latency, Measurement, ModelSpec, TensorSpec, Variant, Workload
from engine.store import Store

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
