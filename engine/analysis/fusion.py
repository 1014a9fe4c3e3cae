"""Layer fusion made visible: which original layers each executed layer came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Inductor names its kernels by what it fused: triton_poi_fused_add_relu_3, cpp_fused__softmax_add_1.
INDUCTOR = re.compile(r"^(?:triton_[a-z]+|cpp)_fused_(?P<operators>.+?)_\d+$")
WORDS = re.compile(
    r"(?:^|_)(_?[a-z][a-z0-9]*(?:_(?:out|dot|product|attention|layer|norm|group|batch|copy|heads?|backward))*)"
)


@dataclass(frozen=True)
class Fused:
    """One executed layer and the original layers it does the work of."""

    name: str
    origin: tuple[str, ...]
    precision: str = ""
    ms: float | None = None


@dataclass(frozen=True)
class Fusion:
    """Layers before and after; `groups` are the executed layers that came from several."""

    before: int | None
    after: int
    groups: tuple[Fused, ...]


def fusion(layers: Sequence[Mapping[str, Any]], before: int | None = None) -> Fusion:
    """What was fused in a profile's layers, the largest groups first.

    `before` is the number of original layers; where it is not given, it is counted from the origins
    and from the layers that have none.
    """
    rows = [Fused(str(each["name"]), origin_of(each), each.get("precision", ""), each.get("ms")) for each in layers]
    if before is None and any(each.origin for each in rows):
        named = {name for each in rows for name in each.origin}
        before = len(named) + sum(not each.origin for each in rows)
    groups = sorted((each for each in rows if len(each.origin) > 1), key=lambda each: -len(each.origin))
    return Fusion(before, len(rows), tuple(groups))


def origin_of(layer: Mapping[str, Any]) -> tuple[str, ...]:
    """The original layers: as the runtime reports them, else as Inductor's kernel names tell."""
    reported = tuple(layer.get("origin") or ())
    return reported or inductor_origin(str(layer.get("name", "")))


def inductor_origin(name: str) -> tuple[str, ...]:
    """The operators in the name of a kernel that Inductor generated, or nothing."""
    match = INDUCTOR.match(name)
    return tuple(WORDS.findall(match["operators"])) if match else ()


def precisions(layers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many executed layers run at each precision."""
    counts: dict[str, int] = {}
    for each in layers:
        if each.get("precision"):
            counts[str(each["precision"])] = counts.get(str(each["precision"]), 0) + 1
    return counts
