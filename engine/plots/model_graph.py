"""A model's graph as a few boxes: modules opened as far as there is room, repeated ones drawn once.

`outline` chooses the boxes, `dot` writes them in Graphviz's language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.analysis import numbers
from engine.model_graph import ENDS, GraphNode, ModelGraph, prefixes

ROOM = 18
MOST = 48
LONGEST_PATTERN = 12


@dataclass(frozen=True)
class Box:
    """One box: a node, a module, or several alike that follow each other (`repeats`).

    `members` are positions in the graph; `path` is the module or node, of the first one where several are alike.
    """

    path: str
    kind: str
    members: tuple[int, ...]
    repeats: int = 1


@dataclass(frozen=True)
class Outline:
    """The boxes in the order they run, the edges between them, and the modules that were opened."""

    boxes: tuple[Box, ...]
    edges: tuple[tuple[int, int], ...]
    opened: tuple[str, ...]


def outline(graph: ModelGraph, inside: str = "") -> Outline:
    """The boxes of the whole graph, or of one module of it."""
    chosen = [n for n, each in enumerate(graph.nodes) if not inside or each.path.startswith(f"{inside}.")]
    opened: set[str] = set()
    refused: set[str] = set()
    boxes = level(graph, chosen, inside, opened)
    while closed := [each for each in boxes if openable(graph, each) and each.path not in refused]:
        largest = max(closed, key=lambda box: len(box.members))
        trial = level(graph, chosen, inside, opened | {largest.path})
        if len(trial) <= max(ROOM, len(boxes)):
            boxes, opened = trial, opened | {largest.path}
        else:
            refused.add(largest.path)
    if len(boxes) > MOST:
        boxes = bundled(graph, boxes)
    return Outline(tuple(boxes), edges(graph, boxes), tuple(sorted(opened)))


def openable(graph: ModelGraph, box: Box) -> bool:
    """Whether a box is one module that holds something."""
    return box.repeats == 1 and graph.nodes[box.members[0]].path != box.path


def level(graph: ModelGraph, chosen: Sequence[int], inside: str, opened: set[str]) -> list[Box]:
    """A box for each outermost module that is not opened, and for each node between; alike neighbours put together."""
    groups: dict[str, list[int]] = {}
    for position in chosen:
        path = graph.nodes[position].path
        around = [each for each in prefixes(path) if len(each) > len(inside) and each not in opened]
        groups.setdefault(around[0] if around else path, []).append(position)
    boxes = [Box(path, kind_of(graph, path, members), tuple(members)) for path, members in groups.items()]
    alike = repeated(graph, boxes, exactly=True)
    return alike if len(alike) <= ROOM else repeated(graph, boxes, exactly=False)


def kind_of(graph: ModelGraph, path: str, members: Sequence[int]) -> str:
    """The class of a module, or the operator of a node."""
    if len(members) == 1 and graph.nodes[members[0]].path == path:
        return graph.nodes[members[0]].kind
    return graph.modules.get(path, "")


def signature(graph: ModelGraph, box: Box, *, exactly: bool) -> tuple[object, ...]:
    """What makes boxes alike: the module around them, kinds and names of what they hold; and how many numbers."""
    parent = box.path.rpartition(".")[0]
    held = tuple((graph.nodes[each].path.removeprefix(box.path), graph.nodes[each].kind) for each in box.members)
    size = parameters(graph, box) if exactly else None
    return (parent, held, size) if len(box.members) > 1 else (parent, graph.nodes[box.members[0]].kind, size)


def repeated(graph: ModelGraph, boxes: list[Box], *, exactly: bool) -> list[Box]:
    """The boxes with patterns that follow each other put together: modules alone, or short runs of operators."""
    signatures = [signature(graph, each, exactly=exactly) for each in boxes]
    found: list[Box] = []
    start = 0
    while start < len(boxes):
        period, count = longest_repeat(signatures, start)
        if count < 2 or boxes[start].kind in ENDS:
            found.append(boxes[start])
            start += 1
            continue
        run = boxes[start : start + period * count]
        kind = ", ".join(each.kind or tail(each.path) for each in run[:period])
        found.append(Box(run[0].path, kind, tuple(m for each in run for m in each.members), count))
        start += len(run)
    return found


def longest_repeat(signatures: Sequence[object], start: int) -> tuple[int, int]:
    """The pattern from `start` on that covers most when repeated: its length, and how often it occurs."""
    best = (1, 1)
    for period in range(1, LONGEST_PATTERN + 1):
        pattern, count = signatures[start : start + period], 1
        while signatures[start + count * period : start + (count + 1) * period] == pattern:
            count += 1
        if count > 1 and period * count > best[0] * best[1]:
            best = (period, count)
    return best


def bundled(graph: ModelGraph, boxes: list[Box]) -> list[Box]:
    """Boxes next to each other put together where there are too many to read."""
    size = -(-len(boxes) // MOST)
    found = [each for each in boxes if each.kind == "Input"]
    inner = [each for each in boxes if each.kind not in ENDS]
    for start in range(0, len(inner), size):
        group = inner[start : start + size]
        counts = Counter(each.kind or tail(each.path) for each in group)
        kind = ", ".join(f"{number} × {name}" if number > 1 else name for name, number in counts.most_common(4))
        found.append(Box(group[0].path, kind, tuple(m for each in group for m in each.members)))
    return [*found, *(each for each in boxes if each.kind == "Output")]


def edges(graph: ModelGraph, boxes: Sequence[Box]) -> tuple[tuple[int, int], ...]:
    """Which box feeds which."""
    place = {member: number for number, box in enumerate(boxes) for member in box.members}
    pairs = [
        (place[source], place[member])
        for member in place
        for source in graph.nodes[member].after
        if source in place and place[source] != place[member]
    ]
    return tuple(dict.fromkeys(pairs))


def modules(graph: ModelGraph) -> list[str]:
    """Every module that can be looked into, from the outside in; of repeated ones the first."""
    found, seen = [], set()
    for path in dict.fromkeys(prefix for each in graph.nodes for prefix in prefixes(each.path)):
        inner = tuple((e.path.removeprefix(path), e.kind) for e in graph.nodes if e.path.startswith(f"{path}."))
        if len(inner) > 1 and inner not in seen:
            found.append(path)
        seen.add(inner)
    return found


def tail(path: str) -> str:
    """The last part of a path, without the number that tells equal ones apart."""
    return path.rpartition(".")[2].partition(":")[0]


def shape_text(shape: Sequence[int | str]) -> str:
    """A shape as people write it."""
    return " × ".join(map(str, shape))


def parameters(graph: ModelGraph, box: Box) -> int:
    """How many stored numbers a box reads."""
    return sum(graph.nodes[each].parameters for each in box.members)


def last(graph: ModelGraph, box: Box) -> GraphNode:
    """The node whose shape a box shows."""
    return graph.nodes[box.members[-1]]


def title(box: Box) -> str:
    """What stands first in a box."""
    name = tail(box.path)
    if box.repeats > 1:
        return f"{box.repeats} × {box.kind or name}"
    return name if name.isdigit() and not box.kind else box.kind or name


def counted(graph: ModelGraph, box: Box) -> str:
    """The parameters of a box in words, or nothing."""
    number = parameters(graph, box)
    return f"{numbers.count(number)} parameters" if number else ""
