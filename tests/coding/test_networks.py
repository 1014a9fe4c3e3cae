from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from engine import catalog
from engine.coding.canonical import sort_units
from engine.coding.chain import Link, chain_of
from engine.coding.codebook import kmeans, nearest
from engine.coding.saliency import prune_to
from engine.coding.student import Student, compressible
from engine.errors import BadInput


def lenet() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.MaxPool2d(2), nn.Conv2d(6, 10, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(160, 30), nn.ReLU(), nn.Linear(30, 10),
    ).eval()  # fmt: skip


def pruned_student(keep: int, score: str = "magnitude") -> Student:
    module = lenet()
    student = Student.of(module, compressible(module), 1e-3, "cpu")
    prune_to(student, keep, score)
    return student


def test_a_plain_chain_is_recognised_with_its_spread() -> None:
    assert chain_of(lenet()) == [Link("0"), Link("2"), Link("6", 16), Link("8")]


@pytest.mark.parametrize("architecture", ["torchvision.resnet18", "torchvision.mobilenet_v3_small"])
def test_other_networks_are_no_chain(architecture: str) -> None:
    assert chain_of(catalog.build(architecture, {})) == []


def test_shared_layers_and_branches_are_no_chain() -> None:
    layer = nn.Linear(4, 4)
    assert chain_of(nn.Sequential(layer, nn.ReLU(), layer)) == []

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(torch.relu(self.a(x)) + x)

    assert chain_of(Residual()) == []


def test_sorted_units_compute_the_same() -> None:
    student = pruned_student(900)
    arrays = {name: each.detach().numpy() for name, each in student.parameters().items()}
    images = torch.randn(5, 1, 28, 28)
    with torch.no_grad():
        expected = student.module(images)
        made = lenet()
        made.load_state_dict({name: torch.from_numpy(each) for name, each in sort_units(arrays, student.links).items()})
        assert torch.allclose(made(images), expected, atol=1e-5)
    counts = (made.get_parameter("0.weight") != 0).sum((1, 2, 3))
    assert bool((counts[:-1] >= counts[1:]).all())


def test_dead_units_are_cut_and_come_back_as_zeros() -> None:
    student = pruned_student(700)
    with torch.no_grad():
        student.masks["6.weight"][[3, 7]] = False
        student.masks["6.bias"][[3, 7]] = False
        student.hold()
        images = torch.randn(5, 1, 28, 28)
        expected = student.module(images)
        assert student.cut_dead_units()
        assert student.module.get_parameter("6.weight").shape[0] <= 28
        values = student.spread_out({name: each.detach() for name, each in student.parameters().items()})
        made = lenet()
        made.load_state_dict(values)
        assert torch.allclose(made(images), student.module(images), atol=1e-5)
        assert expected.shape == (5, 10)


def test_pruning_keeps_the_largest_and_as_many_as_asked() -> None:
    student = pruned_student(1000)
    assert student.count() == 1000
    weights = torch.cat([each.detach().abs().reshape(-1) for each in lenet().parameters()])
    kept = torch.cat([each.detach().abs().reshape(-1) for each in student.parameters().values()])
    assert torch.equal(kept[kept > 0].sort().values, weights.topk(1000).values.sort().values)


def test_pruning_that_empties_a_layer_is_refused() -> None:
    with pytest.raises(BadInput, match="leave nothing of"):
        pruned_student(3)


def test_centroids_are_means_of_what_is_nearest() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    centroids = kmeans(values, 8)
    owner = nearest(values, centroids)
    assert len(centroids) == 8
    assert np.allclose([values[owner == each].mean() for each in range(8)], centroids, atol=1e-2)
    assert np.mean((values - centroids[owner]) ** 2) < 0.04


@pytest.mark.parametrize("values", [np.zeros(0), np.ones(1), np.full(7, -2.0), np.array([0.0, 1e-9])])
def test_few_values_have_few_centroids(values: np.ndarray) -> None:
    centroids = kmeans(values, 8)
    assert len(centroids) <= max(0, len(np.unique(values)))
    assert not len(values) or np.allclose(centroids[nearest(values, centroids)], values)


def test_important_values_draw_centroids() -> None:
    values = np.linspace(0.0, 1.0, 101)
    importance = np.where(values > 0.9, 1000.0, 1.0)
    plain, weighted = kmeans(values, 4), kmeans(values, 4, importance)
    assert (weighted > 0.9).sum() > (plain > 0.9).sum()
