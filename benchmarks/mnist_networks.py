"""Networks for MNIST's images, (batch, 1, 28, 28): the two LeNets of the papers, and a convolutional classifier.

Dropped into `OPTIBENCH_HOME/architectures/`, they are `operator.mnist_networks.convolutional` and so on.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

PIXELS = {"name": "pixels", "dtype": "float32", "shape": ["batch", 1, 28, 28]}
CARD: dict[str, Any] = {
    "inputs": [PIXELS],
    "outputs": ["scores"],
    "task": "classification",
    "preprocessing": {"labels": [str(each) for each in range(10)], "scores": "scores"},
}
DESCRIPTIONS = dict.fromkeys(("lenet_300_100", "lenet_5", "convolutional"), CARD)


def lenet_300_100() -> nn.Module:
    """784 inputs, 300 and 100 hidden units, 10 classes: 266,610 parameters."""
    layers = [
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(784, 300)),
        ("relu1", nn.ReLU()),
        ("fc2", nn.Linear(300, 100)),
        ("relu2", nn.ReLU()),
        ("fc3", nn.Linear(100, 10)),
    ]
    return nn.Sequential(OrderedDict(layers))


def lenet_5() -> nn.Module:
    """Caffe's LeNet: two convolutions of 20 and 50 channels, then 500 hidden units: 431,080 parameters."""
    layers = [
        ("conv1", nn.Conv2d(1, 20, 5)),
        ("pool1", nn.MaxPool2d(2)),
        ("conv2", nn.Conv2d(20, 50, 5)),
        ("pool2", nn.MaxPool2d(2)),
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(800, 500)),
        ("relu", nn.ReLU()),
        ("fc2", nn.Linear(500, 10)),
    ]
    return nn.Sequential(OrderedDict(layers)).to(memory_format=torch.channels_last)


def convolutional(width: int = 32) -> nn.Module:
    """Three convolutions of `width`, twice and four times as many filters, each pooled, then a linear layer."""
    layers: list[nn.Module] = []
    for inputs, filters in ((1, width), (width, 2 * width), (2 * width, 4 * width)):
        layers += [nn.Conv2d(inputs, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width * 9, 10))
