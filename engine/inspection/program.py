"""Inspect an exported program: it knows its inputs, their shapes and their ranges."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.inspection.dimensions import Raw, default_sizes, name_inputs
from engine.inspection.drawing import drawn
from engine.inspection.facts import assemble
from engine.inspection.module import module_run
from engine.inspection.observe import observe
from engine.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

BRANCHES = ("cond", "while_loop", "map", "scan", "associative_scan")
MANY_LAYERS = 3000
LARGE = 1 << 30


def inspect_program(artifact: Artifact, progress: Any) -> ModelSpec:
    """Say what an exported program is."""
    from engine.formats.exported_program import load
    from engine.inspection.program_graph import program_graph

    progress(0.2, "Reading the program")
    program = load(artifact.path)
    inputs, limits = declared_inputs(program)
    module = program.module()
    progress(0.5, "Running it")
    sizes = {name: within(size, limits.get(name, (2, LARGE))) for name, size in default_sizes(inputs).items()}
    seen = observe(module_run(module, inputs), inputs, sizes, names=output_names(program))
    notes = []
    if seen.error:
        notes.append(f"It did not run on inputs made up from its declarations: {seen.error}")
        seen = replace(seen, outputs=declared_outputs(program))
    hidden = bool(program.graph_signature.buffers_to_mutate) or seen.remembers
    nodes = list(all_nodes(program))
    operators = Counter(operator_name(each) for each in nodes if each.op == "call_function")
    notes += [f"The dimension {name} may be {low} to {high}." for name, (low, high) in limits.items() if high < LARGE]
    graph, undrawn = drawn(lambda: program_graph(program))
    return assemble(
        artifact,
        seen,
        guessed=[f"input {each.name}" for each in inputs if each.high is not None],
        parameters=sum(each.numel() for each in program.parameters()) or constants(program),
        operators=dict(operators.most_common()),
        control_flow=sum(operators[each] for each in BRANCHES),
        state="hidden" if hidden else "none",
        layers=layers(program),
        notes=(*notes, *undrawn),
        graph=graph,
    )


def declared_inputs(program: ExportedProgram) -> tuple[tuple[TensorSpec, ...], dict[str, tuple[int, int]]]:
    """The user's inputs in order, and the bounds of each dynamic dimension."""
    import torch

    held = {each.name: each for each in program.graph.nodes if each.op == "placeholder"}
    raw: list[Raw] = []
    constants_: dict[str, Any] = {}
    symbols: dict[str, str] = {}
    for position, name in enumerate(user_inputs(program)):
        value = held[name].meta.get("val") if name in held else None
        if isinstance(value, torch.Tensor):
            dims = tuple(int(d) if isinstance(d, int) else str(d) for d in value.shape)
            raw.append(Raw(name, str(value.dtype).removeprefix("torch."), dims))
        elif value is None or isinstance(value, (int, float, bool, str)):
            constants_[name] = constant_of(program, position, value)
            raw.append(Raw(name, type(constants_[name]).__name__, ()))
        else:
            raise Unsupported(
                f"The input {name!r} is a {type(value).__name__}, and only tensors and plain values can be given.",
                "Export the model with tensor inputs.",
            )
    named = name_inputs([rename_symbols(each, index, raw, symbols) for index, each in enumerate(raw)])
    limits = bounds(program, raw, named)
    finished = tuple(with_values(each, held.get(each.name), constants_, program) for each in named)
    return finished, limits


def user_inputs(program: ExportedProgram) -> list[str]:
    """The names of what the caller gives, in order; constants included."""
    from torch.export.graph_signature import InputKind

    specs = [each for each in program.graph_signature.input_specs if each.kind is InputKind.USER_INPUT]
    return [str(getattr(each.arg, "name", f"input{index}")) for index, each in enumerate(specs)]


def constant_of(program: ExportedProgram, position: int, value: Any) -> Any:
    """The plain value an input was exported with."""
    from torch.export.graph_signature import InputKind

    specs = [each for each in program.graph_signature.input_specs if each.kind is InputKind.USER_INPUT]
    return getattr(specs[position].arg, "value", value)


def rename_symbols(tensor: Raw, index: int, raw: list[Raw], symbols: dict[str, str]) -> Raw:
    """The program's symbols (s77) by the name of their first place; the leading one of the first input is the batch."""
    from engine.inspection.dimensions import name_of

    dims: list[int | str | None] = []
    for axis, each in enumerate(tensor.dims or ()):
        if isinstance(each, str) and each not in symbols:
            blank = replace(tensor, dims=tuple(d if isinstance(d, int) else None for d in tensor.dims or ()))
            wanted = name_of(blank, axis)
            taken = wanted in symbols.values()
            symbols[each] = f"{tensor.name}_dim{axis}" if taken else wanted
        dims.append(symbols[each] if isinstance(each, str) else each)
    return replace(tensor, dims=tuple(dims))


