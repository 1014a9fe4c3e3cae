"""What an uploaded ONNX file refers to, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from engine.errors import BadInput, Unsupported

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

STANDARD = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training")
KNOWN = (*STANDARD, "com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental", "org.pytorch.aten")


def tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Every stored tensor of a graph and its subgraphs."""
    yield from graph.initializer
    for each in graph.sparse_initializer:
        yield each.values
        yield each.indices
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from tensors(attribute.g)
            for graph_ in attribute.graphs:
                yield from tensors(graph_)


def external_files(model: ModelProto, path: Path) -> list[str]:
    """The files with external data, by their paths relative to the model.

    Raises BadInput when one leads out of the model's folder, is missing or is too short.
    """
    from onnx import TensorProto

    needed: dict[str, int] = {}
    for tensor in tensors(model.graph):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        facts = {each.key: each.value for each in tensor.external_data}
        location = facts.get("location", "")
        if not location or location.startswith(("/", "\\")) or ".." in PurePosixPath(location.replace("\\", "/")).parts:
            raise BadInput(
                f"The graph keeps weights in {location!r}, which is outside the model's folder.",
                "Save the model again with its external data beside it.",
            )
        end = number(facts.get("offset")) + number(facts.get("length"))
        needed[location] = max(needed.get(location, 0), end)
    for location, size in needed.items():
        beside = path.parent / location
        if not beside.is_file() or beside.is_symlink():
            raise BadInput(
                f"The graph keeps its weights in {location!r}, which is not there.",
                "Zip the .onnx file together with its data files and upload the zip.",
            )
        if beside.stat().st_size < size:
            raise BadInput(f"{location!r} ends before the weights do.", "Zip the model with its data files again.")
    return sorted(needed)


def number(text: str | None) -> int:
    """A whole number of the external data's facts; raises BadInput when it is none."""
    if text is None:
        return 0
    if not text.isdigit():
        raise BadInput(f"The graph gives {text!r} as a position in its data file.", "Save the model again.")
    return int(text)


def check(model: ModelProto, path: Path) -> None:
    """Raise BadInput for a graph without content, Unsupported for operators nobody here knows."""
    foreign = sorted({f"{each.domain}::{each.op_type}" for each in model.graph.node if is_foreign(model, each.domain)})
    if foreign:
        raise Unsupported(
            f"The graph uses operators that are not part of ONNX or ONNX Runtime: {', '.join(foreign[:3])}.",
            "Export the model without custom operators.",
        )
    if not model.graph.node:
        raise BadInput(f"{path.name} has a graph without operators.", "Export the model again.")
    if not model.graph.output:
        raise BadInput(f"{path.name} has a graph without outputs.", "Export the model again.")


def broken_rule(path: Path) -> str:
    """The first of ONNX's rules that a file breaks, in the checker's words, or nothing."""
    import onnx

    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, ValueError) as error:
        return first_sentence(str(error))
    return ""


def is_foreign(model: ModelProto, domain: str) -> bool:
    """Whether operators of a domain are neither standard nor defined in the model itself."""
    return domain not in KNOWN and domain not in {each.domain for each in model.functions}


def first_sentence(text: str) -> str:
    """The first line of a checker's message."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no details")[:300]
