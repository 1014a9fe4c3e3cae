"""Bare weights: read without running anything, cleaned, and fitted into an architecture."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.admission.archives import place
from engine.artifact import Artifact
from engine.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.admission.upload import Tell

PREFIXES = ("module.", "_orig_mod.", "_forward_module.", "model.", "net.", "network.", "backbone.", "encoder.")
ALWAYS = ("module.", "_orig_mod.", "_forward_module.")
NESTED = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params",
    "module", "ema_state_dict", "state_dict_ema", "model_ema", "ema", "generator",
)  # fmt: skip
NEED = "Choose the architecture these weights belong to, or upload TorchScript, ONNX or an exported program."


@dataclass(frozen=True)
class Weights:
    """A state dict by name, what was done to get it, and what its file is called."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...] = field(default=())
    name: str = ""


def read_weights(path: Path) -> Weights:
    """Read safetensors or a pickled state dict; raises BadInput or RefusedFile."""
    from engine.admission.pickles import load_checkpoint
    from engine.formats.safetensors import is_safetensors, read_safetensors

    if is_safetensors(path):
        return Weights(read_safetensors(path), name=path.stem)
    return pick(load_checkpoint(path), path.name)


def pick(loaded: Any, name: str) -> Weights:
    """Find the state dict in what a checkpoint holds, and say what was left out."""
    notes: list[str] = []
    for _ in range(3):
        if not isinstance(loaded, Mapping):
            raise BadInput(
                f"{name} holds a {type(loaded).__name__}, not a model's weights.",
                "Save them with torch.save(model.state_dict(), path).",
            )
        if looks_like_state(loaded):
            break
        key = next((each for each in NESTED if isinstance(loaded.get(each), Mapping)), None)
        if key is None:
            raise BadInput(
                f"{name} holds no state dict; its entries are {', '.join(map(str, list(loaded)[:5])) or 'none'}.",
                "Save the weights with torch.save(model.state_dict(), path).",
            )
        left = [str(each) for each in loaded if each != key]
        if left:
            notes.append(f"Taken from the checkpoint's {key!r}; left out: {', '.join(left[:8])}.")
        loaded = loaded[key]
    return Weights(tensors_of(loaded, name, notes), tuple(notes), Path(name).stem)


def looks_like_state(value: Mapping[Any, Any]) -> bool:
    """Whether a mapping is a state dict: mostly tensors under dotted or plain names."""
    import torch

    tensors = sum(isinstance(each, torch.Tensor) for each in value.values())
    return tensors > 0 and not any(isinstance(value.get(each), Mapping) for each in NESTED)


def tensors_of(state: Mapping[Any, Any], name: str, notes: list[str]) -> dict[str, Tensor]:
    """The tensors of a state dict; anything else in it is left out and named."""
    import torch

    tensors = {str(key): each.detach() for key, each in state.items() if isinstance(each, torch.Tensor)}
    left = [str(key) for key, each in state.items() if not isinstance(each, torch.Tensor)]
    if left:
        notes.append(f"Not tensors, left out: {', '.join(left[:8])}.")
    if any(each.is_quantized or each.layout is not torch.strided for each in tensors.values()):
        raise BadInput(f"{name} holds quantized or sparse weights.", "Upload the original floating-point weights.")
    return tensors


def fit_weights(
    folder: Path,
    weights: Weights,
    architecture: str = "",
    arguments: Mapping[str, Any] | None = None,
    tell: Tell = lambda fraction, text: None,
) -> Artifact:
    """Make a torch-module of an architecture and weights; raises BadInput naming the keys that don't fit.

    Without an architecture, one is looked for.
    """
    from engine import catalog
    from engine.formats import torch_module

    found: list[str] = []
    arguments = arguments or {}
    if not architecture:
        tell(0.1, "Looking for the architecture of these weights")
        architecture, arguments, found = identified(weights, arguments)
    module = catalog.build(architecture, arguments)
    expected = dict(module.state_dict())
    tensors, notes = under_its_names(architecture, module, weights)
    complain(architecture, tensors, expected, configured=bool(arguments))
    more: list[str] = []
    stored = {str(each.dtype).removeprefix("torch.") for each in tensors.values() if each.is_floating_point()}
    if stored - {"float32"}:
        more.append(f"Weights stored as {', '.join(sorted(stored - {'float32'}))} were widened: FP32 is the reference.")
    module.load_state_dict(tensors)
    torch_module.write(folder / "model", architecture, arguments, module.state_dict())
    carry(folder, architecture)
    details = {"notes": [*weights.notes, *found, *notes, *more]}
    return Artifact(torch_module.TorchModule.name, folder / "model", details=details)


def under_its_names(architecture: str, module: nn.Module, weights: Weights) -> tuple[dict[str, Tensor], list[str]]:
    """The weights by the names that an architecture's module has for them, and what was done for it."""
    from engine import catalog

    source, _ = catalog.source_of(architecture)
    expected = dict(module.state_dict())
    tensors, notes = rename(dict(source.renamed(module, weights.tensors)), expected)
    tensors, more = complete(tensors, expected, module)
    return tensors, [*notes, *more]


