"""torchvision's models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.catalog.base import IMAGENET_MEAN, IMAGENET_STD, Description, Source, pixels
from engine.spec import Preprocessing

if TYPE_CHECKING:
    from torch import nn

SIZES = {"inception_v3": 299}
DETECTORS = ("rcnn", "retinanet", "ssd", "fcos")


@dataclass(frozen=True)
class TorchvisionSource(Source):
    """Classifiers and segmentation models of torchvision."""

    name = "torchvision"
    title = "torchvision"
    requires = ("torchvision",)
    where = "Run: python -c 'import torchvision; print(torchvision.models.list_models())'"

    @classmethod
    def names(cls) -> list[str]:
        from torchvision import models

        listed: list[str] = models.list_models()
        return [each for each in listed if not each.startswith("quantized_") and not any(d in each for d in DETECTORS)]

    @classmethod
    def families(cls) -> list[list[str]]:
        from torchvision import models

        grouped: dict[str, list[str]] = {}
        for each in cls.names():
            grouped.setdefault(models.get_model_builder(each).__module__, []).append(each)
        return list(grouped.values())

    @classmethod
    def build(cls, name: str, arguments: Mapping[str, Any]) -> nn.Module:
        from torchvision import models

        chosen = dict(arguments)
        if name in ("googlenet", "inception_v3"):
            chosen = {"aux_logits": True, "init_weights": True, **chosen}
        if name.startswith(("deeplab", "fcn", "lraspp")):
            chosen = {"weights_backbone": None, **chosen}
        module: nn.Module = models.get_model(name, weights=None, **chosen)
        return module

    @classmethod
    def describe(cls, name: str, arguments: Mapping[str, Any], module: nn.Module) -> Description:
        if name.startswith(("raft", "mvit", "r3d", "mc3", "r2plus1d", "s3d", "swin3d")):
            return Description()
        weights = default_weights(name)
        facts = getattr(weights.transforms, "keywords", {}) if weights else {}
        size = int(getattr(module, "image_size", 0) or facts.get("crop_size", 0) or SIZES.get(name, 224))
        if name.startswith(("deeplab", "fcn", "lraspp")):
            return Description(inputs=(pixels(size, size),), task="other", guessed=("inputs",))
        classes = tuple(weights.meta.get("categories", ())) if weights else ()
        labels = classes if arguments.get("num_classes", len(classes)) == len(classes) else ()
        preprocessing = Preprocessing(resize=(size, size), mean=IMAGENET_MEAN, std=IMAGENET_STD, labels=labels)
        return Description(
            inputs=(pixels(size, size),),
            task="classification",
            preprocessing=preprocessing,
            guessed=("preprocessing",),
        )


def default_weights(name: str) -> Any:
    """torchvision's record of its default weights (nothing is downloaded), or None."""
    from torchvision import models

    try:
        return models.get_model_weights(name)["DEFAULT"]
    except KeyError:
        return None
