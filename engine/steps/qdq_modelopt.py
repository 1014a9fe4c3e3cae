"""Q/DQ placement by NVIDIA's ModelOpt, which knows what TensorRT fuses."""

from __future__ import annotations

from pathlib import Path

from engine.errors import BadInput, StepFailed
from engine.plugin import installed_version
from engine.steps.calibration import CalibrationBatches

DISTRIBUTIONS = ("nvidia-modelopt", "onnx-graphsurgeon", "polygraphy", "onnxconverter-common", "cppimport", "lief")
INSTALL = f"pip install {DISTRIBUTIONS[0]} && pip install --no-deps {' '.join(DISTRIBUTIONS[1:])}"
METHODS = {"minmax": "max", "entropy": "entropy"}


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
    try:
        from modelopt.onnx.quantization import quantize

        quantize(
            str(path),
            quantize_mode=mode,
            calibration_data_reader=data,
            calibration_method=METHODS[calibration],
            calibration_eps=["cpu"],
            nodes_to_exclude=[f"^{escaped(each)}$" for each in excluded],
            output_path=str(result),
            high_precision_dtype=rest,
            log_level="WARNING",
        )
    except Exception as error:  # ModelOpt raises whatever its parts raise
        raise StepFailed(
            f"NVIDIA ModelOpt failed: {type(error).__name__}: {str(error)[:200]}.",
            "Simplify the graph first, or use ONNX Runtime's quantizer.",
        ) from error
    if not result.exists():
        raise StepFailed("NVIDIA ModelOpt wrote no graph.", "The log has its words.")


def escaped(name: str) -> str:
    """A node name as a regular expression."""
    import re

    return re.escape(name)
