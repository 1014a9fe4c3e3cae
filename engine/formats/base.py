"""What a format is: how its files are recognised, refused or inspected, and how its reference runs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from engine.artifact import Artifact
from engine.plugin import Plugin
from engine.spec import ModelSpec, Use


@dataclass(frozen=True)
class Format(Plugin):
    """One kind of model file.

    `suffixes` is a hint for file dialogs; recognition goes by content. `reference` is the runtime,
    with options, that every variant of an upload of this format is compared with: FP32, TF32 off.
    Formats that are only ever made here (engines, compiled packages) are not `uploadable`.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    uploadable: ClassVar[bool] = False
    reference: ClassVar[Use | None] = None
    refusal: ClassVar[str] = ""
    instead: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def recognise(cls, path: Path) -> bool:
        """Whether the file's bytes look like this format. Executes and unpickles nothing."""

    @classmethod
    def admit(cls, path: Path, folder: Path, options: Mapping[str, Any]) -> Artifact:
        """Turn an upload into an artifact inside `folder`, or raise BadInput or RefusedFile.

        `options` may hold `architecture` and `arguments` for weights that need one, and `tell`, which
        is told how far it is and with what.
        """
        raise NotImplementedError

    @classmethod
    def preload(cls, artifact: Artifact) -> None:
        """Import what loading this artifact will import, without touching a device."""

    @classmethod
    def inspect(cls, artifact: Artifact, progress: Any) -> ModelSpec:
        """Open the artifact (in a worker only) and say what it is."""
        raise NotImplementedError
