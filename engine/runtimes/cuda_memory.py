"""Device buffers, a stream and CUDA graphs through cuda-bindings, without PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.errors import MissingDependency, OptibenchError, OutOfMemory


class DeviceLost(OptibenchError):
    """A CUDA call failed: the GPU is gone, or an earlier kernel broke the context."""


def check(answer: tuple[Any, ...]) -> Any:
    """The value of a CUDA call, or the error that it returned, translated."""
    from cuda.bindings import runtime as cuda

    code, *values = answer
    if code != cuda.cudaError_t.cudaSuccess:
        name = getattr(code, "name", str(code))
        if code == cuda.cudaError_t.cudaErrorMemoryAllocation:
            raise OutOfMemory("The GPU's memory ran out.", "Try a smaller batch size.")
        if name in ("cudaErrorNoDevice", "cudaErrorInsufficientDriver", "cudaErrorInvalidDevice"):
            raise MissingDependency(f"No usable NVIDIA GPU ({name}).", "Check the driver with nvidia-smi.")
        raise DeviceLost(f"A CUDA call failed with {name}.", "Check the GPU with nvidia-smi, then retry.")
    return values[0] if len(values) == 1 else values


class Buffer:
    """Bytes on the device; grows when asked for more, freed by `close`."""

    def __init__(self) -> None:
        self.address = 0
        self.capacity = 0

    def reserve(self, size: int) -> int:
        """Make room for `size` bytes and return the address; what was there is lost when it moves."""
        from cuda.bindings import runtime as cuda

        if size > self.capacity or not self.address:
            self.close()
            self.address = int(check(cuda.cudaMalloc(max(size, 1))))
            self.capacity = max(size, 1)
        return self.address

    def close(self) -> None:
        """Free the memory."""
        from cuda.bindings import runtime as cuda

        if self.address:
            cuda.cudaFree(self.address)
        self.address = self.capacity = 0


class Stream:
    """One CUDA stream of one device, and the copies and graphs that run on it."""

    def __init__(self, device: str) -> None:
        from cuda.bindings import runtime as cuda

        self.cuda = cuda
        check(cuda.cudaSetDevice(int(device.partition(":")[2] or 0)))
        self.stream = check(cuda.cudaStreamCreateWithFlags(cuda.cudaStreamNonBlocking))
        self.handle = int(self.stream)

    def upload(self, address: int, array: np.ndarray) -> None:
        """Copy a contiguous array to the device; it may be reused when this returns."""
        kind = self.cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        check(self.cuda.cudaMemcpyAsync(address, array.ctypes.data, array.nbytes, kind, self.stream))

    def download(self, array: np.ndarray, address: int) -> None:
        """Copy device memory into an array; complete after `synchronize`."""
        kind = self.cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        check(self.cuda.cudaMemcpyAsync(array.ctypes.data, address, array.nbytes, kind, self.stream))

    def synchronize(self) -> None:
        """Wait for everything enqueued so far."""
        answer = self.cuda.cudaStreamSynchronize(self.stream)
        if answer[0]:
            check(answer)

    def capture(self, enqueue: Callable[[], None]) -> Any:
        """Record what `enqueue` puts on the stream as an executable CUDA graph."""
        mode = self.cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        check(self.cuda.cudaStreamBeginCapture(self.stream, mode))
        try:
            enqueue()
        finally:
            answer = self.cuda.cudaStreamEndCapture(self.stream)
        graph = check(answer)
        try:
            return check(self.cuda.cudaGraphInstantiate(graph, 0))
        finally:
            check(self.cuda.cudaGraphDestroy(graph))

    def launch(self, graph: Any) -> None:
        """Replay a captured graph."""
        check(self.cuda.cudaGraphLaunch(graph, self.stream))

    def replayer(self, graph: Any) -> Callable[[], tuple[Any, ...]]:
        """A replay with nothing around it: what it returns begins with CUDA's error code, 0 for success."""
        launch, stream = self.cuda.cudaGraphLaunch, self.stream

        def replay() -> tuple[Any, ...]:
            answer: tuple[Any, ...] = launch(graph, stream)
            return answer

        return replay

    def release(self, graph: Any) -> None:
        """Destroy a captured graph."""
        check(self.cuda.cudaGraphExecDestroy(graph))

    def close(self) -> None:
        """Destroy the stream."""
        self.cuda.cudaStreamDestroy(self.stream)
