"""The digits sample and its data set, and a way to carry out a route on it in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine import catalog
from engine.artifact import Artifact, read_manifest, write_manifest
from engine.catalog.sample_source import folder, read_card
from engine.data.prepared import Prepared, load
from engine.formats import torch_module
from engine.recipes import parse_use, split
from engine.spec import ModelSpec, TensorSpec, Use, Workload, from_json
from engine.steps import step_for
from engine.torch_bridge import flatten, positional
from engine.worker.jobs import BuildJob, PrepareJob
from engine.worker.phases import build, prepare
from engine.worker.protocol import Reporter, read_events


def sample_spec(name: str) -> ModelSpec:
    """The spec of a sample model, from its card."""
    card = read_card(name)
    facts = {key: card[key] for key in ("name", "inputs", "task", "preprocessing", "sizes") if key in card}
    scores = TensorSpec("scores", "float32", ("batch", len(card["preprocessing"]["labels"])))
    return replace(from_json(ModelSpec, {**facts, "outputs": [], "format": "torch-module"}), outputs=(scores,))


def sample_model(name: str, place: Path) -> Path:
    """A sample model as an admitted upload."""
    weights = load_file(folder() / name / "weights.safetensors")
    payload = torch_module.write(place / "module", f"sample.{name}", {}, weights)
    if (folder() / name / "tokenizer.json").exists():
        (place / "tokenizer.json").write_bytes((folder() / name / "tokenizer.json").read_bytes())
    write_manifest(place, Artifact("torch-module", payload))
    return place


@dataclass
class Bench:
    """Carries out routes on one model."""

    spec: ModelSpec
    model: Path
    prepared: Path
    place: Path
    teachers: dict[str, str] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    batch_size: int | None = None

    def run(
        self, route: str, *, dataset: bool = True, seed: int = 0, store: str = "store", cancel: bool = False
    ) -> Artifact:
        """Build `step(option=value) > step`, starting from the model; the result's status is asserted by `ok`."""
        uses = tuple(parse_use(part.strip()) for part in split(route, ">"))
        formats = self.formats_of(uses)
        job = BuildJob(
            spec=self.spec,
            model=str(self.model),
            route=uses,
            formats=formats,
            workload=Workload(seed=seed, threads=1),
            store=str(self.place / store),
            batch_size=self.batch_size,
            prepared=str(self.prepared) if dataset else "",
            teachers=self.teachers,
        )
        self.result = build.run(job, Reporter(self.place))
        if self.result["status"] != "ok":
            return Artifact("none", self.place)
        return read_manifest(Path(self.result["details"]["artifact"]))

    def formats_of(self, uses: tuple[Use, ...]) -> tuple[str, ...]:
        formats = [read_manifest(self.model).format]
        for use in uses:
            step = step_for(use.name, formats[-1])
            assert step is not None, f"{use.name} does not take {formats[-1]}"
            formats.append(step.formats[formats[-1]])
        return tuple(formats)

    def ok(self, route: str, **options: Any) -> Artifact:
        artifact = self.run(route, **options)
        assert self.result["status"] == "ok", self.result
        return artifact

    def fails(self, route: str, **options: Any) -> tuple[str, str]:
        """Reason and hint of a route that has to fail."""
        self.run(route, **options)
        assert self.result["status"] not in ("ok", "crashed"), self.result
        return self.result["reason"], self.result["hint"]

    def curves(self) -> list[dict[str, Any]]:
        return [each.data["curve"] for each in read_events(self.place) if "curve" in each.data]

    def data(self) -> Prepared:
        return load(self.prepared)


@pytest.fixture(scope="session")
def digits_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("digits")
    model = sample_model("digits", place / "model")
    job = PrepareJob(sample_spec("digits"), str(model), "sample:digits", str(place / "prepared"))
    prepare.run(job, Reporter(place))
    return place / "prepared"


@pytest.fixture
def bench(tmp_path: Path, digits_data: Path) -> Bench:
    return Bench(sample_spec("digits"), sample_model("digits", tmp_path / "model"), digits_data, tmp_path)


@torch.no_grad()
def scores(module: Callable[..., Any], data: Prepared, spec: ModelSpec) -> np.ndarray:
    """What a module gives for a data set's samples."""
    return flatten(module(*positional(data.feeds, spec)))[0].numpy()


def accuracy(module: Callable[..., Any], data: Prepared, spec: ModelSpec) -> float:
    return float((scores(module, data, spec).argmax(1) == data.labels).mean())


def architecture(name: str) -> torch.nn.Module:
    return catalog.build(name, {})
