"""Look inside TorchScript graphs, and give scripts another signature."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.spec import ModelSpec

if TYPE_CHECKING:
    import torch


def methods(script: Any) -> Iterator[Any]:
    """Every method of a script and of its submodules, as TorchScript's own objects."""
    for module in script.modules():
        for name in module._c._method_names():
            yield module._c._get_method(name)


def nodes(block: Any) -> Iterator[Any]:
    """Every node of a graph or block, also of the blocks inside its nodes."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes(inner)


def constants(script: Any) -> Iterator[torch.Tensor]:
    """Every tensor constant in the graphs of a script's methods."""
    for method in methods(script):
        for node in nodes(method.graph):
            if node.kind() == "prim::Constant" and node.hasAttribute("value") and node.kindOf("value") == "t":
                yield node.t("value")


def control_flow(script: Any) -> dict[str, int]:
    """How many branches and loops a script has once it is frozen and calls are inlined.

    Freezing settles what depends on the module's own constants, such as `if self.training`.
    """
    import torch

    from engine.conversion.quiet import quiet_jit

    try:
        with quiet_jit():
            graph = torch.jit.freeze(script.eval()).inlined_graph
    except RuntimeError:  # scripts that can't be frozen are counted as they are
        graph = script.inlined_graph
    kinds = [node.kind() for node in nodes(graph)]
    return {"branches": kinds.count("prim::If"), "loops": kinds.count("prim::Loop")}


def save(script: Any, folder: Path) -> Path:
    """Write a script into a folder; returns its path."""
    import torch

    from engine.conversion.quiet import quiet_jit

    path = folder / "model.pt"
    with quiet_jit():
        torch.jit.save(script, str(path))
    return path


def follow_input_device(script: Any) -> Any:
    """Replace every device written into a traced graph by that of the graph's first tensor, in place.

    A trace writes down the device it was made on, and would create tensors there wherever it runs.
    """
    import torch

    for method in methods(script):
        graph = method.graph
        tensors = [each for each in graph.inputs() if each.type().isSubtypeOf(torch._C.TensorType.get())]
        written = [
            node
            for node in nodes(graph)
            if node.kind() == "prim::Constant" and node.output().type().kind() == "DeviceObjType"
        ]
        if not tensors or not written:
            continue
        device = graph.create("prim::device", [tensors[0]], 1)
        device.output().setType(torch._C.DeviceObjType.get())
        graph.prependNode(device)
        for node in written:
            node.output().replaceAllUsesWith(device.output())
    return script


def wrap(inner: Any, source: str) -> Any:
    """A script whose `forward` is `source` and calls `self.inner`.

    Works for scripts of any origin (traced, scripted, frozen, loaded), which `torch.jit.script` does not.
    """
    import torch
    from torch.jit._recursive import wrap_cpp_module

    make: Any = torch._C.ScriptModule
    outer = make("__torch__.optibench.Signature", torch.jit._state._python_cu, True)
    outer._register_attribute("training", torch._C.BoolType.get(), False)
    outer._register_attribute("inner", inner._c._type(), inner._c)
    wrapped = wrap_cpp_module(outer)
    wrapped.define(source)
    return wrapped


def parameter_names(spec: ModelSpec) -> list[str]:
    """The model's input names as Python identifiers, in order and without doubles."""
    found: list[str] = []
    for index, each in enumerate(spec.inputs):
        name = re.sub(r"\W", "_", each.name)
        if not name or name[0].isdigit() or keyword.iskeyword(name) or name in ("self", *found):
            name = f"input_{index}"
        found.append(name)
    return found


def signature(spec: ModelSpec) -> str:
    """The parameters of a script's `forward` that takes this model's inputs in order."""
    kinds = {bool: "bool", int: "int", float: "float", str: "str", type(None): "Tensor"}
    named = zip(parameter_names(spec), spec.inputs, strict=True)
    return "".join(f", {name}: {kinds[type(each.constant)]}" for name, each in named)


def with_constants(inner: Any, spec: ModelSpec) -> Any:
    """A script that takes every input of the model, around one that takes the tensors alone."""
    if len(spec.tensor_inputs) == len(spec.inputs):
        return inner
    tensors = [name for name, each in zip(parameter_names(spec), spec.inputs, strict=True) if each.constant is None]
    return wrap(inner, f"def forward(self{signature(spec)}):\n    return self.inner({', '.join(tensors)})\n")


def without_constants(script: Any, spec: ModelSpec) -> Any:
    """A script that takes the model's tensors alone, around one that takes every input."""
    if len(spec.tensor_inputs) == len(spec.inputs):
        return script
    named = list(zip(parameter_names(spec), spec.inputs, strict=True))
    parameters = "".join(f", {name}: Tensor" for name, each in named if each.constant is None)
    arguments = ", ".join(name if each.constant is None else repr(each.constant) for name, each in named)
    return wrap(script, f"def forward(self{parameters}):\n    return self.inner({arguments})\n")