def identified(weights: Weights, arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], list[str]]:
    """The architecture that the weights' names and shapes show, its arguments, and a note that says so.

    Raises BadInput when nothing fits, naming what comes nearest.
    """
    from engine.catalog import matching

    def fitted(module: nn.Module, architecture: str) -> matching.Shapes:
        return {name: tuple(each.shape) for name, each in under_its_names(architecture, module, weights)[0].items()}

    found = matching.match({name: tuple(each.shape) for name, each in weights.tensors.items()}, fitted, weights.name)
    if found is None:
        raise BadInput("These are weights without an architecture, and they fit none that is known here.", NEED)
    called = ", ".join(f"{name}={value}" for name, value in found.arguments.items())
    title = f"{found.architecture}({called})" if called else found.architecture
    if found.odd:
        raise BadInput(
            f"These are weights without an architecture. They nearly fit {title}, but for {', '.join(found.odd)}.",
            "Upload TorchScript, ONNX or an exported program, or have this network added to the operator's own.",
        )
    alike = f"; so would {', '.join(found.alike[: matching.LISTED])}" if found.alike else ""
    note = f"The weights have the names and shapes of {title}, which was chosen{alike}."
    return found.architecture, {**found.arguments, **arguments}, [note]


def carry(folder: Path, architecture: str) -> None:
    """Put the files that an architecture brings along, such as its tokenizer, beside the artifact."""
    from engine import catalog

    source, name = catalog.source_of(architecture)
    for each in source.assets(name):
        place(each, folder / each.name)


def rename(tensors: dict[str, Tensor], expected: Mapping[str, Any]) -> tuple[dict[str, Tensor], list[str]]:
    """Strip or add the prefix that makes the names fit, and say so."""
    notes = []
    best, change = tensors, ""
    for _ in range(3):
        for prefix in PREFIXES:
            if best and all(each.startswith(prefix) for each in best) and prefix in ALWAYS:
                best = {each.removeprefix(prefix): value for each, value in best.items()}
                notes.append(f"The prefix {prefix!r} was stripped from the names.")
    overlap = len(best.keys() & expected.keys())
    chosen = best
    for prefix in PREFIXES:
        shorter = {each.removeprefix(prefix): value for each, value in best.items() if each.startswith(prefix)}
        longer = {prefix + each: value for each, value in best.items()}
        for trial, text in ((shorter, f"The prefix {prefix!r} was stripped from the names."), (longer, "")):
            if len(trial.keys() & expected.keys()) > overlap:
                overlap, chosen, change = len(trial.keys() & expected.keys()), trial, text
                dropped = [each for each in best if not each.startswith(prefix)] if trial is shorter else []
                if dropped:
                    change = f"Only the weights under {prefix!r} were used; left out: {', '.join(dropped[:5])}."
    return chosen, [*notes, *([change] if change else [])]


def complete(
    tensors: dict[str, Tensor], expected: Mapping[str, Any], module: nn.Module
) -> tuple[dict[str, Tensor], list[str]]:
    """Fill in what older checkpoints lack and drop what newer architectures compute themselves."""
    full, notes = dict(tensors), []
    for key, value in expected.items():
        if key not in full and key.endswith("num_batches_tracked"):
            full[key] = value
    tied = tied_names(module)
    for key in [each for each in expected if each not in full]:
        twin = next((each for each in tied.get(key, ()) if each in full), None)
        if twin:
            full[key] = full[twin]
    surplus = [
        each for each in full if each not in expected and each.endswith(("position_ids", "attn.bias", "masked_bias"))
    ]
    for each in surplus:
        del full[each]
    if surplus:
        notes.append(f"Buffers that the architecture computes itself were left out: {', '.join(surplus[:5])}.")
    return full, notes


def tied_names(module: nn.Module) -> dict[str, tuple[str, ...]]:
    """Every name of a tensor that has several, with its other names."""
    groups: dict[int, list[str]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if hasattr(tensor, "data_ptr"):
            groups.setdefault(id(tensor), []).append(name)
    return {name: tuple(each for each in group if each != name) for group in groups.values() for name in group}


def complain(architecture: str, tensors: Mapping[str, Any], expected: Mapping[str, Any], *, configured: bool) -> None:
    """Raise BadInput when names or shapes differ, naming the first few."""
    missing = [each for each in expected if each not in tensors]
    surplus = [each for each in tensors if each not in expected]
    wrong = [
        f"{key} is {tuple(tensors[key].shape)}, expected {tuple(value.shape)}"
        for key, value in expected.items()
        if key in tensors and hasattr(value, "shape") and tensors[key].shape != value.shape
    ]
    if not (missing or surplus or wrong):
        return
    parts = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for names, what in ((missing, "missing"), (surplus, "unexpected"), (wrong, "of another shape"))
        if names
    ]
    hint = advice(missing, surplus, wrong)
    if architecture.startswith("transformers.") and not configured:
        hint = "Zip the weights together with their config.json and upload the zip."
    raise BadInput(f"The weights do not fit {architecture}: {'; '.join(parts)}.", hint)


def advice(missing: list[str], surplus: list[str], wrong: list[str]) -> str:
    """What to do about weights that don't fit."""
    if wrong and not missing and not surplus:
        return "Give the architecture's arguments, such as num_classes, or choose another size of it."
    if missing and surplus:
        near = difflib.get_close_matches(missing[0], surplus, n=1, cutoff=0.8)
        if near:
            return f"{near[0]} in the file may be {missing[0]}: check the version of the architecture."
    return "Choose the architecture the weights were trained with, and its arguments."
