"""Paths that people ask for and that are not here, each with the reason and the route that replaces it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnsupportedPath:
    """One path that is listed so that nobody has to search for it."""

    name: str
    title: str
    reason: str
    instead: str


UNSUPPORTED: tuple[UnsupportedPath, ...] = (
    UnsupportedPath(
        "tensorflow-tensorrt",
        "TensorFlow-TensorRT (TF-TRT)",
        "TensorFlow removed it after version 2.17.",
        "Export the TensorFlow model to ONNX with tf2onnx, upload that, and choose the recipe `tensorrt`.",
    ),
    UnsupportedPath(
        "onnx-to-tensorflow",
        "ONNX → TensorFlow",
        "Its converter, onnx-tensorflow, is no longer maintained.",
        "Run the ONNX graph itself, in ONNX Runtime or TensorRT.",
    ),
    UnsupportedPath(
        "executorch",
        "Mobile and embedded (ExecuTorch)",
        "What it makes runs on phones and microcontrollers, which can't be measured from here.",
        "Export with `export`, lower that program with ExecuTorch's own tools, and measure on the device; "
        "INT8 quantization and pruning from here carry over.",
    ),
)
