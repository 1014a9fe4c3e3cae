"""Bring pruned weights onto the centroids of codebooks, a part at a time, then train the centroids alone.

Incremental quantization (Zhou et al. 2017, https://arxiv.org/abs/1702.03044): weights are put onto their
centroids, the closest first, and move with them alone, while the others go on learning and make up for the
error. Trained centroids: Han et al. 2015, section 3.3; `start=1` is their way, all weights at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.coding.codebook import kmeans, nearest
from engine.coding.learning import Learning
from engine.errors import StepFailed

BIASES = "biases"


@dataclass
class Sharing:
    """Codebooks of a student and which centroid each of its weights has: 0 for pruned, else 1 + its index.

    Each weight matrix has a codebook of its own; all biases share one.
    """

    learning: Learning
    levels: Mapping[str, int]
    weighted: bool = True
    codebooks: dict[str, nn.Parameter] = field(default_factory=dict)
    numbers: dict[str, torch.Tensor] = field(default_factory=dict)
    frozen: dict[str, torch.Tensor] = field(default_factory=dict)
    held: dict[str, tuple[tuple[torch.Tensor, ...], torch.Tensor]] = field(default_factory=dict)

    def groups(self) -> dict[str, list[str]]:
        """The parameters of each codebook."""
        found: dict[str, list[str]] = {}
        for name, parameter in self.learning.student.parameters().items():
            found.setdefault(name if parameter.ndim >= 2 else BIASES, []).append(name)
        return found

    @torch.no_grad()
    def make_codebooks(self) -> None:
        """Cluster the weights that are left."""
        student = self.learning.student
        for group, names in self.groups().items():
            kept = {name: student.module.get_parameter(name)[student.masks[name]] for name in names}
            moments = [student.second_moment(name)[student.masks[name]] for name in names]
            values = torch.cat(list(kept.values())).cpu().numpy()
            importance = torch.cat(moments).cpu().numpy() if self.weighted else None
            centroids = torch.from_numpy(kmeans(values, self.levels[group], importance)).float()
            self.codebooks[group] = nn.Parameter(centroids.to(student.masks[names[0]].device))
            for name in names:
                self.numbers[name] = torch.zeros_like(student.masks[name], dtype=torch.long)
                self.frozen[name] = torch.zeros_like(student.masks[name])
                self.remember(name)
        self.optimizer = torch.optim.Adam(list(self.codebooks.values()), lr=1e-3)

    def state(self) -> dict[str, Any]:
        """What an interrupted run goes on from; nothing before there are codebooks."""
        if not self.codebooks:
            return {}
        books = {group: book.detach() for group, book in self.codebooks.items()}
        optimizer = self.optimizer.state_dict()
        return {"codebooks": books, "numbers": self.numbers, "frozen": self.frozen, "optimizer": optimizer}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.codebooks = {group: nn.Parameter(book) for group, book in state["codebooks"].items()}
        self.optimizer = torch.optim.Adam(list(self.codebooks.values()), lr=1e-3)
        self.optimizer.load_state_dict(state["optimizer"])
        self.numbers, self.frozen = state["numbers"], state["frozen"]
        for name in self.numbers:
            self.remember(name)

    @torch.no_grad()
    def freeze(self, fraction: float) -> None:
        """Hold the weights closest to their centroids until `fraction` of each codebook's weights are."""
        student = self.learning.student
        for group, names in self.groups().items():
            centroids = self.codebooks[group].detach().cpu().numpy()
            free = {name: student.masks[name] & ~self.frozen[name] for name in names}
            total = sum(int(student.masks[name].sum()) for name in names)
            count = math.ceil(fraction * total) - sum(int(self.frozen[name].sum()) for name in names)
            if count <= 0 or not len(centroids):
                continue
            values = {name: student.module.get_parameter(name)[free[name]].cpu().numpy() for name in names}
            owners = {name: nearest(each, centroids) for name, each in values.items()}
            errors = {name: np.abs(centroids[owners[name]] - each) for name, each in values.items()}
            every = np.concatenate(list(errors.values()))
            limit = np.partition(every, min(count, len(every)) - 1)[min(count, len(every)) - 1]
            for name in names:
                places = torch.nonzero(free[name])[torch.from_numpy(errors[name] <= limit).to(free[name].device)]
                numbers = torch.from_numpy(owners[name][errors[name] <= limit] + 1).to(places.device)
                self.numbers[name][tuple(places.T)] = numbers
                self.frozen[name][tuple(places.T)] = True
                self.remember(name)
        self.hold()

    def remember(self, name: str) -> None:
        """Keep where a parameter's held weights are, and their centroids: looking for them is slow."""
        places = torch.nonzero(self.frozen[name], as_tuple=True)
        self.held[name] = (places, self.numbers[name][places] - 1)

    @torch.no_grad()
    def hold(self) -> None:
        """Set every held weight to its centroid."""
        for group, names in self.groups().items():
            for name in names:
                places, held = self.held[name]
                self.learning.student.module.get_parameter(name)[places] = self.codebooks[group].detach()[held]

    def share(self, epochs: int, rate: float, part: tuple[float, float], *, start: float = 0.3) -> None:
        """Make codebooks and hold a growing fraction of the weights on them, from `start` to all at 85 %."""
        if not self.codebooks:
            self.make_codebooks()
        student = self.learning.student

        def between(done: float) -> None:
            self.freeze(min(1.0, start + (1.0 - start) * done / 0.85))

        def update(current: float) -> None:
            self.gather_gradients()
            self.step(current)
            student.hold()
            self.hold()

        if start < 1.0:
            self.learning.train(
                epochs, lambda done: rate * (1.0 - 0.5 * done), "Sharing weights", part, between=between, update=update
            )
        self.freeze(1.0)

    def tune(self, epochs: int, rate: float, part: tuple[float, float]) -> None:
        """Train the centroids, each by the summed gradient of its weights, and whatever is not shared."""
        student = self.learning.student
        names = set(student.names)

        def update(current: float) -> None:
            self.gather_gradients()
            for name, parameter in student.module.named_parameters():
                if name in names:
                    parameter.grad = None
            self.step(current)
            self.hold()

        self.learning.train(epochs, lambda done: rate * (1.0 - done), "Tuning codebooks", part, update=update)
        self.round()

    def step(self, rate: float) -> None:
        """One update of the centroids and of everything that learns for itself."""
        for each in (self.optimizer, self.learning.student.optimizer):
            for group in each.param_groups:
                group["lr"] = rate
            each.step()

    @torch.no_grad()
    def gather_gradients(self) -> None:
        """Give each centroid the sum of the gradients of the weights that it stands for."""
        for group, names in self.groups().items():
            book = self.codebooks[group]
            book.grad = torch.zeros_like(book)
            for name in names:
                gradient = self.learning.student.module.get_parameter(name).grad
                places, held = self.held[name]
                if gradient is not None:
                    book.grad.index_add_(0, held, gradient[places])

    @torch.no_grad()
    def round(self) -> None:
        """Round the centroids to the half precision that they are stored in; equal ones stay apart."""
        for group, book in self.codebooks.items():
            rounded = book.detach().half().float()
            if not bool(rounded.isfinite().all()):
                raise StepFailed(f"The weights of {group} are too large for half precision.", "Keep this layer.")
            book.copy_(rounded)
        self.hold()

    def result(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each parameter, in its original shape: its centroid numbers, and its codebook in float16."""
        spread = self.learning.student.spread_out({name: each.cpu() for name, each in self.numbers.items()})
        books = {name: group for group, names in self.groups().items() for name in names}
        return {
            name: (numbers.numpy(), self.codebooks[books[name]].detach().cpu().numpy().astype(np.float16))
            for name, numbers in spread.items()
        }
