"""Run `optibench compare` in a home folder of its own, and read the figures that a benchmark records."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine import document as documents  # noqa: E402
from engine.document import ComparisonDocument, VariantDocument  # noqa: E402
from engine.spec import to_json  # noqa: E402

NETWORKS = ROOT / "benchmarks" / "mnist_networks.py"


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """A home folder with MNIST's networks among its architectures; it goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="optibench-benchmark-") as folder:
        architectures = Path(folder) / "architectures"
        architectures.mkdir()
        shutil.copy(NETWORKS, architectures)
        yield Path(folder)


def compare(folder: Path, arguments: Sequence[str], recipes: Sequence[str], *, threads: int) -> ComparisonDocument:
    """Measure recipes on the CPU in rounds; raises CalledProcessError when one failed."""
    out = folder / "comparison.json"
    chosen = [part for recipe in recipes for part in ("--recipe", recipe)]
    command = [sys.executable, "-m", "engine.cli", "compare", *arguments, *chosen]
    command += ["--device", "cpu", "--threads", str(threads), "--timeout", "3600", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "OPTIBENCH_HOME": str(folder)})
    return documents.read(out)


def figures(variant: VariantDocument) -> dict[str, Any]:
    """What was measured of a variant at its one batch size."""
    (result,) = variant.results
    latency = result.latency_ms.get("resident")
    accuracy = result.accuracy
    return {
        "recipe": variant.recipe,
        "route": variant.route_text,
        "status": result.status,
        "batch_size": result.batch_size,
        "latency_ms": None if latency is None else {name: getattr(latency, name) for name in ("p50", "low", "high")},
        "speedup": to_json(result.speedup),
        "unstable": result.unstable,
        "size_bytes": to_json(result.size_bytes),
        "accuracy": None if accuracy is None else {"value": accuracy.value, "samples": accuracy.samples},
        "accuracy_difference": to_json(result.accuracy_difference),
        "host_memory_bytes": result.host_memory_bytes,
        "build_s": result.build_s,
        "seconds": {str(step["name"]): step["seconds"] for step in variant.steps},
        **{name: result.details[name] for name in ("multiply_adds", "distillation") if name in result.details},
    }


def by_recipe(document: ComparisonDocument, recipe: str) -> VariantDocument:
    """The variant of a recipe; raises SystemExit when there is none."""
    found = next((each for each in document.variants if each.recipe == recipe), None)
    if found is None:
        raise SystemExit(f"The comparison has no variant {recipe}: {[each.recipe for each in document.variants]}.")
    return found


def baseline(document: ComparisonDocument) -> VariantDocument:
    """The model as it was uploaded."""
    return next(each for each in document.variants if each.baseline)
