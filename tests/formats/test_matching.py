"""Weights whose architecture nobody named, found by the names and shapes of their tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from conftest import Opener
from torch import nn

from engine.catalog import matching
from engine.errors import BadInput


@pytest.mark.parametrize(
    "wrap", [lambda state: state, lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}}]
)
def test_a_checkpoint_with_any_name_shows_its_architecture(tmp_path: Path, opened: Opener, wrap: object) -> None:
    module = torchvision.models.squeezenet1_1(weights=None)
    torch.save(wrap(module.state_dict()), tmp_path / "best.pth")  # type: ignore[operator]
    spec = opened(tmp_path / "best.pth")
    assert spec.architecture == "torchvision.squeezenet1_1"
    assert any("torchvision.squeezenet1_1, which was chosen" in each for each in spec.notes)


def test_classes_and_channels_are_read_from_the_weights(tmp_path: Path, opened: Opener) -> None:
    module = timm.create_model("mobilenetv3_small_050", num_classes=7, in_chans=1)
    torch.save(module.state_dict(), tmp_path / "mobilenetv3_small_050-flowers.pth")
    spec = opened(tmp_path / "mobilenetv3_small_050-flowers.pth")
    assert spec.architecture == "timm.mobilenetv3_small_050"
    assert spec.inputs[0].shape[1] == 1
    assert spec.outputs[0].shape[-1] == 7


def test_a_changed_head_is_named(tmp_path: Path, opened: Opener) -> None:
    module = torchvision.models.resnet18(weights=None)
    module.fc = nn.Sequential(nn.Dropout(), nn.Linear(512, 3))
    torch.save(module.state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(BadInput, match=r"nearly fit torchvision.resnet18, but for .*fc\.1\.weight"):
        opened(tmp_path / "resnet18.pth")


def test_parameters_take_no_memory_and_buffers_stay_real() -> None:
    module = matching.weightless("torchvision.regnet_y_400mf")
    assert module is not None
    assert all(each.is_meta for each in module.parameters())
    assert not any(each.is_meta for each in module.buffers())
    assert not any(each.is_meta for each in nn.Linear(2, 2).parameters())