def bounds(program: ExportedProgram, raw: list[Raw], named: tuple[TensorSpec, ...]) -> dict[str, tuple[int, int]]:
    """The smallest and largest size of each dynamic dimension."""
    ranges = {str(symbol): each for symbol, each in program.range_constraints.items()}
    found = {}
    for before, after in zip(raw, named, strict=True):
        for symbol, name in zip(before.dims or (), after.shape, strict=True):
            if isinstance(symbol, str) and symbol in ranges and isinstance(name, str):
                upper = ranges[symbol].upper
                high = min(int(upper), LARGE) if upper.is_Integer else LARGE
                found[name] = (max(1, int(ranges[symbol].lower)), high)
    return found


def with_values(
    tensor: TensorSpec, node: Node | None, constants_: dict[str, Any], program: ExportedProgram
) -> TensorSpec:
    """An input with its constant, or the range its first use suggests."""
    if tensor.name in constants_:
        return replace(tensor, constant=constants_[tensor.name])
    if not tensor.dtype.startswith(("int", "uint")) or node is None:
        return tensor
    rows = table_rows(node, program)
    if rows:
        return replace(tensor, low=0, high=rows)
    if "mask" in tensor.name:
        return replace(tensor, low=1, high=2)
    if len(tensor.shape) >= 3 or tensor.dtype == "uint8":
        return replace(tensor, low=0, high=256)
    return tensor


def table_rows(node: Node, program: ExportedProgram) -> int | None:
    """The rows of the embedding that a value indexes."""
    waiting, seen = [node], {node}
    while waiting:
        for user in waiting.pop().users:
            name = operator_name(user)
            if name == "embedding" and user.args[1] in seen:
                return int(user.args[0].meta["val"].shape[0])  # type: ignore[union-attr]
            if (
                name in ("_to_copy", "to", "clone", "view", "reshape", "unsqueeze", "squeeze", "slice")
                and user not in seen
            ):
                seen.add(user)
                waiting.append(user)
    return None


def declared_outputs(program: ExportedProgram) -> tuple[TensorSpec, ...]:
    """The outputs as the graph declares them, with symbols as names."""
    import torch

    found = []
    nodes = {each.name: each for each in program.graph.nodes}
    for index, name in enumerate(program.graph_signature.user_outputs):
        value = nodes[name].meta.get("val") if name in nodes else None
        if isinstance(value, torch.Tensor):
            shape = tuple(int(d) if isinstance(d, int) else str(d) for d in value.shape)
            found.append(TensorSpec(f"output{index}", str(value.dtype).removeprefix("torch."), shape))
    return tuple(found)


def output_names(program: ExportedProgram) -> tuple[str, ...]:
    """The names of a mapping's entries where the program gives one, else none."""
    spec = program.call_spec.out_spec
    context = getattr(spec, "context", None)
    if spec is not None and getattr(spec, "type", None) is dict and isinstance(context, list):
        return tuple(map(str, context))
    return ()


def within(size: int, limits: tuple[int, int]) -> int:
    """A size inside its bounds."""
    return max(limits[0], min(size, limits[1]))


def all_nodes(program: ExportedProgram) -> Any:
    """Every node of the graph and of its branches."""
    import torch

    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            yield from module.graph.nodes


def operator_name(node: Node) -> str:
    """The operator's plain name: `aten.conv2d.default` → `conv2d`."""
    target = node.target
    packet = getattr(target, "overloadpacket", None)
    if packet is not None:
        return str(packet).rpartition(".")[2]
    return str(getattr(target, "__name__", target))


def constants(program: ExportedProgram) -> int:
    """How many numbers the program's constants and buffers hold."""
    import torch

    held = [*program.constants.values(), *program.buffers()]
    return sum(each.numel() for each in held if isinstance(each, torch.Tensor) and each.is_floating_point())


def layers(program: ExportedProgram) -> tuple[tuple[str, str, int], ...]:
    """A row for each operator: name, operator, stored numbers it reads."""
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    sizes = {key: program.state_dict[name].numel() for key, name in names.items() if name in program.state_dict}
    rows = [
        (each.name, operator_name(each), sum(sizes.get(source.name, 0) for source in each.all_input_nodes))
        for each in program.graph.nodes
        if each.op == "call_function"
    ]
    return tuple(rows[:MANY_LAYERS])
