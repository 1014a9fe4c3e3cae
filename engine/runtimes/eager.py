"""PyTorch as it comes: every operator is dispatched by Python, one after the other."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.plugin import option
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.sparse_weights import compress
from engine.runtimes.torch_session import Call, TorchSession, set_up
from engine.spec import ModelSpec

AUTOCAST = {"fp16": "float16", "bf16": "bfloat16"}


@dataclass(frozen=True)
class Eager(Runtime):
    """Run the module operator by operator, as in training scripts.

    The plain baseline. TF32, autocast, channels-last memory and a captured CUDA graph are what a
    user can turn on without converting the model.
    """

    name = "eager"
    title = "PyTorch eager"
    requires = ("torch",)
    formats = ("torch-module", "exported-program")
    modules = ("torch",)
    family = "pytorch"

    tf32: bool = option(False, "Use TF32 tensor cores for FP32 matrix products and convolutions (GPU)", label="TF32")
    autocast: str = option(
        "none",
        "Run matrix products and convolutions in a narrower type (mixed precision)",
        choices=("none", "fp16", "bf16"),
    )
    channels_last: bool = option(False, "Keep images and convolution weights in channels-last memory")
    cuda_graph: bool = option(False, "Capture the whole inference once and replay it (GPU)", label="CUDA graph")
    sparse: bool = option(
        False, "Run linear layers with 2:4 weights on sparse tensor cores (GPU)", label="2:4 sparse tensor cores"
    )

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if device == "cpu" and self.sparse:
            return "Sparse tensor cores need an NVIDIA GPU"
        return super().check(spec, device) or gpu_options(self, spec, device)

    def precision(self, artifact_precision: str, device: str) -> str:
        return lowered(artifact_precision, device, self.tf32, self.autocast)

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        restore = set_up(site, tf32=self.tf32)
        sparse_layers: list[str] = []

        def load() -> Call:
            module = load_module(artifact, site.device, self.channels_last)
            if self.sparse:
                sparse_layers[:] = compress(module)
            return with_autocast(module, site.device, self.autocast, cache=not self.cuda_graph)

        session = TorchSession(
            load,
            spec,
            site,
            batch_size=artifact.details.get("batch_size"),
            cuda_graph=self.cuda_graph,
            channels_last=self.channels_last,
            restore=restore,
        )
        session.details.update(tf32=self.tf32, autocast=self.autocast, cuda_graph=self.cuda_graph)
        if self.sparse:
            session.details["sparse_layers"] = sparse_layers
        return session


def gpu_options(runtime: Any, spec: ModelSpec, device: str) -> str | None:
    """Why the options that belong to a GPU can't be used on this device or with this model, or None."""
    if device == "cpu" and runtime.cuda_graph:
        return "A CUDA graph needs an NVIDIA GPU"
    if device == "cpu" and runtime.tf32:
        return "TF32 needs an NVIDIA GPU"
    if runtime.cuda_graph and spec.state == "hidden":
        return "A CUDA graph replays the same memory, and this model changes hidden state at each call"
    if runtime.cuda_graph and spec.control_flow:
        return "A CUDA graph records one path, and this model branches on its data"
    return None


def lowered(precision: str, device: str, tf32: bool, autocast: str = "none") -> str:
    """The precision an FP32 artifact really runs in under these options."""
    if precision != "fp32":
        return precision
    if autocast != "none":
        return autocast
    return "tf32" if tf32 and device != "cpu" else "fp32"


def load_module(artifact: Artifact, device: str, channels_last: bool = False) -> Any:
    """The module of a torch-module or exported program, on its device."""
    import torch

    if artifact.format == "torch-module":
        from engine.formats import torch_module

        module = torch_module.load(artifact.path).to(device)
    else:
        from torch.export.passes import move_to_device_pass

        from engine.formats import exported_program

        program = exported_program.load(artifact.path)
        # The shapes were checked when they were bound; checking them again would cost time in every call.
        module = (move_to_device_pass(program, device) if device != "cpu" else program).module(check_guards=False)
    if channels_last:
        module = module.to(memory_format=torch.channels_last)
    return module


def with_autocast(module: Call, device: str, autocast: str, *, cache: bool) -> Call:
    """The module, called under autocast when a type is named.

    `cache` keeps cast weights for the rest of a call; they can't live across a CUDA graph's replays.
    """
    if autocast == "none":
        return module
    import torch

    @functools.wraps(module)
    def call(*inputs: Any) -> Any:
        with torch.autocast(device.split(":")[0], getattr(torch, AUTOCAST[autocast]), cache_enabled=cache):
            return module(*inputs)

    return call
