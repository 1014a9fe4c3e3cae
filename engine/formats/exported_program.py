"""Exported programs (`torch.export.save`): a zip archive that is read with care.

`torch.export.load` falls back to full unpickling, so a tampered file would run code. Every pickle
inside is therefore loaded with `weights_only` first, and archives that carry pickled weights,
torchbind constants or native code are refused.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.admission.archives import members
from engine.artifact import Artifact
from engine.errors import BadInput
from engine.formats.base import Format
from engine.spec import ModelSpec, Use

if TYPE_CHECKING:
    from torch.export import ExportedProgram


@dataclass(frozen=True)
class ExportedProgramFormat(Format):
    """A whole graph captured by torch.export, with its shapes and their ranges."""

    name = "exported-program"
    title = "Exported program"
    suffixes = (".pt2", ".ep")
    uploadable = True
    reference = Use("eager")
    requires = ("torch",)

    @classmethod
    def recognise(cls, path: Path) -> bool:
        names = members(path)
        new = any("/models/" in f"/{name}" and name.endswith(".json") for name in names)
        old = any(name.rpartition("/")[2] == "serialized_exported_program.json" for name in names)
        return new or old

    @classmethod
    def admit(cls, path: Path, folder: Path, options: Mapping[str, Any]) -> Artifact:
        from engine.admission.precision import of_tensors
        from engine.admission.program_trust import safe_copy

        copied = safe_copy(path, folder / "model.pt2")
        program = load(copied)
        artifact = Artifact(cls.name, copied, details=of_tensors(program.state_dict.values()))
        if not takes_tensors_in_order(program):
            save_flat(program, artifact.path)
        return artifact

    @classmethod
    def inspect(cls, artifact: Artifact, progress: Any) -> ModelSpec:
        from engine.inspection.program import inspect_program

        return inspect_program(artifact, progress)


def load(path: Path) -> ExportedProgram:
    """Load a program that was admitted or made here; raises BadInput when it is damaged or of another version."""
    import torch

    register_quantized_operators(path)
    try:
        return torch.export.load(str(path))
    except Exception as error:  # the deserializer raises whatever its field access trips over
        said = str(error).splitlines()[0] if str(error) else "no message"
        raise BadInput(
            f"This exported program can't be read by PyTorch {torch.__version__}: {type(error).__name__}: {said[:200]}",
            "Export it again with torch.export.save of this PyTorch version, or upload TorchScript or ONNX.",
        ) from error


def takes_tensors_in_order(program: ExportedProgram) -> bool:
    """Whether the program is called with plain values in order, without keywords, lists and dicts."""
    arguments, keywords = children(program.call_spec.in_spec)
    return keywords.num_children == 0 and all(each.is_leaf() for each in children(arguments))


def children(spec: Any) -> list[Any]:
    """The parts of a tree of inputs; a method in newer versions of PyTorch, an attribute in older ones."""
    return list(spec.children() if hasattr(spec, "children") else spec.children_specs)


def save_flat(program: ExportedProgram, path: Path) -> None:
    """Save the program with its nested and keyword inputs laid out in order, as its graph has them."""
    import torch
    from torch.utils import _pytree as pytree

    signature = program.module_call_graph[0].signature
    count = program.call_spec.in_spec.num_leaves
    signature.in_spec = pytree.tree_flatten((tuple(range(count)), {}))[1]
    signature.forward_arg_names = [f"input_{index}" for index in range(count)]
    if program.example_inputs is not None:
        program.example_inputs = (tuple(pytree.tree_leaves(program.example_inputs)), {})
    torch.export.save(program, path)


def register_quantized_operators(path: Path) -> None:
    """Make PyTorch know the operators of INT8 graphs, when this program has any."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        graphs = [each for each in archive.namelist() if each.endswith(".json") and "model" in each]
        if any(b"quantized_decomposed" in archive.read(each) for each in graphs):
            from torch.ao.quantization.fx import _decomposed  # noqa: F401  importing it registers them
