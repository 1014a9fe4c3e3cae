"""Real models as torch-module or upload artifacts, with settled random weights, and routes built in this process."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifact import Artifact, read_manifest, write_manifest
from engine.conversion.differences import relative_l2
from engine.feeds import random_feeds
from engine.measurement import BuildResult
from engine.recipes import parse_use, split
from engine.spec import ModelSpec, TensorSpec, Workload, from_json
from engine.steps import step_for
from engine.worker.jobs import BuildJob
from engine.worker.phases import build
from engine.worker.protocol import Reporter


def package_file(package: str, pattern: str) -> Path | None:
    """A file inside an installed package, or None when the package is not there."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return None
    return next(iter(sorted(Path(found.submodule_search_locations[0]).rglob(pattern))), None)


def upload(folder: Path, artifact: Artifact) -> Path:
    """A model's folder as the inspect phase leaves it."""
    write_manifest(folder, artifact)
    return folder


def module_upload(folder: Path, architecture: str, arguments: Mapping[str, Any], weights: Path | None = None) -> Path:
    """A torch-module with given or random weights whose batch normalisation is not the initial one."""
    import torch

    from engine import catalog
    from engine.formats import torch_module

    torch.manual_seed(0)
    module = catalog.build(architecture, arguments)
    settle(module)
    if weights is not None:
        from safetensors.torch import load_file

        module.load_state_dict(load_file(weights))
    path = torch_module.write(folder / "module", architecture, arguments, module.state_dict())
    return upload(folder, Artifact("torch-module", path))


def settle(module: Any) -> None:
    """Give every batch normalisation statistics that are not its initial ones."""
    import torch

    generator = torch.Generator().manual_seed(0)
    for each in module.modules():
        if isinstance(each, torch.nn.modules.batchnorm._BatchNorm):
            statistics = dict(each.named_buffers())
            statistics["running_mean"].copy_(torch.randn(each.num_features, generator=generator) * 0.1)
            statistics["running_var"].copy_(torch.rand(each.num_features, generator=generator) + 0.5)


def build_route(
    model: Path, spec: ModelSpec, recipe: str, folder: Path, *, batch_size: int | None = None, **more: Any
) -> tuple[BuildResult, Artifact | None]:
    """Carry out `step > step` and return the result and the artifact."""
    uses = tuple(parse_use(part.strip()) for part in split(recipe, ">")) if recipe else ()
    formats = [spec.format]
    for use in uses:
        step = step_for(use.name, formats[-1])
        assert step is not None, f"{use.name} does not take {formats[-1]}"
        formats.append(step.formats[formats[-1]])
    workload = more.pop("workload", Workload(batch_sizes=(1, 2)))
    job = BuildJob(spec, str(model), uses, tuple(formats), workload, str(folder / "store"), batch_size, **more)
    jobs = folder / "job"
    jobs.mkdir(parents=True, exist_ok=True)
    result = from_json(BuildResult, json.loads(json.dumps(build.run(job, Reporter(jobs)))))
    artifact = read_manifest(Path(result.details["artifact"])) if result.status == "ok" else None
    return result, artifact


def outputs(artifact: Artifact, spec: ModelSpec, feeds: Mapping[str, Any]) -> list[np.ndarray]:
    """What an artifact computes, on the CPU."""
    if artifact.format == "onnx":
        return onnx_outputs(artifact, feeds)
    import torch

    from engine.torch_bridge import flatten, positional, to_numpy

    with torch.no_grad():
        return [to_numpy(each) for each in flatten(opened(artifact)(*positional(feeds, spec)))]


def opened(artifact: Artifact) -> Any:
    """A PyTorch artifact as a callable."""
    from engine.formats import exported_program, torch_module, torchscript

    if artifact.format == "torch-module":
        return torch_module.load(artifact.path)
    if artifact.format == "torchscript":
        return torchscript.load(artifact.path)
    return exported_program.load(artifact.path).module()


def onnx_outputs(artifact: Artifact, feeds: Mapping[str, Any]) -> list[np.ndarray]:
    """What an ONNX graph computes in ONNX Runtime, or in ONNX's own evaluator for bfloat16."""
    import onnxruntime

    from engine.formats.onnx import model_path

    file = str(model_path(artifact.path))
    if artifact.precision == "bf16":
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(file)
        return list(evaluator.run(None, {name: feeds[name] for name in evaluator.input_names}))
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    taken = {each.name: np.asarray(feeds[each.name]) for each in session.get_inputs()}
    found: list[np.ndarray] = session.run(None, taken)
    return found


def error_of(
    artifact: Artifact, reference: Artifact, spec: ModelSpec, batch_size: int = 3, seed: int = 7, **sizes: int
) -> float:
    """The relative L2 error of an artifact against another on fresh inputs."""
    feeds = random_feeds(spec, batch_size, seed, sizes)
    return relative_l2(outputs(reference, spec, feeds), outputs(artifact, spec, feeds))


IMAGE = (TensorSpec("pixel_values", "float32", ("batch", 3, 64, 64)),)
SCORES = (TensorSpec("logits", "float32", ("batch", 1000)),)


@functools.cache
def image_spec(name: str) -> ModelSpec:
    """A torchvision classifier on small images."""
    return ModelSpec(name, "torch-module", IMAGE, SCORES, architecture=f"torchvision.{name}")
