"""The outline of a model's graph in Graphviz's language, in the reader's theme."""

from __future__ import annotations

from engine.model_graph import ENDS, ModelGraph, prefixes
from engine.plots.colours import MUTED, RULE, SURFACE, TEXT, Theme
from engine.plots.model_graph import Box, Outline, counted, last, parameters, shape_text, title
from engine.plots.theme import FONT

HEAVY = 0.1
"""A box that holds more than this part of all parameters has a thick border, and says how many it holds."""
WIDEST = 44


def dot(graph: ModelGraph, outline: Outline, *, theme: Theme = "light", inside: str = "") -> str:
    """Write the boxes from top to bottom; opened modules are frames around what they hold."""
    everything = sum(each.parameters for each in graph.nodes) or 1
    font = FONT.split(",")[0].strip("'")
    lines = [
        "digraph model {",
        'bgcolor="transparent"; rankdir=TB; nodesep=0.25; ranksep=0.28;',
        f'node [shape=box style="rounded,filled" fontname={quoted(font)} fontsize=12 margin="0.16,0.07" '
        f"color={quoted(RULE[theme])} fillcolor={quoted(SURFACE[theme])} fontcolor={quoted(TEXT[theme])}];",
        f"edge [color={quoted(MUTED[theme])} arrowsize=0.6];",
    ]
    frames = {path: number for number, path in enumerate(outline.opened)}
    lines += frame(graph, outline, inside, inside, frames, theme, everything)
    lines += [f"b{source} -> b{target};" for source, target in outline.edges]
    return "\n".join([*lines, "}"])


def frame(
    graph: ModelGraph, outline: Outline, path: str, root: str, frames: dict[str, int], theme: Theme, everything: int
) -> list[str]:
    """What lies directly in one opened module: its boxes, and the frames of the modules opened in it."""
    lines = [
        box_line(graph, box, number, theme, everything)
        for number, box in enumerate(outline.boxes)
        if innermost(box.path, frames, root) == path
    ]
    for inner, number in frames.items():
        if innermost(inner, frames, root) != path:
            continue
        name = " · ".join(filter(None, (inner, graph.modules.get(inner, ""))))
        lines += [
            f'subgraph cluster{number} {{ label={quoted(name)}; labeljust=l; style="rounded"; margin=12; fontsize=11; '
            f"color={quoted(RULE[theme])}; fontcolor={quoted(MUTED[theme])};",
            *frame(graph, outline, inner, root, frames, theme, everything),
            "}",
        ]
    return lines


def innermost(path: str, frames: dict[str, int], root: str) -> str:
    """The innermost frame that a path lies in."""
    return next((each for each in reversed(prefixes(path)) if each in frames), root)


def box_line(graph: ModelGraph, box: Box, number: int, theme: Theme, everything: int) -> str:
    """One box: what it is, what it holds, the shape it gives, and its path on hover."""
    shape = shape_text(last(graph, box).shape)
    first = f"{box.kind}: {box.path}" if box.kind in ENDS else title(box)
    text = [shorten(first), counted(graph, box), shape]
    heavy = parameters(graph, box) > HEAVY * everything
    style = f" penwidth=2 color={quoted(MUTED[theme])}" if heavy else ""
    hint = f"{box.path}\n{shape}".strip()
    return f"b{number} [label={quoted(chr(10).join(filter(None, text)))} tooltip={quoted(hint)}{style}];"


def shorten(text: str) -> str:
    """A long text with its end left out."""
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def quoted(text: str) -> str:
    """Text as a string of the language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
