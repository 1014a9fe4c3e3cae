"""The session shared by every runtime that calls a PyTorch callable in this process."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import MissingDependency, Unsupported, first_line
from engine.runtimes.base import Session, Site
from engine.runtimes.inputs import checked
from engine.runtimes.torch_errors import raise_translated, translated
from engine.runtimes.torch_errors import translate as translate
from engine.spec import ModelSpec

if TYPE_CHECKING:
    import torch

GRAPH_WARMUP_CALLS = 3
Call = Callable[..., Any]


class TorchSession(Session):
    """Calls what `load` returned with tensors that stay on the device.

    `load` is called again to forget hidden state. With `cuda_graph` the calls are captured once for
    each shape and replayed; inputs are then copied into the captured buffers. `restore` undoes the
    process-wide settings that the runtime made.
    """

    def __init__(
        self,
        load: Callable[[], Call],
        spec: ModelSpec,
        site: Site,
        *,
        batch_size: int | None = None,
        cuda_graph: bool = False,
        channels_last: bool = False,
        restore: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        import torch

        self.spec = spec
        self.device = torch.device(site.device)
        self.batch_size = batch_size
        self.cuda_graph = cuda_graph
        self.channels_last = channels_last
        self.restore = restore
        self.load = load
        self.inputs: list[Any] = []
        self.output: Any = None
        self.graph: torch.cuda.CUDAGraph | None = None
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        with translated():
            self.call = load()
        self.details["torch"] = str(torch.__version__)

    def bind(self, feeds: Mapping[str, Any]) -> None:
        import torch

        values = list(checked(feeds, self.spec, self.batch_size).values())
        with translated(), torch.inference_mode():
            if self.inputs and all(same_shape(old, new) for old, new in zip(self.inputs, values, strict=True)):
                for old, new in zip(self.inputs, values, strict=True):
                    if isinstance(old, torch.Tensor):
                        old.copy_(torch.from_numpy(new))
                return
            self.graph = None
            self.inputs = [self.place(value, each.dtype) for value, each in zip(values, self.spec.inputs, strict=True)]

    def place(self, value: Any, dtype: str) -> Any:
        """A new tensor on the device; constants stay what they are."""
        import torch

        if not isinstance(value, np.ndarray):
            return value
        tensor = torch.from_numpy(value).to(device=self.device, dtype=getattr(torch, dtype), copy=True)
        if self.channels_last and tensor.dim() == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    def run(self) -> None:
        if self.graph is not None:
            self.graph.replay()
            return
        try:
            if self.cuda_graph:
                self.capture()
            else:
                self.output = self.infer()
        except Exception as error:
            raise_translated(error)

    def many(self) -> contextlib.AbstractContextManager[Any]:
        import torch

        return torch.inference_mode()

    def infer(self) -> Any:
        """One call without autograd; entering that mode costs 5 µs, so the clock holds it around `many` calls."""
        import torch

        if torch.is_inference_mode_enabled():
            return self.call(*self.inputs)
        with torch.inference_mode():
            return self.call(*self.inputs)

    def capture(self) -> None:
        """Record one call into a CUDA graph, after calls on a side stream that settle allocations, and replay it.

        https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
        """
        import torch

        current = torch.cuda.current_stream(self.device)
        side = torch.cuda.Stream(self.device)
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(GRAPH_WARMUP_CALLS):
                self.infer()
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self.output = self.infer()
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise Unsupported(
                f"This model can't be captured into a CUDA graph: {first_line(error)}.",
                "Turn the CUDA graph off for this variant.",
            ) from error
        self.graph = graph
        graph.replay()

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            import torch

            try:
                torch.cuda.synchronize(self.device)
            except Exception as error:
                raise_translated(error)

    def fetch(self) -> list[np.ndarray]:
        from engine.torch_bridge import flatten, to_numpy

        self.synchronize()
        return [widened(to_numpy(each), index, self.spec) for index, each in enumerate(flatten(self.output))]

    def reset(self) -> None:
        if self.spec.state == "hidden":
            with translated():
                self.call = self.load()

    def framework_memory_bytes(self) -> int | None:
        if self.device.type != "cuda":
            return None
        import torch

        return int(torch.cuda.max_memory_allocated(self.device))

    def close(self) -> None:
        self.graph = None
        self.output = None
        self.inputs = []
        del self.call
        self.restore()
        if self.device.type == "cuda":
            import torch

            torch.cuda.empty_cache()


def same_shape(old: Any, new: Any) -> bool:
    """Whether a bound value can take a new one in place."""
    if isinstance(new, np.ndarray):
        return bool(tuple(old.shape) == new.shape)
    return type(old) is type(new) and bool(old == new)


def widened(value: np.ndarray, index: int, spec: ModelSpec) -> np.ndarray:
    """An output in the declared dtype where autocast narrowed it."""
    if index < len(spec.outputs) and value.dtype == np.float16 and spec.outputs[index].dtype == "float32":
        return value.astype(np.float32)
    return value


def require_device(device: str) -> None:
    """Raise when PyTorch can't use the device."""
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise MissingDependency(
            "PyTorch sees no NVIDIA GPU on this machine.",
            "Check the driver with nvidia-smi, or choose the CPU.",
        )


def set_up(site: Site, *, tf32: bool = False) -> Callable[[], None]:
    """Set threads and TF32 for this process; returns what undoes it."""
    import torch

    require_device(site.device)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if site.device.startswith("cuda"):
        torch.cuda.set_device(site.device)  # CUDA graphs and Triton use the current device
    before = (torch.get_num_threads(), matmul.allow_tf32, cudnn.allow_tf32)
    if site.threads:
        torch.set_num_threads(site.threads)
    matmul.allow_tf32 = tf32
    cudnn.allow_tf32 = tf32

    def restore() -> None:
        torch.set_num_threads(before[0])
        matmul.allow_tf32, cudnn.allow_tf32 = before[1:]

    return restore


@contextlib.contextmanager
def torchscript_warnings_ignored() -> Iterator[None]:
    """Silence one warning: that torch.jit is deprecated in favour of torch.compile and torch.export."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\..*deprecated", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r"`torch\.jit\..*deprecated", category=DeprecationWarning)
        yield
