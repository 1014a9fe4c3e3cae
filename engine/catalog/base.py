"""What a source of architectures is, and what it can say about one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from engine.plugin import Plugin
from engine.spec import Preprocessing, Task, TensorSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = "batch"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Description:
    """What a source knows about an architecture; empty inputs mean that they have to be found by probing.

    `guessed` names what the user should confirm.
    """

    inputs: tuple[TensorSpec, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    task: Task | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    outputs: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source(Plugin):
    """One library or folder of architectures. `name` is the prefix, `where` tells where its names are listed.

    An `open_ended` source builds more names than it lists.
    """

    where: ClassVar[str] = ""
    open_ended: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def names(cls) -> list[str]:
        """The architectures it offers, without the prefix."""

    @classmethod
    def families(cls) -> list[list[str]]:
        """The names in groups whose tensors are called alike, for finding the one that bare weights belong to."""
        return [[each] for each in cls.names()]

    @classmethod
    def preload(cls, name: str) -> None:
        """Import what building one will import; looking it up does so in most libraries."""
        cls.names()

    @classmethod
    @abstractmethod
    def build(cls, name: str, arguments: Mapping[str, Any]) -> nn.Module:
        """Build one with random weights; downloads nothing."""

    @classmethod
    def describe(cls, name: str, arguments: Mapping[str, Any], module: nn.Module) -> Description:
        """What is known about one; by default nothing."""
        return Description()

    @classmethod
    def renamed(cls, module: nn.Module, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Stored weights under the names they have in `module`; the same where the library never renamed them."""
        return tensors

    @classmethod
    def assets(cls, name: str) -> list[Path]:
        """Files that belong beside a model of this architecture, such as `tokenizer.json`."""
        return []


def pixels(height: int, width: int, channels: int = 3, name: str = "pixel_values") -> TensorSpec:
    """An image input with a dynamic batch."""
    return TensorSpec(name, "float32", (BATCH, channels, height, width))
