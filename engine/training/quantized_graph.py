"""PT2E: quantize a captured graph, with calibration or with training (torchao)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from engine.errors import BadInput, StepFailed
from engine.training.tensors import Tensors

LAYERS = "torch.nn.modules."


def make_quantizer(graph: Any, keep: str, *, observer: str = "histogram", training: bool = False) -> Any:
    """Eight bits for weights (each output channel has its own scale) and activations (one scale a tensor).

    Layers named in `keep` stay in floating point. Raises BadInput on an unknown name.
    """
    from torchao.quantization.pt2e.observer import MinMaxObserver
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    config = x86.get_default_x86_inductor_quantization_config(is_qat=training)
    if observer == "min-max" and not training:
        activation = config.input_activation
        assert activation is not None
        activation = replace(activation, observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=2**-12))
        config = replace(config, input_activation=activation, output_activation=activation)
    quantizer = x86.X86InductorQuantizer().set_global(config)
    layers = {each.rpartition(".")[0] for each, _ in graph.named_parameters()}
    for name in [each.strip() for each in keep.split(",") if each.strip()]:
        if not any(layer == name or layer.startswith(f"{name}.") for layer in layers):
            raise BadInput(f"There is no layer {name!r} to keep.", f"Layers: {', '.join(sorted(layers))[:400]}.")
        quantizer.set_module_name_qconfig(name, None)
    return quantizer


def capture(module: Any, inputs: tuple[Any, ...], shapes: Any) -> Any:
    """The module as one graph that quantization can insert its operators into."""
    try:
        with torch.no_grad():
            return with_sources(torch.export.export(module, inputs, dynamic_shapes=shapes, strict=False).module())
    except Exception as error:  # torch.export raises a dozen kinds of errors, some of them private
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StepFailed(
            f"The model's graph can't be captured: {first}", "Quantize its ONNX form: int8-qdq."
        ) from error


def with_sources(graph: Any) -> Any:
    """Say at each operator which of PyTorch's layers it came from; the quantizer looks for layers by it.

    Newer versions of PyTorch find it out from the stack of modules; 2.11 does not.
    """
    for node in graph.graph.nodes:
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        if node.op != "call_function" or not stack or "source_fn_stack" in node.meta:
            continue
        name, kind = stack[-1]
        layer = getattr(torch.nn, str(kind).rpartition(".")[2], None) if str(kind).startswith(LAYERS) else None
        if layer is not None:
            node.meta["source_fn_stack"] = [(name, layer)]
    return graph


@torch.no_grad()
def settle_ranges(prepared: Any, data: Tensors, batch_size: int) -> None:
    """Show a few batches to a graph prepared for training, so that its ranges mean something from the start."""
    prepared.eval()
    for number, batch in enumerate(data.batches(batch_size)):
        prepared(*batch.inputs)
        if number == 7:
            break


def converted(prepared: Any) -> Any:
    """The quantized graph, with integer weights alone: the floating-point ones it replaced are dropped."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    graph = convert_pt2e(prepared)
    used = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
    for name in [each for each, _ in [*graph.named_parameters(), *graph.named_buffers()] if each not in used]:
        path, _, last = name.rpartition(".")
        delattr(graph.get_submodule(path), last)
    return graph


def quantized_layers(graph: Any) -> list[dict[str, Any]]:
    """Every linear and convolution operator of the graph: whether its weight is stored as integers."""
    found = []
    for node in graph.graph.nodes:
        name = str(node.target)
        if node.op == "call_function" and (".linear" in name or ".conv" in name):
            weight = node.all_input_nodes[1] if len(node.all_input_nodes) > 1 else None
            integer = weight is not None and "dequantize" in str(weight.target)
            found.append({"layer": layer_of(node), "operator": name.split(".")[1], "bits": 8 if integer else 32})
    return found


def layer_of(node: Any) -> str:
    """The module that a node came from, by name."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [str(value[0]) for value in stack.values()]
    return paths[-1].removeprefix("L['self'].") if paths else node.name
