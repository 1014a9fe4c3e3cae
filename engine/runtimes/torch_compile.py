"""torch.compile: the module is captured by Dynamo and compiled by Inductor, Triton on a GPU and C++ on a CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import MissingDependency, OptibenchError, Unsupported, first_line
from engine.plugin import option
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.eager import load_module, lowered
from engine.runtimes.toolchain import missing_compiler, settle
from engine.runtimes.torch_errors import translate
from engine.runtimes.torch_session import Call, TorchSession, set_up
from engine.spec import ModelSpec


@dataclass(frozen=True)
class TorchCompile(Runtime):
    """Compile the module with PyTorch's Inductor in the first call.

    Fuses operators into generated kernels. `reduce-overhead` replays them as CUDA graphs;
    `max-autotune` also times several kernels for each matrix product and convolution and keeps the
    fastest.
    """

    name = "torch-compile"
    title = "torch.compile"
    requires = ("torch",)
    formats = ("torch-module", "exported-program")
    modules = ("torch._dynamo", "torch._inductor.compile_fx")
    family = "compile"
    compiles = True
    compiles_apart = True

    mode: str = option(
        "default",
        "How much is tried: plain kernels, kernels in CUDA graphs, or autotuned kernels (in CUDA graphs on a GPU)",
        choices=("default", "reduce-overhead", "max-autotune"),
    )
    tf32: bool = option(False, "Use TF32 tensor cores for FP32 matrix products and convolutions (GPU)", label="TF32")

    @classmethod
    def missing(cls) -> MissingDependency | None:
        return super().missing() or missing_compiler(cls.title)

    def times_kernels(self) -> bool:
        return self.mode == "max-autotune"

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if device == "cpu" and self.mode == "reduce-overhead":
            return "reduce-overhead replays CUDA graphs, which need an NVIDIA GPU"
        if device == "cpu" and self.tf32:
            return "TF32 needs an NVIDIA GPU"
        if device != "cpu" and self.mode != "default" and spec.state == "hidden":
            return "A CUDA graph replays the same memory, and this model changes hidden state at each call"
        return super().check(spec, device)

    def precision(self, artifact_precision: str, device: str) -> str:
        return lowered(artifact_precision, device, self.tf32)

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        settle()
        restore_environment = use_cache(site)
        restore_torch = set_up(site, tf32=self.tf32)

        def restore() -> None:
            restore_torch()
            restore_environment()

        def load() -> Call:
            return compiled(load_module(artifact, site.device), self.mode)

        session = CompiledSession(load, spec, site, batch_size=artifact.details.get("batch_size"), restore=restore)
        session.replays = self.mode != "default" and site.device != "cpu"
        session.details.update(mode=self.mode, tf32=self.tf32)
        return session


class CompiledSession(TorchSession):
    """Keeps bound inputs where CUDA graphs read them, and counts graphs and graph breaks."""

    replays = False

    def place(self, value: Any, dtype: str) -> Any:
        import torch

        placed = super().place(value, dtype)
        if self.replays and isinstance(placed, torch.Tensor):
            # Bound inputs stay where they are, so that a replay need not copy them first.
            torch._dynamo.mark_static_address(placed)
        return placed

    def infer(self) -> Any:
        try:
            return super().infer()
        except Exception as error:
            known = explained(error)
            if known is error:
                raise
            raise known from error

    def fetch(self) -> list[Any]:
        self.describe()
        return super().fetch()

    def describe(self) -> None:
        """Say how many graphs were compiled, why there is more than one, and what came from the cache."""
        from torch._dynamo.utils import counters

        breaks = {str(reason).partition("\n")[0][:200]: int(n) for reason, n in counters["graph_break"].items()}
        self.details.update(
            graphs=int(counters["stats"]["unique_graphs"]),
            graph_breaks=breaks,
            cache_hits=int(counters["inductor"]["fxgraph_cache_hit"]),
            cache_misses=int(counters["inductor"]["fxgraph_cache_miss"]),
        )

    def close(self) -> None:
        super().close()
        import torch

        torch._dynamo.reset()


def use_cache(site: Site) -> Callable[[], None]:
    """Point Inductor's and Triton's caches at the site's, before they are imported; returns what undoes it."""
    names = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_FX_GRAPH_CACHE")
    before = {name: os.environ.get(name) for name in names}
    site.cache.mkdir(parents=True, exist_ok=True)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(site.cache)
    os.environ["TRITON_CACHE_DIR"] = str(site.cache / "triton")
    os.environ["TORCHINDUCTOR_FX_GRAPH_CACHE"] = "1"

    def restore() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return restore


def compiled(module: Any, mode: str) -> Call:
    """The module, to be compiled at its first call for exactly the shapes it is called with."""
    import torch
    import torch._dynamo

    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    call: Call = torch.compile(module, mode=None if mode == "default" else mode, dynamic=False)
    return call


def explained(error: Exception) -> Exception:
    """Unsupported where Dynamo or Inductor gave up on this model, OutOfMemory, or the error itself."""
    import torch._dynamo.exc as dynamo

    known = translate(error)
    if isinstance(known, OptibenchError):
        return known
    if isinstance(error, dynamo.FailOnRecompileLimitHit):
        return Unsupported(
            "torch.compile kept compiling this model anew until it reached its limit.",
            "Fix the sizes that change from call to call, or run it eagerly.",
        )
    if isinstance(error, dynamo.TorchDynamoException):
        return Unsupported(f"torch.compile can't compile this model: {first_line(error)}.", "Run it eagerly.")
    return error
