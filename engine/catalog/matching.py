"""Which architecture do bare weights belong to? Found by the names and shapes of their tensors.

A state dict says nothing about its network, but its names and shapes do. Families of architectures
are ranked by how one member's names, without their numbers, agree with those of the weights; the
members of the best ones are then built without memory for their parameters and compared exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from time import monotonic
from typing import TYPE_CHECKING, Any

from engine import catalog
from engine.errors import BadInput

if TYPE_CHECKING:
    from torch import nn

SECONDS, MORE_SECONDS = 15.0, 3.0
LEAST_AGREEMENT = 0.5
FAMILIES_TRIED = 4
ODD_AT_MOST = 4
LISTED = 5

Shapes = Mapping[str, tuple[int, ...]]
Families = dict[str, list[list[str]]]
Fit = Callable[["nn.Module", str], Shapes]


@dataclass(frozen=True)
class Match:
    """An architecture with its arguments; `odd` names tensors that don't fit it, `alike` what fits as well."""

    architecture: str
    arguments: dict[str, Any] = field(default_factory=dict)
    odd: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()


def match(weights: Shapes, fitted: Fit, name: str = "") -> Match | None:
    """The architecture whose tensors have the names and shapes of the weights, or the nearest one.

    `fitted` gives the weights' shapes under the names that a module of an architecture expects, `name` is what the file
    is called: architectures whose name is in it come first. None when nothing comes near.
    """
    known = families()
    for architecture in hinted(name, known):
        found = compared(architecture, fitted)
        if found is not None and not found.odd:
            return found
    matches: list[Match] = []
    for group in known.values():
        ended = monotonic() + SECONDS
        near = ranked(weights, group, name)
        for architecture in sorted(near, key=lambda each: (-round(likeness(each, name), 1), len(each))):
            found = compared(architecture, fitted)
            matches += [found] if found is not None else []
            if found is not None and not found.odd:
                ended = min(ended, monotonic() + MORE_SECONDS)
            if monotonic() > ended:
                break
        if any(not each.odd for each in matches):
            break
    return best(matches)


def likeness(architecture: str, name: str) -> float:
    """How much an architecture is called like a file, 0 to 1."""
    return SequenceMatcher(None, own(architecture), plain(name)).ratio()


def best(matches: Sequence[Match]) -> Match | None:
    """The match with the fewest odd tensors, of several the shortest name; with what fits as well.

    Long names are variants of short ones (`tf_efficientnet_b0`), made for weights from elsewhere.
    """
    if not matches:
        return None
    first = min(matches, key=lambda each: (len(each.odd), len(own(each.architecture))))
    alike = tuple(each.architecture for each in matches if each is not first and len(each.odd) == len(first.odd))
    return Match(first.architecture, first.arguments, first.odd, alike if not first.odd else ())


def hinted(name: str, known: Families) -> list[str]:
    """Architectures whose own name is part of a file's name, the longest first."""
    said = plain(name)
    found = [each for group in known.values() for members in group for each in members]
    return sorted(
        (each for each in found if len(own(each)) > 2 and own(each) in said), key=lambda each: -len(own(each))
    )


def own(architecture: str) -> str:
    """An architecture's name without its source."""
    return plain(architecture.partition(".")[2])


def plain(name: str) -> str:
    """A name as it is compared: small letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def families() -> Families:
    """The full names of every source's architectures, one list a family; small sources come first."""
    found = {
        prefix: [[f"{prefix}.{each}" for each in members] for members in source.families()]
        for prefix, source in catalog.all_sources().items()
        if source.missing() is None
    }
    return dict(sorted(found.items(), key=lambda each: len(each[1])))


def ranked(weights: Shapes, group: Sequence[list[str]], name: str) -> list[str]:
    """The members of those families of a source of which one agrees best with the weights: the one most like the file.

    Agreement is of the tensors' names without numbers: those that both have, of those that either has.
    """
    wanted = patterns(weights)
    agreements: list[tuple[float, int, list[str]]] = []
    for members in group:
        alike = max(members, key=lambda each: likeness(each, name))
        module = next(filter(None, map(weightless, (alike, members[0]))), None)
        if module is not None:
            theirs = patterns(shapes(module))
            pairs = ((wanted, theirs), (stripped(wanted), theirs), (wanted, stripped(theirs)))
            agreement = max(len(ours & names) / len(ours | names) for ours, names in pairs)
            agreements.append((agreement, len(agreements), members))
    agreements.sort(key=lambda each: (-each[0], each[1]))
    near = [members for agreement, _, members in agreements[:FAMILIES_TRIED] if agreement >= LEAST_AGREEMENT]
    return [each for members in near for each in members]


def patterns(names: Shapes) -> set[str]:
    """Names with a sign for every number, so that depth and width don't matter."""
    return {re.sub(r"\d+", "#", each) for each in names}


def stripped(names: set[str]) -> set[str]:
    """Names without their first part, as training code often wraps a model."""
    return {each.partition(".")[2] or each for each in names}


def compared(architecture: str, fitted: Fit) -> Match | None:
    """How the weights fit one architecture, with the number of classes or channels they show; None when not nearly."""
    module = weightless(architecture)
    if module is None:
        return None
    arguments: dict[str, Any] = {}
    expected, ours = shapes(module), fitted(module, architecture)
    odd = differing(expected, ours)
    if 0 < len(odd) <= ODD_AT_MOST:
        shown = shown_by(expected, ours, odd)
        changed = weightless(architecture, shown) if shown else None
        if changed is not None:
            left = differing(shapes(changed), fitted(changed, architecture))
            odd, arguments = (left, shown) if len(left) < len(odd) else (odd, arguments)
    near = len(odd) <= ODD_AT_MOST and 2 * len(odd) < len(expected)
    return Match(architecture, arguments, tuple(odd)) if near else None


def differing(expected: Shapes, found: Shapes) -> list[str]:
    """The names that only one side has, and those with other shapes."""
    return [each for each in {**expected, **found} if expected.get(each) != found.get(each)]


def shown_by(expected: Shapes, found: Shapes, odd: Sequence[str]) -> dict[str, Any]:
    """Arguments that explain tensors of another shape: classes of the last layer, channels of the first."""
    arguments: dict[str, Any] = {}
    for name in odd:
        theirs, ours = expected.get(name, ()), found.get(name, ())
        if len(theirs) != len(ours) or not ours:
            continue
        if len(ours) == 4 and theirs[0] == ours[0] and theirs[2:] == ours[2:]:
            arguments["in_chans"] = ours[1]
        elif theirs[1:] == ours[1:]:
            arguments["num_classes"] = ours[0]
    return arguments


def weightless(architecture: str, arguments: Mapping[str, Any] | None = None) -> nn.Module | None:
    """An architecture whose parameters have shapes and no memory; None for one that can't be built."""
    try:
        with on_meta():
            return catalog.build(architecture, arguments or {})
    except BadInput:
        return None


@contextmanager
def on_meta() -> Iterator[None]:
    """Give parameters to the meta device as modules register them; buffers stay real, for code that reads them."""
    from torch import nn

    changed: Any = nn.Module
    register = changed.register_parameter

    def without_memory(module: nn.Module, name: str, param: nn.Parameter | None) -> None:
        if param is not None:
            param = nn.Parameter(param.detach().to("meta"), requires_grad=param.requires_grad)
        register(module, name, param)

    changed.register_parameter = without_memory
    try:
        yield
    finally:
        changed.register_parameter = register


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of everything in a module's state dict."""
    return {name: tuple(getattr(value, "shape", ())) for name, value in module.state_dict().items()}
