"""Half precision for graphs of torch.export: types written into the graph follow the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram


def cast_graph(module: torch.fx.GraphModule, dtype: torch.dtype) -> None:
    """Replace float32 by `dtype` wherever a node names it, and drop checks of recorded types."""
    import torch

    def replaced(value: Any) -> Any:
        return dtype if value in (torch.float32, torch.float64) and isinstance(value, torch.dtype) else value

    for node in list(module.graph.nodes):
        if node.op == "call_function" and node.target is torch.ops.aten._assert_tensor_metadata.default:
            module.graph.erase_node(node)
            continue
        if node.op == "call_module" and node.target == "_guards_fn":
            module.graph.erase_node(node)
            continue
        node.args = torch.fx.node.map_aggregate(node.args, replaced)
        node.kwargs = torch.fx.node.map_aggregate(node.kwargs, replaced)
    module.recompile()


def cast_graph_border(module: torch.fx.GraphModule, dtype: torch.dtype) -> None:
    """Cast inputs to `dtype` and outputs to float32 by nodes of the graph itself."""
    import torch

    graph = module.graph
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    for node in placeholders:
        with graph.inserting_after(placeholders[-1]):
            cast = graph.call_function(narrow_value, (node, dtype))
        node.replace_all_uses_with(cast, delete_user_cb=lambda user, cast=cast: user is not cast)  # type: ignore[misc]
    output = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(output):
        output.args = torch.fx.node.map_arg(output.args, lambda each: graph.call_function(widen_value, (each, dtype)))
    module.recompile()


def narrow_value(value: Any, dtype: torch.dtype) -> Any:
    """A floating tensor in `dtype`; everything else as it is."""
    floating = hasattr(value, "is_floating_point") and value.is_floating_point()
    return value.to(dtype) if floating else value


def widen_value(value: Any, dtype: torch.dtype) -> Any:
    """A tensor of `dtype` in float32; everything else as it is."""
    import torch

    return value.to(torch.float32) if getattr(value, "dtype", None) is dtype else value


def cast_program(program: ExportedProgram, inputs: tuple[Any, ...], dtype: str) -> ExportedProgram:
    """The program with weights in `dtype`, inputs and outputs in float32, captured anew with the same dynamic sizes."""
    import torch

    from engine.conversion.casting import cast_module, refused
    from engine.conversion.exporting import shapes_of_program

    module = cast_module(program.module(), dtype)
    try:
        return torch.export.export(module, inputs, dynamic_shapes=shapes_of_program(program), strict=False)
    except (RuntimeError, ValueError, TypeError) as error:
        raise refused(error, dtype) from error
