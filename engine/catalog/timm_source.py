"""timm's models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.catalog.base import Description, Source, pixels
from engine.spec import Preprocessing

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class TimmSource(Source):
    """Image models of timm, PyTorch Image Models."""

    name = "timm"
    title = "timm"
    requires = ("timm",)
    where = "Run: python -c 'import timm; print(timm.list_models())'"
    open_ended = True

    @classmethod
    def names(cls) -> list[str]:
        import timm

        listed: list[str] = timm.list_models()
        return listed

    @classmethod
    def families(cls) -> list[list[str]]:
        import timm

        found: list[list[str]] = [timm.list_models(module=each) for each in timm.list_modules()]
        return [each for each in found if each]

    @classmethod
    def build(cls, name: str, arguments: Mapping[str, Any]) -> nn.Module:
        import timm

        module: nn.Module = timm.create_model(name, pretrained=False, **arguments)
        return module

    @classmethod
    def describe(cls, name: str, arguments: Mapping[str, Any], module: nn.Module) -> Description:
        facts = getattr(module, "pretrained_cfg", {}) or {}
        channels, height, width = facts.get("input_size", (3, 224, 224))
        channels = int(arguments.get("in_chans", channels))
        size = arguments.get("img_size")
        if size:
            height, width = (size, size) if isinstance(size, int) else size
        preprocessing = Preprocessing(
            resize=(height, width), mean=tuple(facts.get("mean", ())), std=tuple(facts.get("std", ()))
        )
        classes = int(getattr(module, "num_classes", 0) or 0)
        return Description(
            inputs=(pixels(height, width, channels),),
            task="classification" if classes else "embedding",
            preprocessing=preprocessing,
            guessed=("preprocessing",),
        )
