"""EfficientNet-Lite, from the package efficientnet-lite-pytorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.catalog.base import Description, Source, pixels
from engine.spec import Preprocessing

if TYPE_CHECKING:
    from torch import nn

SIZES = {"lite0": 224, "lite1": 240, "lite2": 260, "lite3": 280, "lite4": 300}


@dataclass(frozen=True)
class EfficientNetLiteSource(Source):
    """EfficientNet-Lite 0 to 4."""

    name = "efficientnet_lite"
    title = "EfficientNet-Lite"
    requires = ("efficientnet-lite-pytorch",)
    where = "They are lite0 to lite4."

    @classmethod
    def names(cls) -> list[str]:
        return list(SIZES)

    @classmethod
    def build(cls, name: str, arguments: Mapping[str, Any]) -> nn.Module:
        from efficientnet_lite_pytorch import EfficientNet

        module: nn.Module = EfficientNet.from_name(f"efficientnet-{name}", **arguments)
        return module

    @classmethod
    def describe(cls, name: str, arguments: Mapping[str, Any], module: nn.Module) -> Description:
        size = SIZES[name]
        half = (127 / 255,) * 3, (128 / 255,) * 3
        preprocessing = Preprocessing(resize=(size, size), mean=half[0], std=half[1])
        return Description(
            inputs=(pixels(size, size),),
            task="classification",
            preprocessing=preprocessing,
            guessed=("preprocessing",),
        )
