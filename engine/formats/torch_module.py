"""A PyTorch module as a folder: its architecture by name, what was done to it, and its weights.

    model.json            {"architecture", "arguments", "applied": [records], "shared": {alias: name}}
    weights.safetensors   plain tensors
    weights.obdc          in its place: the same tensors, pruned, shared and entropy-coded (engine/coding)
    extra.pt              tensors safetensors can't hold (packed or quantized), when there are any

Made by our own workers only; what users upload as weights becomes such a folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.artifact import Artifact
from engine.errors import StepFailed
from engine.formats.base import Format
from engine.spec import ModelSpec, Use

if TYPE_CHECKING:
    from torch import Tensor, nn

MODEL, WEIGHTS, EXTRA = "model.json", "weights.safetensors", "extra.pt"
COMPRESSED = "weights.obdc"
PROGRAM, GRAPH = "@exported-program", "@onnx"
CARRIED = ("program.pt2", "graph.onnx", "graph.onnx.data")


@dataclass(frozen=True)
class TorchModule(Format):
    """Weights with an architecture: what pruning, fine-tuning and distillation need."""

    name = "torch-module"
    title = "PyTorch module"
    reference = Use("eager")
    requires = ("torch",)

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return False  # such folders are made here, from weights and an architecture

    @classmethod
    def preload(cls, artifact: Artifact) -> None:
        import torch  # noqa: F401

        architecture = read_model(artifact.path)["architecture"]
        if architecture not in (PROGRAM, GRAPH):
            from engine import catalog

            source, name = catalog.source_of(architecture)
            source.preload(name)

    @classmethod
    def inspect(cls, artifact: Artifact, progress: Any) -> ModelSpec:
        from engine.inspection.module import inspect_module

        return inspect_module(artifact, progress)


def read_model(folder: Path) -> dict[str, Any]:
    """Read `model.json`."""
    model: dict[str, Any] = json.loads((folder / MODEL).read_text())
    return model


def load(folder: Path) -> nn.Module:
    """Build the module and load its weights: on the CPU, in eval mode, called with inputs in order.

    Structural steps are replayed before the weights load. Raises BadInput when the architecture is
    unknown and StepFailed when the weights don't fit what was replayed.
    """
    model = read_model(folder)
    module = build(folder, model)
    for record in model["applied"]:
        module = replay(module, record)
    load_weights(module, folder, model.get("shared", {}))
    return module.eval()


def build(folder: Path, model: Mapping[str, Any]) -> nn.Module:
    """Build the bare module, before any step was applied to it."""
    architecture = model["architecture"]
    if architecture in (PROGRAM, GRAPH):
        from engine.conversion import carried

        read = carried.load_program if architecture == PROGRAM else carried.load_graph
        captured: nn.Module = read(folder / (CARRIED[0] if architecture == PROGRAM else CARRIED[1]))
        return captured
    from engine import catalog

    return catalog.build(architecture, model.get("arguments", {}))


def replay(module: nn.Module, record: Mapping[str, Any]) -> nn.Module:
    """Repeat one recorded step on the structure."""
    from engine.steps import step_for

    step = step_for(record["step"], TorchModule.name)
    if step is None:
        raise StepFailed(
            f"This module was changed by the step {record['step']!r}, which is not installed here.",
            "Install the plugin that provides it, or build the module again.",
        )
    changed: nn.Module = step.replay(module, record)
    return changed


def load_weights(module: nn.Module, folder: Path, shared: Mapping[str, str]) -> None:
    """Load stored tensors into a module of the same structure, keeping the stored precision."""
    import torch

    plain = stored_tensors(folder)
    plain.update({alias: plain[name] for alias, name in shared.items()})
    extra: dict[str, Any] = {}
    if (folder / EXTRA).exists():
        extra = torch.load(folder / EXTRA, map_location="cpu", weights_only=False)  # written by our own workers only
    adopt_precision(module, plain)
    try:
        fit = module.load_state_dict(plain, strict=False)
        if extra:
            module.load_state_dict(extra, strict=False, assign=True)
    except RuntimeError as error:
        raise StepFailed(f"The stored weights do not fit the module: {error}.", "Build the module again.") from error
    missing = [each for each in fit.missing_keys if each not in extra]
    if missing or fit.unexpected_keys:
        raise StepFailed(
            f"The stored weights do not fit the module: missing {missing[:3]}, unexpected {fit.unexpected_keys[:3]}.",
            "Build the module again.",
        )


def stored_tensors(folder: Path) -> dict[str, Tensor]:
    """The plain tensors by name, decoded where they are stored compressed; raises BadInput on damage."""
    import torch
    from safetensors.torch import load_file

    if not (folder / COMPRESSED).exists():
        return load_file(str(folder / WEIGHTS))
    from engine.coding import container

    values = container.read(folder / COMPRESSED).values()
    return {name: torch.from_numpy(each) for name, each in values.items()}


def adopt_precision(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give every parameter and buffer the dtype it was stored in; `load_state_dict` alone would cast back."""
    for name, tensor in module.state_dict(keep_vars=True).items():
        stored = state.get(name)
        if stored is not None and hasattr(tensor, "dtype") and tensor.dtype != stored.dtype:
            tensor.data = tensor.data.to(stored.dtype)


def save(folder: Path, module: nn.Module, source: Path, record: Mapping[str, Any] | None) -> Path:
    """Write a module derived from the one in `source`; returns `folder`.

    `record` ({"step": name, ...}) is what `Step.replay` needs to repeat the change to the structure;
    None when only values changed.
    """
    model = read_model(source)
    folder.mkdir(parents=True, exist_ok=True)
    for each in CARRIED:
        if (source / each).exists():
            shutil.copyfile(source / each, folder / each)
    if record is not None:
        model["applied"] = [*model["applied"], dict(record)]
    return finish(folder, model, module.state_dict())


def write(folder: Path, architecture: str, arguments: Mapping[str, Any], state: Mapping[str, Any]) -> Path:
    """Write a fresh torch-module from an architecture's name and its weights; returns `folder`.

    With `@exported-program` or `@onnx` the caller puts `program.pt2` or `graph.onnx` into the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return finish(folder, {"architecture": architecture, "arguments": dict(arguments), "applied": []}, state)


def finish(folder: Path, model: dict[str, Any], state: Mapping[str, Any]) -> Path:
    """Write weights and `model.json`, the latter last."""
    import torch
    from safetensors.torch import save_file

    plain, extra, shared = sort_state(state)
    save_file(plain, str(folder / WEIGHTS))
    if extra:
        torch.save(extra, folder / EXTRA)
    (folder / MODEL).write_text(json.dumps({**model, "shared": shared}, indent=1))
    return folder


def sort_state(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, str]]:
    """Split a state dict into plain tensors, everything else, and aliases of shared tensors."""
    import torch

    plain: dict[str, Tensor] = {}
    extra: dict[str, Any] = {}
    shared: dict[str, str] = {}
    seen: dict[tuple[Any, ...], str] = {}
    for name, value in state.items():
        is_plain = (
            isinstance(value, torch.Tensor)
            and type(value) in (torch.Tensor, torch.nn.Parameter)
            and value.layout is torch.strided
            and not value.is_quantized
        )
        if not is_plain:
            extra[name] = value
            continue
        tensor = value.detach()
        place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if tensor.numel() and place in seen:
            shared[name] = seen[place]
            continue
        seen[place] = name
        plain[name] = tensor.cpu().contiguous().clone(memory_format=torch.contiguous_format)
    return plain, extra, shared
