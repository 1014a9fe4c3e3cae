"""Q/DQ placement by NVIDIA's ModelOpt, which knows what TensorRT fuses.

ModelOpt changes ONNX Runtime's quantizer in the process that imports it, so it gets one of its own:
`python -m engine.steps.qdq_modelopt FOLDER` reads `request.json` and `batches.npz` there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadInput, StepFailed
from engine.plugin import installed_version
from engine.steps.calibration import CalibrationBatches

DISTRIBUTIONS = ("nvidia-modelopt", "onnx-graphsurgeon", "polygraphy", "onnxconverter-common", "lief")
INSTALL = f"pip install {DISTRIBUTIONS[0]} && pip install --no-deps {' '.join(DISTRIBUTIONS[1:])}"
METHODS = {"minmax": "max", "entropy": "entropy"}
REQUEST, BATCHES = "request.json", "batches.npz"


def missing_modelopt() -> str | None:
    """What has to be installed for ModelOpt, or None."""
    absent = [each for each in DISTRIBUTIONS if not installed_version(each)]
    return f"NVIDIA ModelOpt needs {', '.join(absent)}. Run: {INSTALL}" if absent else None


def quantize_with_modelopt(
    path: Path, result: Path, data: CalibrationBatches, mode: str, calibration: str, excluded: list[str], *, rest: str
) -> None:
    """Quantize to `int8` or `fp8`; `rest` is the precision of what is not quantized (fp32 or fp16).

    Activations are calibrated on the CPU, so that the same data gives the same scales everywhere.
    """
    if calibration not in METHODS:
        raise BadInput(
            f"ModelOpt does not calibrate by {calibration}.", f"Choose {' or '.join(METHODS)}, or the other quantizer."
        )
    request = {
        "onnx_path": str(path),
        "quantize_mode": mode,
        "calibration_method": METHODS[calibration],
        "calibration_eps": ["cpu"],
        "nodes_to_exclude": [f"^{re.escape(each)}$" for each in excluded],
        "output_path": str(result),
        "high_precision_dtype": rest,
        "log_level": "WARNING",
    }
    with tempfile.TemporaryDirectory(dir=result.parent) as name:
        folder = Path(name)
        (folder / REQUEST).write_text(json.dumps(request))
        arrays: Any = {f"{index}:{key}": value for index, batch in enumerate(data) for key, value in batch.items()}
        np.savez(folder / BATCHES, **arrays)
        root = Path(__file__).resolve().parents[2]
        command = [sys.executable, "-m", "engine.steps.qdq_modelopt", str(folder)]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr, flush=True)
    if done.returncode or not result.exists():
        lines = [each for each in done.stderr.splitlines() if each.strip()]
        raise StepFailed(
            f"NVIDIA ModelOpt failed: {lines[-1][:200] if lines else f'exit code {done.returncode}'}.",
            "Simplify the graph first, or use ONNX Runtime's quantizer.",
        )


def read_batches(path: Path) -> CalibrationBatches:
    """The calibration batches that the parent wrote."""
    batches: dict[int, dict[str, np.ndarray]] = {}
    with np.load(path, allow_pickle=False) as stored:
        for key in stored.files:
            index, _, name = key.partition(":")
            batches.setdefault(int(index), {})[name] = stored[key]
    return CalibrationBatches([batches[index] for index in sorted(batches)])


def main(folder: Path) -> None:
    """Carry out one request."""
    from modelopt.onnx.quantization import quantize

    request = json.loads((folder / REQUEST).read_text())
    quantize(calibration_data_reader=read_batches(folder / BATCHES), **request)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
