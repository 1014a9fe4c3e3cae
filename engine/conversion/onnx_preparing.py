"""What an ONNX graph needs before its types can be changed: no functions, known types, a fitting opset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import Unsupported

if TYPE_CHECKING:
    from onnx import ModelProto

LARGEST_BYTES = 2_000_000_000
BFLOAT16_OPSET = 22  # the first one whose Conv, pooling and recurrent operators take bfloat16


def prepared(model: ModelProto, dtype: str) -> tuple[ModelProto, bool]:
    """The model with functions inlined and types inferred, and whether its types were consistent."""
    import onnx
    from onnx import inliner

    if model.ByteSize() > LARGEST_BYTES:
        raise Unsupported(
            "This ONNX graph is larger than 2 GB, and ONNX can't infer its types in memory.",
            "Apply half before converting to ONNX.",
        )
    if model.functions:
        model = inliner.inline_local_functions(model)
    if dtype == "bfloat16":
        model = at_least(model, BFLOAT16_OPSET)
    try:
        return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True), True
    except onnx.shape_inference.InferenceError:
        return onnx.shape_inference.infer_shapes(model), False


def at_least(model: ModelProto, opset: int) -> ModelProto:
    """The model at a later opset; as it is when it can't be converted, or is there already."""
    import onnx

    current = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
    if current >= opset:
        return model
    try:
        return onnx.version_converter.convert_version(model, opset)
    except (RuntimeError, onnx.version_converter.ConvertError):
        return model
