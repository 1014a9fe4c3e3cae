"""A step's context for tests: everything is given, warnings are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.data.prepared import Prepared
from engine.errors import BadInput
from engine.feeds import random_feeds
from engine.spec import ModelSpec


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
    warnings: list[str] = field(default_factory=list)

    def progress(self, fraction: float | None, text: str = "", **data: Any) -> None:
        pass

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def example(
        self, batch_size: int | None = None, seed: int | None = None, sizes: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        return random_feeds(self.spec, batch_size or self.static_batch or 2, self.seed if seed is None else seed, sizes)

    def dataset(self, split: str) -> Prepared:
        if self.data is None:
            raise BadInput("No data set.", "Choose one.")
        return self.data.split(split)

    def checkpoint(self) -> Path:
        return self.folder
