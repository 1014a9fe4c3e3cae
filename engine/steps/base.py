"""What a step is: it turns an artifact of one format into one of another, or of the same."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from engine.artifact import Artifact
from engine.plugin import Plugin
from engine.spec import ModelSpec

Uses = Literal["examples", "sample", "batch", "dataset", "teacher", "seed", "device", "threads"]


class Samples(Protocol):
    """A prepared data set: the model's inputs as arrays, and labels where there are any.

    `feeds` maps each input name to an array (samples, ...); `labels` is (samples,) of int64 or None.
    """

    name: str
    digest: str
    feeds: Mapping[str, np.ndarray]
    labels: np.ndarray | None

    def __len__(self) -> int: ...


class Context(Protocol):
    """What a step may read and where it may write.

    Whatever a step reads here it declares in `uses`, because it becomes part of the cache key; the
    context raises on anything undeclared. `progress` and `log` are free.
    """

    spec: ModelSpec
    folder: Path

    def progress(self, fraction: float | None, text: str = "", **data: Any) -> None:
        """Say how far the step is (0 to 1, None for unknown); `data` feeds live curves."""

    def warn(self, text: str) -> None:
        """Keep a warning with the artifact; it is shown on the variant."""

    @property
    def device(self) -> str:
        """`cpu` or `cuda:0`. Declare `device`."""

    @property
    def threads(self) -> int:
        """CPU threads to use. Declare `threads`; it never changes the result."""

    @property
    def seed(self) -> int:
        """Declare `seed`."""

    @property
    def static_batch(self) -> int | None:
        """The one batch size to build for, or None for a dynamic batch. Declare `batch`."""

    @property
    def batch_range(self) -> tuple[int, int, int]:
        """Smallest, best and largest batch size a dynamic artifact has to serve. Declare `batch`."""

    def example(
        self, batch_size: int | None = None, seed: int | None = None, sizes: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """Seeded inputs by name: arrays, and Python scalars for constants. Declare `examples`.

        Without a batch size: the static one, else 2, because a 1 would be taken for a fixed size.
        `sizes` overrides dynamic dimensions by name.
        """

    def sample(self) -> dict[str, Any]:
        """Inputs as `example` gives them, the same whatever batch size is built for. Declare `sample`.

        For steps that run the model once and keep nothing of the inputs' shapes: what they make is
        then made once for all batch sizes.
        """

    def dataset(self, split: Literal["train", "validation", "calibration"]) -> Samples:
        """The chosen data set. Declare `dataset`. Raises BadInput when the user chose none.

        Training, validation and calibration never see the test split that accuracy is measured on.
        """

    def has_dataset(self, split: str = "") -> bool:
        """Whether the user chose a data set, and one with samples in `split` if that is given. Declare `dataset`."""

    def model(self, reference: str) -> Artifact:
        """Another model by its id (a teacher), as a torch-module. Declare `teacher`."""

    def checkpoint(self) -> Path:
        """A folder that survives an interruption, for resumable training."""

    def cache(self, name: str) -> Path:
        """A folder that every build on this machine shares, for what only saves time (kernel timings)."""

    def cancelled(self) -> bool:
        """Whether the user asked to stop; long loops look at it and return what they have."""


@dataclass(frozen=True)
class Step(Plugin):
    """One technique for one or more formats.

    `formats` maps each format it takes to the one it gives. `cost` is what the router adds up to
    find the cheapest path: how much fidelity or effort the step risks; 1 is ordinary.
    `devices` says where it can be applied. `uses` declares what it reads from the context.
    `kind` puts it on the left (compression) or right (conversion, precision) of the Optimize page.
    """

    formats: ClassVar[Mapping[str, str]] = {}
    uses: ClassVar[tuple[Uses, ...]] = ()
    cost: ClassVar[float] = 1.0
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    kind: ClassVar[Literal["conversion", "precision", "pruning", "quantization", "training", "coding"]] = "conversion"

    @classmethod
    def accepts(cls, spec: ModelSpec) -> str | None:
        """None, or the reason why this model can't take this step by itself.

        Prunes the router's edges; a recipe that names the step overrules it.
        """
        return None

    def check(self, spec: ModelSpec, device: str) -> str | None:
        """None, or the reason why this step can't work even when it is named."""
        return None

    def options_for(self, runtime: str) -> Mapping[str, Any]:
        """Options that follow from the runtime at the end of the route, where the user left them open.

        They become part of the route, and so of the cache key.
        """
        return {}

    @abstractmethod
    def apply(self, source: Artifact, context: Context) -> Artifact:
        """Make the new artifact inside `context.folder`, which is empty, and return it.

        Raises Unsupported, BadInput or StepFailed with one sentence and a next step.
        """

    @classmethod
    def replay(cls, module: Any, record: Mapping[str, Any]) -> Any:
        """Repeat on a freshly built module what this step did to its structure.

        Called by the torch-module format for every record in `model.json`, before the weights load.
        """
        raise NotImplementedError(f"{cls.name} records no structural change")


Log = Callable[[str], None]
