"""Half precision for scripts: weights, constants and types written into the graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.conversion.scripts import methods, nodes, parameter_names, signature, wrap
from engine.spec import ModelSpec

if TYPE_CHECKING:
    import torch

CODES = {"float32": 6, "float64": 7, "float16": 5, "bfloat16": 15}
CREATORS = ("zeros", "ones", "empty", "rand", "randn", "eye", "linspace", "hann_window", "hamming_window")


def cast_script(script: Any, spec: ModelSpec, dtype: str) -> Any:
    """The script with everything floating in `dtype`, and inputs and outputs in float32."""
    import torch

    narrow = getattr(torch, dtype)
    script.to(narrow)
    for module in script.modules():
        for name, value in attributes(module):
            if value.is_floating_point():
                module._c.setattr(name, value.to(narrow))
    for method in methods(script):
        cast_graph(method.graph, dtype)
    return cast_border(script, spec, dtype)


def attributes(module: Any) -> list[tuple[str, torch.Tensor]]:
    """A script module's tensors that are neither parameters nor buffers."""
    import torch

    known = {*dict(module.named_parameters(recurse=False)), *dict(module.named_buffers(recurse=False))}
    found = []
    for name, _ in module._c._type().getAttributes() if hasattr(module._c._type(), "getAttributes") else ():
        value = getattr(module, name, None)
        if name not in known and isinstance(value, torch.Tensor):
            found.append((name, value))
    return found


def cast_graph(graph: Any, dtype: str) -> None:
    """Replace float32 by `dtype` in tensor constants and wherever an operator is told a type."""
    import torch

    narrow = getattr(torch, dtype)
    wide = (CODES["float32"], CODES["float64"])
    for node in list(nodes(graph)):
        if node.kind() == "prim::Constant" and node.hasAttribute("value") and node.kindOf("value") == "t":
            if node.t("value").is_floating_point():
                node.t_("value", node.t("value").to(narrow))
                node.output().inferTypeFrom(node.t("value"))
            continue
        position = dtype_position(node)
        if position is None:
            continue
        given = node.inputsAt(position).toIValue()
        created = (
            given is None and node.kind().removeprefix("aten::") in CREATORS and is_constant(node.inputsAt(position))
        )
        if given in wide or created:
            code = graph.insertConstant(CODES[dtype])
            code.node().moveBefore(node)
            node.replaceInput(position, code)


def dtype_position(node: Any) -> int | None:
    """Which input of a node is the dtype, or None."""
    if not node.kind().startswith("aten::") or node.schema() == "(no schema)":
        return None
    import torch

    schema = torch._C.parse_schema(node.schema())
    names = [each.name for each in schema.arguments]
    return names.index("dtype") if "dtype" in names else None


def is_constant(value: Any) -> bool:
    """Whether a value is written into the graph."""
    return bool(value.node().kind() == "prim::Constant")


def cast_border(script: Any, spec: ModelSpec, dtype: str) -> Any:
    """A script that casts floating inputs to `dtype`, calls the script, and casts outputs to float32."""
    arguments = [
        f"{name}.to(torch.{dtype})" if each.constant is None and each.dtype.startswith(("float", "bfloat")) else name
        for name, each in zip(parameter_names(spec), spec.inputs, strict=True)
    ]
    lines = [f"    found = self.inner({', '.join(arguments)})"]
    expression = widened("found", script.forward.schema.returns[0].type, lines, dtype)
    return wrap(script, f"def forward(self{signature(spec)}):\n" + "\n".join(lines) + f"\n    return {expression}\n")


def widened(name: str, kind: Any, lines: list[str], dtype: str) -> str:
    """TorchScript source that casts a value of this type to float32; statements it needs go to `lines`."""
    family = kind.kind()
    if family == "TensorType":
        wide = f"{name}_{len(lines)}".replace("[", "_").replace("]", "").replace(".", "_")
        lines.append(f"    {wide} = {name}")
        lines.append(f"    if {wide}.dtype == torch.{dtype}:\n        {wide} = {wide}.float()")
        return wide
    if family == "TupleType":
        parts = [widened(f"{name}[{index}]", each, lines, dtype) for index, each in enumerate(kind.elements())]
        return f"({', '.join(parts)},)"
    if family == "ListType" and kind.getElementType().kind() == "TensorType":
        return f"[each.float() if each.dtype == torch.{dtype} else each for each in {name}]"
    if family == "DictType" and kind.getValueType().kind() == "TensorType":
        wide = f"wide_{len(lines)}"
        lines.append(f"    {wide}: Dict[{kind.getKeyType()}, Tensor] = {{}}")
        lines.append(f"    for key, value in {name}.items():")
        lines.append(f"        {wide}[key] = value.float() if value.dtype == torch.{dtype} else value")
        return wide
    return name
