"""What the machinery around the measurements costs: one comparison of 20 variants, run twice.

    python benchmarks/orchestration.py --out DIR [--model sample:digits] [--device cpu]

Prints the share of the wall time that no worker accounts for, the workers' start-up (interpreter,
libraries and models, reported apart), and how many artifacts the second run built again: none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.facts import facts, write  # noqa: E402

RECIPES = [
    "half > eager",
    "bfloat16 > eager",
    "trace > torchscript",
    "trace > freeze > torchscript",
    "script > torchscript",
    "script > freeze > torchscript",
    "export > eager",
    "onnx > onnxruntime",
    "onnx(exporter=torchscript) > onnxruntime",
    "onnx > onnx-simplify > onnxruntime",
    "onnx > dynamic-int8 > onnxruntime",
    "onnx > half > onnxruntime",
    "onnx > onnxruntime(graph_optimization=none)",
    "onnx > onnxruntime(graph_optimization=basic)",
    "prune-magnitude(amount=0.5) > eager",
    "prune-magnitude(amount=0.8) > eager",
    "prune-magnitude(amount=0.9) > onnx > onnxruntime",
    "prune-channels > eager",
    "prune-channels > onnx > onnxruntime",
]


def main() -> None:
    """Run the comparison twice and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="sample:digits")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--preset", default="full")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    runs = []
    for name in ("first", "repeat"):
        runs.append(run(name, options))
        print(json.dumps(runs[-1]), flush=True)
    command = f"python benchmarks/orchestration.py --out FOLDER --model {options.model} --device {options.device}"
    found = {"benchmark": "orchestration", "model": options.model, "device": options.device, "runs": runs}
    machine = facts(f"{command} --preset {options.preset}", time.monotonic() - began, threads=os.cpu_count() or 1)
    write(options.out / f"orchestration-{options.device.replace(':', '')}.json", {**found, **machine})


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One comparison; its JSON is kept."""
    path = options.out / f"orchestration-{name}.json"
    recipes = [part for recipe in RECIPES for part in ("--recipe", recipe)]
    command = [sys.executable, "-m", "engine.cli", "compare", options.model, *recipes]
    command += ["--preset", options.preset, "--batch", "1", "--device", options.device, "--out", str(path)]
    began = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=False)
    seconds = time.monotonic() - began
    document = json.loads(path.read_text())
    spent = document["orchestration"]
    steps = [step for variant in document["variants"] for step in variant["steps"]]
    return {
        "run": name,
        "variants": len(document["variants"]),
        "process_s": round(seconds, 1),
        **{key: round(value, 1) for key, value in spent.items()},
        "overhead_share": round(spent["overhead_s"] / spent["wall_s"], 3),
        "steps_built": sum(not step.get("cached") for step in steps),
        "steps_cached": sum(bool(step.get("cached")) for step in steps),
    }


if __name__ == "__main__":
    main()
