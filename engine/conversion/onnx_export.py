"""Both ONNX exporters of PyTorch, with the model's own names for inputs, outputs and dynamic sizes."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import StepFailed, Unsupported
from engine.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch.export import ExportedProgram

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
EXPORTERS = ("auto", "dynamo", "torchscript")
FIRST_OPSET, USUAL_OPSET, FIRST_DYNAMO_OPSET, LAST_SCRIPT_OPSET = 9, 18, 18, 20
BFLOAT16_OPSET = 22  # the first one whose convolutions take bfloat16
UNSUPPORTED = (
    "No ONNX function found",
    "No decompositions registered",
    "Unsupported: ONNX export of operator",
    "is not supported",
    "does not currently support",
    "encountered in handling model params",  # an object of a class of its own, in a script
)
ADDRESS = re.compile(r" \(of Python compilation unit at: \w+\)")


def chosen_exporter(exporter: str, opset: int, *, default: str) -> str:
    """The exporter that `auto` means: the default, or TorchScript's for opsets the other can't write."""
    if exporter != "auto":
        return exporter
    return "torchscript" if 0 < opset < FIRST_DYNAMO_OPSET else default


def opset_reason(exporter: str, opset: int) -> str | None:
    """Why an exporter can't write an opset, or None; 0 leaves the choice to us."""
    if opset == 0:
        return None
    if opset < FIRST_OPSET:
        return f"opsets before {FIRST_OPSET} are not written any more"
    if exporter == "dynamo" and opset < FIRST_DYNAMO_OPSET:
        return f"the Dynamo exporter writes opset {FIRST_DYNAMO_OPSET} and later; choose exporter=torchscript"
    if exporter == "torchscript" and opset > LAST_SCRIPT_OPSET:
        return f"the TorchScript exporter writes opsets up to {LAST_SCRIPT_OPSET}; choose exporter=dynamo"
    return None


def written_opset(opset: int, precision: str, exporter: str) -> int:
    """The opset to write: the one asked for, else one that knows the model's types."""
    if opset:
        return opset
    return BFLOAT16_OPSET if precision == "bf16" and exporter == "dynamo" else USUAL_OPSET


def from_program(program: ExportedProgram, spec: ModelSpec, folder: Path, *, opset: int, optimize: bool = True) -> Path:
    """Write a captured program as ONNX; returns the artifact's path."""
    import torch

    count = sum(isinstance(each, str) for each in program.graph_signature.user_outputs)
    with quiet():
        try:
            converted = torch.onnx.export(
                program,
                (),
                input_names=[each.name for each in spec.tensor_inputs],
                output_names=output_names(spec, count),
                opset_version=opset,
                dynamo=True,
                verbose=False,
                optimize=optimize,
            )
        except Exception as error:  # the exporter wraps whatever it trips over in its own errors
            raise explained(error, "Dynamo") from error
    assert converted is not None
    return finish(converted.model_proto, spec, folder)


def from_script(
    script: Any, spec: ModelSpec, feeds: Mapping[str, Any], folder: Path, *, opset: int, static: bool
) -> Path:
    """Write a script, or a module that is traced on the way, as ONNX; returns the artifact's path."""
    import onnx
    import torch

    from engine.conversion.modules import tensor_inputs, tensors_only
    from engine.conversion.scripts import without_constants
    from engine.torch_bridge import flatten

    inputs = tensor_inputs(feeds, spec)
    scripted = isinstance(script, torch.jit.ScriptModule)
    script = without_constants(script, spec) if scripted else tensors_only(script, spec)
    with torch.no_grad():
        count = len(flatten(script(*inputs)))
    names = output_names(spec, count)
    buffer: Any = io.BytesIO()  # the signature names paths alone; both exporters write to streams
    with quiet(), torch.no_grad():
        try:
            torch.onnx.export(
                script,
                inputs,
                buffer,
                input_names=[each.name for each in spec.tensor_inputs],
                output_names=names,
                dynamic_axes=None if static else dynamic_axes(spec, names),
                opset_version=opset,
                dynamo=False,
            )
        except Exception as error:  # as above
            raise explained(error, "TorchScript") from error
    return finish(onnx.load_from_string(buffer.getvalue()), spec, folder)


def output_names(spec: ModelSpec, count: int) -> list[str]:
    """The model's output names, or numbered ones where their number does not fit."""
    names = [each.name for each in spec.outputs]
    taken = {each.name for each in spec.inputs}
    if len(names) != count or len(set(names)) != count:
        names = [f"output{index}" for index in range(count)]
    return [f"{each}_out" if each in taken else each for each in names]


def dynamic_axes(spec: ModelSpec, names: list[str]) -> dict[str, dict[int, str]]:
    """The dynamic axes of inputs and outputs by name."""
    axes = {each.name: {i: d for i, d in enumerate(each.shape) if isinstance(d, str)} for each in spec.tensor_inputs}
    for name, each in zip(names, spec.outputs, strict=False):
        axes[name] = {i: d for i, d in enumerate(each.shape) if isinstance(d, str)}
    return {name: found for name, found in axes.items() if found}


def finish(model: ModelProto, spec: ModelSpec, folder: Path) -> Path:
    """Give dynamic sizes the model's own names, check the graph, and write it."""
    import onnx

    from engine.formats import onnx as onnx_format

    rename_dimensions(model, spec)
    path = onnx_format.save(model, folder)
    try:
        onnx.checker.check_model(str(onnx_format.model_path(path)))
    except onnx.checker.ValidationError as error:
        raise StepFailed(
            f"The exporter wrote a graph that ONNX's checker refuses: {str(error).strip().splitlines()[0][:240]}",
            "Try the other exporter or another opset.",
        ) from error
    return path


def rename_dimensions(model: ModelProto, spec: ModelSpec) -> None:
    """Call symbolic sizes what the spec calls them, everywhere in the graph's declared shapes."""
    wanted = {each.name: each for each in spec.tensor_inputs}
    known: dict[str, str] = {}
    for given in model.graph.input:
        declared = wanted.get(given.name)
        for axis, dimension in enumerate(given.type.tensor_type.shape.dim):
            if declared and dimension.dim_param and axis < len(declared.shape):
                size = declared.shape[axis]
                if isinstance(size, str):
                    known.setdefault(dimension.dim_param, size)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in known:
                dimension.dim_param = known[dimension.dim_param]


@contextlib.contextmanager
def quiet() -> Any:
    """Silence the exporters' announcements about their own future."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


def explained(error: Exception, exporter: str) -> StepFailed | Unsupported:
    """An exporter's error as one sentence: the operator it can't write, when it says so."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    messages = [message for message in (plain_lines(each) for each in chain) if message]
    lines = [line for message in messages for line in message]
    point = next((line for line in lines if any(sign in line for sign in UNSUPPORTED)), None)
    other = "exporter=torchscript" if exporter == "Dynamo" else "exporter=dynamo"
    if point:
        return Unsupported(
            f"The {exporter} exporter can't write this model as ONNX: {point[:280]}",
            f"Try onnx({other}) or another opset.",
        )
    first = messages[-1][0] if messages else type(error).__name__  # the innermost error says why
    return StepFailed(
        f"The {exporter} exporter failed: {first[:280]}",
        f"Try onnx({other}), or export the model yourself and upload the ONNX file.",
    )


def plain_lines(error: BaseException) -> list[str]:
    """The lines of a message that say something, without colours and addresses."""
    text = ADDRESS.sub("", COLOUR.sub("", str(error)))
    return [line.strip() for line in text.splitlines() if line.strip()]
