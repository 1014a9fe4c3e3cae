"""TorchScript: a zip archive with `constants.pkl` and the program's code."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.admission.archives import members, place
from engine.artifact import Artifact
from engine.errors import BadInput
from engine.formats.base import Format
from engine.spec import ModelSpec, Use

if TYPE_CHECKING:
    from torch.jit import ScriptModule


@dataclass(frozen=True)
class TorchScript(Format):
    """A scripted or traced module with its code: runs without the Python it came from."""

    name = "torchscript"
    title = "TorchScript"
    suffixes = (".pt", ".jit", ".ts", ".torchscript", ".pth")
    uploadable = True
    reference = Use("torchscript", {"optimize": False})
    requires = ("torch",)

    @classmethod
    def recognise(cls, path: Path) -> bool:
        inside = {name.partition("/")[2] for name in members(path)}
        return "constants.pkl" in inside and "data.pkl" in inside

    @classmethod
    def admit(cls, path: Path, folder: Path, options: Mapping[str, Any]) -> Artifact:
        from engine.admission.listed_inputs import batched, listed
        from engine.admission.precision import of_tensors

        placed = place(path, folder / "model.pt")
        module = load(placed)
        details = of_tensors(module.parameters())
        lists = listed(module)
        if lists:
            placed.unlink()
            batched(module).save(str(placed))
            details["notes"] = [f"It takes a list of tensors as {', '.join(lists)}; here it is given a batch."]
        return Artifact(cls.name, placed, details=details)

    @classmethod
    def inspect(cls, artifact: Artifact, progress: Any) -> ModelSpec:
        from engine.inspection.script import inspect_script

        return inspect_script(artifact, progress)


def load(path: Path) -> ScriptModule:
    """Load a script on the CPU in eval mode; raises BadInput when the file is damaged or needs more."""
    try:
        module = opened(path)
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise explained(error) from error
        import torchvision  # noqa: F401  registers the operators that detectors call

        try:
            module = opened(path)
        except RuntimeError as again:
            raise explained(again) from again
    except (ValueError, UnicodeDecodeError, EOFError) as error:
        raise explained(error) from error
    if hasattr(module, "training"):
        module.eval()
    return module


def opened(path: Path) -> ScriptModule:
    """`torch.jit.load` without the warning that it is old."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*torch.jit.*")
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*torch.jit.*")
        module: ScriptModule = torch.jit.load(str(path), map_location="cpu")
        return module


def explained(error: Exception) -> BadInput:
    """Say what kept a script from loading."""
    text = str(error)
    if "keyword attribute 'value' is undefined" in text:
        return BadInput(
            "This TorchScript file was saved after optimize_for_inference, which drops the weights from the file.",
            "Save the script before that call; here it is an option of the TorchScript runtime.",
        )
    unknown = next((line.strip() for line in text.splitlines() if "Unknown builtin op" in line), "")
    if unknown or "Unknown type name" in text:
        return BadInput(
            f"This TorchScript file uses an operator that is not installed here: {unknown or 'a custom class'}",
            "Install the package that registers it, or save the model without custom operators.",
        )
    return BadInput(
        "This TorchScript file is damaged or incomplete.", "Save it again with torch.jit.save and upload it again."
    )
