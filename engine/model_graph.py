"""A model's graph as inspection found it: operators in order, the modules they lie in, what feeds what.

A pure leaf module: `engine.spec` holds one of these for each model, `engine.plots` draws it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

MANY_NODES = 600
ENDS = ("Input", "Output")
SILENT = {
    "view", "reshape", "permute", "transpose", "t", "contiguous", "expand", "expand_as", "unsqueeze", "squeeze",
    "to", "_to_copy", "type_as", "cast", "identity", "clone", "detach", "detach_", "getitem", "__getitem__", "alias",
    "select", "slice", "lift_fresh_copy", "dropout", "dropout_", "constant", "shape", "size", "listconstruct",
    "tupleconstruct", "listunpack", "tupleunpack", "numtotensor", "int", "requires_grad_", "len",
    "gt", "lt", "eq", "ne", "ge", "le", "not", "is", "isnot", "dim", "is_floating_point",
}  # fmt: skip
"""Operators that only pass a value on or lay it out differently: drawn as part of their edge."""


@dataclass(frozen=True)
class GraphNode:
    """One box. `path` is unique and dotted like a module's name, `after` holds positions of what feeds it.

    `shape` is the first output's, empty where it is not known.
    """

    path: str
    kind: str
    after: tuple[int, ...] = ()
    shape: tuple[int | str, ...] = ()
    parameters: int = 0


@dataclass(frozen=True)
class ModelGraph:
    """Nodes in the order they run; `modules` gives the class of each module path that has one."""

    nodes: tuple[GraphNode, ...] = ()
    modules: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One operator as a format tells it. `call` tells apart several calls of one module."""

    path: str
    kind: str
    after: frozenset[int] = frozenset()
    shape: tuple[int | str, ...] = ()
    parameters: int = 0
    call: int = 0


def build(operations: Sequence[Operation], modules: dict[str, str]) -> ModelGraph:
    """Operators put together by the innermost module they belong to, silent ones left out.

    A graph of very many operators is put together by modules further out, until it is readable.
    """
    depth = max((each.path.count(".") + 1 for each in operations), default=0)
    nodes = grouped(operations, modules)
    while len(nodes) > MANY_NODES and depth > 1:
        depth -= 1
        cut = [replace(each, path=".".join(each.path.split(".")[:depth])) for each in operations]
        nodes = grouped(cut, modules)
    used = {prefix for each in nodes for prefix in prefixes(each.path)}
    return ModelGraph(tuple(nodes), {path: name for path, name in modules.items() if path in used})


def prefixes(path: str) -> list[str]:
    """Every module that a path lies in, from the outside in."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def grouped(operations: Sequence[Operation], modules: dict[str, str]) -> list[GraphNode]:
    """One node for each call of an innermost module, and for each operator that stands between modules."""
    containers = {prefix for each in operations for prefix in prefixes(each.path)}
    members: dict[tuple[object, ...], list[int]] = {}
    silent: dict[int, frozenset[int]] = {}
    for position, each in enumerate(operations):
        inner = bool(each.path) and each.path not in containers and each.kind not in ENDS
        if not inner and each.kind.lower() in SILENT:
            silent[position] = each.after
            continue
        members.setdefault((each.path, each.call) if inner else (position,), []).append(position)
    box_of = {position: number for number, group in enumerate(members.values()) for position in group}
    taken: Counter[str] = Counter()
    return [
        together(operations, key, group, modules, taken, number, box_of, silent)
        for number, (key, group) in enumerate(members.items())
    ]


def together(
    operations: Sequence[Operation],
    key: tuple[object, ...],
    group: list[int],
    modules: dict[str, str],
    taken: Counter[str],
    number: int,
    box_of: dict[int, int],
    silent: dict[int, frozenset[int]],
) -> GraphNode:
    """The node of one group of operators."""
    first, last = operations[group[0]], operations[group[-1]]
    inner = len(key) == 2
    kind = first.kind if len(group) == 1 else first.path.rpartition(".")[2]
    path = first.path if inner or first.kind in ENDS else f"{first.path}.{first.kind}".lstrip(".")
    taken[path] += 1
    sources = {box_of[each] for position in group for each in heard(operations[position].after, silent)}
    return GraphNode(
        path=path if taken[path] == 1 else f"{path}:{taken[path]}",
        kind=modules.get(first.path, kind) if inner else first.kind,
        after=tuple(sorted(sources - {number})),
        shape=last.shape,
        parameters=sum(operations[each].parameters for each in group),
    )


def heard(sources: frozenset[int], silent: dict[int, frozenset[int]]) -> set[int]:
    """The operators that really feed something, behind those that only pass values on."""
    found, waiting, seen = set(), list(sources), set(sources)
    while waiting:
        each = waiting.pop()
        if each in silent:
            waiting += silent[each] - seen
            seen |= silent[each]
        else:
            found.add(each)
    return found
