"""Torch-TensorRT: what its steps and runtimes share, for TensorRT proper and for TensorRT for RTX alike.

Both distributions are imported as `torch_tensorrt`; each is built for one PyTorch version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from engine.errors import MissingDependency, OptibenchError, OutOfMemory, StepFailed, Unsupported, first_line
from engine.plugin import installed_version
from engine.runtimes.tensorrt_library import gpu_refusal, says_out_of_memory
from engine.runtimes.tensorrt_library import load as tensorrt_load
from engine.runtimes.torch_session import translate
from engine.spec import ModelSpec

REQUIREMENT = "torch-tensorrt|torch-tensorrt-rtx"
INSTALL = "pip install torch-tensorrt   (or, without NVIDIA's package index: pip install torch-tensorrt-rtx)"
ENGINE = "execute_engine"
BOOKKEEPING = ("sym_size", "sym_numel", "_assert_", "sym_constrain", "detach", "alias", "getitem")


def times_kernels() -> bool:
    """Whether the library that is used here times kernels while it builds; the RTX variant compiles when it loads."""
    return installed_version("torch-tensorrt") is not None


def load() -> Any:
    """Import Torch-TensorRT; raises MissingDependency with the loader's words when it can't be."""
    try:
        import torch_tensorrt
    except Exception as error:  # its own import raises plain Exception when a library does not load
        raise MissingDependency(f"Torch-TensorRT can't be imported: {first_line(error)}.", f"Run: {INSTALL}") from error
    return torch_tensorrt


def facts(library: Any) -> dict[str, Any]:
    """What an artifact and a result say about the library."""
    import tensorrt  # the TensorRT that Torch-TensorRT itself registered under this name

    rtx = hasattr(tensorrt, "IRuntimeCache")
    return {
        "library": "Torch-TensorRT with TensorRT for RTX" if rtx else "Torch-TensorRT with TensorRT",
        "library_version": f"{library.__version__}, TensorRT {tensorrt.__version__}",
    }


def precision_of(asked_for_tf32: bool, precision: str) -> str:
    """What a program of this precision really computes in."""
    return tensorrt_load().fp32_becomes(asked_for_tf32) if precision == "fp32" else precision


def refusal(spec: ModelSpec, device: str) -> str | None:
    """Why Torch-TensorRT can't take this model or this GPU, or None."""
    constants = [each.name for each in spec.inputs if each.constant is not None]
    if constants:
        return f"Torch-TensorRT takes tensors only, and {', '.join(constants)} is a constant"
    if spec.state == "hidden":
        return "This model keeps hidden state between calls, which an engine would freeze"
    return gpu_refusal(device) if device.startswith("cuda") else None


def dynamo_settings(**wanted: Any) -> dict[str, Any]:
    """The compiler settings that this version of Torch-TensorRT knows.

    Explicit typing: the graph's own types decide the precision. `attn_bias_is_causal` is on by
    default in some versions, which would change what an encoder with a padding mask computes.
    """
    from torch_tensorrt.dynamo import CompilationSettings

    known = {each.name for each in fields(CompilationSettings)}
    settings = {"use_explicit_typing": True, "attn_bias_is_causal": False, "truncate_double": True, **wanted}
    return {name: value for name, value in settings.items() if name in known}


def inputs_for(spec: ModelSpec, batches: tuple[int, int, int]) -> list[Any]:
    """Torch-TensorRT's description of each input: one shape, or the range of a dynamic batch."""
    import torch
    from torch_tensorrt import Input

    described = []
    for each in spec.tensor_inputs:
        low, best, high = (each.concrete(spec.sizes_at(batch)) for batch in batches)
        dtype = getattr(torch, each.dtype)
        if low == high:
            described.append(Input(shape=low, dtype=dtype, name=each.name))
        else:
            described.append(Input(min_shape=low, opt_shape=best, max_shape=high, dtype=dtype, name=each.name))
    return described


def hybrid(kinds: Iterable[str]) -> dict[str, Any]:
    """How a compiled graph is divided: TensorRT engines, and what PyTorch still runs, by operator.

    `kinds` are the graph's operators, such as `aten::relu` or `tensorrt::execute_engine`.
    """
    counts = Counter(short(each) for each in kinds)
    engines = counts.pop(ENGINE, 0)
    left = {name: count for name, count in counts.most_common() if not name.startswith(BOOKKEEPING)}
    return {"partitions": engines, "in_pytorch": left}


def short(kind: str) -> str:
    """`aten::relu_` or `aten.relu.default` as `relu`."""
    name = kind.rpartition("::")[2]
    return name.split(".")[1] if name.count(".") >= 2 else name


def program_kinds(graph: Any) -> list[str]:
    """The operators of an FX graph, and of the PyTorch parts that it calls."""
    found: list[str] = []
    for node in graph.nodes:
        if node.op == "call_function":
            found.append(
                str(node.target) if hasattr(node.target, "namespace") else getattr(node.target, "__name__", "")
            )
        elif node.op == "call_module":
            part = graph.owning_module.get_submodule(node.target)
            found.extend(program_kinds(part.graph) if hasattr(part, "graph") else [ENGINE])
    return found


def script_kinds(script: Any) -> list[str]:
    """The operators of a script, those inside branches and loops included."""
    return block_kinds(script.inlined_graph)


def block_kinds(block: Any) -> list[str]:
    """The operators of one block of a script's graph that compute something."""
    found: list[str] = []
    for node in block.nodes():
        if node.kind().startswith(("aten::", "tensorrt::")):
            found.append(node.kind())
        for inner in node.blocks():
            found.extend(block_kinds(inner))
    return found


def explained(error: Exception, what: str) -> Exception:
    """The error of a compilation in our words; torch.compile wraps the one that matters."""
    while isinstance(inner := getattr(error, "inner_exception", None), Exception):
        error = inner
    if isinstance(error, OptibenchError):
        return error
    if isinstance(translate(error), OutOfMemory) or says_out_of_memory([str(error)]):
        return OutOfMemory(f"The GPU's memory ran out while {what}: {first_line(error)}.", "Try a smaller batch size.")
    text = f"{type(error).__name__} {error}".lower()
    if "unsupported" in text or "not supported" in text or "not currently supported" in text:
        return Unsupported(f"Torch-TensorRT can't do this: {first_line(error)}.", "Export to ONNX and use TensorRT.")
    began = what[0].upper() + what[1:]
    return StepFailed(f"{began} failed: {type(error).__name__}: {first_line(error)}.", "The log has the details.")


def require_engines(report: dict[str, Any]) -> None:
    """Raise Unsupported when TensorRT took nothing: what was saved would be PyTorch under another name."""
    if not report["partitions"]:
        raise Unsupported(
            "TensorRT took no part of this model, so nothing would be gained.",
            "Lower min_block_size, or export to ONNX and use TensorRT.",
        )
