"""A Hugging Face model folder: `config.json` and `model.safetensors`, with a tokenizer perhaps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.admission.archives import place
from engine.artifact import Artifact
from engine.errors import BadInput, RefusedFile
from engine.formats.base import Format

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class HuggingFace(Format):
    """A transformers model as it lies in a repository; becomes a PyTorch module."""

    name = "hugging-face"
    title = "Hugging Face folder"
    suffixes = (".zip",)
    uploadable = True
    requires = ("transformers",)

    @classmethod
    def recognise(cls, path: Path) -> bool:
        if not path.is_dir() or not (path / "config.json").is_file():
            return False
        try:
            config = json.loads((path / "config.json").read_text())
        except ValueError:
            return False
        return isinstance(config, dict) and "model_type" in config

    @classmethod
    def admit(cls, path: Path, folder: Path, options: Mapping[str, Any]) -> Artifact:
        from engine.admission.weights import Weights, fit_weights, read_weights

        config = json.loads((path / "config.json").read_text())
        if "auto_map" in config:
            raise RefusedFile(
                "This model brings its own Python code (auto_map), which is not run.",
                "Upload it as TorchScript, ONNX or an exported program.",
            )
        architecture = (
            options.get("architecture") or f"transformers.{(config.get('architectures') or ['AutoModel'])[0]}"
        )
        arguments = {"config": config, **options.get("arguments", {})}
        parts = [read_weights(each) for each in weight_files(path)]
        tensors = {name: tensor for each in parts for name, tensor in each.tensors.items()}
        weights = Weights(tensors, tuple(note for each in parts for note in each.notes))
        artifact = fit_weights(folder, weights, architecture, arguments)
        if (path / "tokenizer.json").is_file():
            place(path / "tokenizer.json", folder / "tokenizer.json")
        return artifact


def weight_files(folder: Path) -> list[Path]:
    """The files with the weights, which may be split into several; raises BadInput when one is missing."""
    for each in WEIGHTS:
        if (folder / each).is_file():
            return [folder / each]
        index = folder / f"{each}.index.json"
        if index.is_file():
            names = sorted(set(json.loads(index.read_text()).get("weight_map", {}).values()))
            lost = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
            if lost or not names:
                raise BadInput(
                    f"The weights are split into {len(names)} files, and {', '.join(lost[:3]) or 'none'} is missing.",
                    "Zip the whole folder.",
                )
            return [folder / name for name in names]
    raise BadInput("The folder has config.json but no model.safetensors.", "Add the weights to the zip.")
