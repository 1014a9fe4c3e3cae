"""A step's context for tests: everything is given, warnings are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.artifact import Artifact
from engine.data.prepared import Prepared
from engine.errors import BadInput
from engine.feeds import random_feeds
from engine.spec import ModelSpec
from engine.steps.base import Samples


@dataclass
class GivenContext:
    """What the steps under test read."""

    spec: ModelSpec
    folder: Path
    device: str = "cuda:0"
    static_batch: int | None = None
    batch_range: tuple[int, int, int] = (1, 4, 8)
    data: Prepared | None = None
    seed: int = 0
    threads: int = 1
    warnings: list[str] = field(default_factory=list)

    def progress(self, fraction: float | None, text: str = "", **data: Any) -> None:
        pass

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def example(
        self, batch_size: int | None = None, seed: int | None = None, sizes: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        return random_feeds(self.spec, batch_size or self.static_batch or 2, self.seed if seed is None else seed, sizes)

    def dataset(self, split: Literal["train", "validation", "calibration"]) -> Samples:
        if self.data is None:
            raise BadInput("No data set.", "Choose one.")
        samples: Any = self.data.split(split)
        return samples  # type: ignore[no-any-return]

    def checkpoint(self) -> Path:
        return self.folder

    def cache(self, name: str) -> Path:
        return self.folder

    def model(self, reference: str) -> Artifact:
        raise BadInput("No teacher.", "Choose one.")

    def has_dataset(self) -> bool:
        return self.data is not None

    def cancelled(self) -> bool:
        return False
