"""One TensorRT engine with its inputs and outputs in device buffers of our own, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.artifact import Artifact
from engine.errors import BadInput, OptibenchError, OutOfMemory, Unsupported
from engine.runtimes import tensorrt_library
from engine.runtimes.base import Session, Site
from engine.runtimes.cuda_memory import Buffer, Stream
from engine.runtimes.inputs import checked
from engine.runtimes.tensorrt_tensors import decode, encode, numpy_type, output_allocator, specs_by_input
from engine.spec import ModelSpec

WARMUP_CALLS = 2
SMALLER = "Try a smaller batch size."


class TensorRTSession(Session):
    """One engine with one execution context; buffers grow with the largest shapes seen."""

    def __init__(self, artifact: Artifact, spec: ModelSpec, site: Site, *, cuda_graph: bool) -> None:
        super().__init__()
        self.library = tensorrt_library.load()
        self.spec, self.cuda_graph, self.batch_size = spec, cuda_graph, artifact.details.get("batch_size")
        self.log = tensorrt_library.recorder(self.library.api)
        self.graph: Any = None
        self.stream = Stream(site.device)
        self.runtime = self.library.api.Runtime(self.log)
        self.engine = self.deserialize(artifact)
        self.cache_path = site.cache / f"tensorrt-runtime-{self.library.version}.cache"
        self.context, self.runtime_cache = self.library.create_context(self.engine, self.cache_path)
        if self.context is None:
            raise self.failure(OptibenchError, "TensorRT could not make an execution context", SMALLER)
        self.name_tensors(artifact)
        self.details.update(
            self.library.facts(),
            layers=self.engine.num_layers,
            network_layers=artifact.details.get("network_layers"),
            context_memory_bytes=self.library.context_memory_bytes(self.engine),
            cuda_graph=cuda_graph,
            built=artifact.details.get("built", ""),
        )

    def deserialize(self, artifact: Artifact) -> Any:
        """Load the engine; says which library made it where another one can't read it."""
        made = f"{artifact.details.get('library', '')} {artifact.details.get('library_version', '')}".strip()
        here = f"{self.library.name} {self.library.version}"
        if made and made != here:
            raise Unsupported(f"This engine was built by {made}, and {here} is installed.", "Build it again here.")
        engine = self.runtime.deserialize_cuda_engine(artifact.path.read_bytes())
        if engine is None:
            raise self.failure(Unsupported, "TensorRT could not load the engine", "Build it again on this GPU.")
        return engine

    def name_tensors(self, artifact: Artifact) -> None:
        """Find inputs and outputs of the engine and the model's tensors they stand for."""
        api, engine = self.library.api, self.engine
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [each for each in names if engine.get_tensor_mode(each) == api.TensorIOMode.INPUT]
        found = [each for each in names if each not in inputs]
        declared = [each for each in artifact.details.get("output_names") or () if each in found]
        self.inputs = specs_by_input(inputs, self.spec, artifact.details)
        self.outputs = declared if len(declared) == len(found) else found
        self.types: dict[str, str] = {each: engine.get_tensor_dtype(each).name for each in names}
        self.dtypes = {name: numpy_type(name, dtype) for name, dtype in self.types.items()}
        device = api.TensorLocation.DEVICE
        self.on_host = {each for each in inputs if engine.get_tensor_location(each) != device}
        self.buffers = {each: Buffer() for each in names}
        self.host_inputs: dict[str, np.ndarray] = {}
        self.bound: Mapping[str, np.ndarray] = {}
        self.dynamic = any(-1 in tuple(engine.get_tensor_shape(each)) for each in inputs)
        self.allocators: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    def bind(self, feeds: Mapping[str, Any]) -> None:
        values = checked(feeds, self.spec, self.batch_size)
        arrays = {name: encode(values[tensor.name], self.types[name]) for name, tensor in self.inputs.items()}
        if self.on_host or any(array.shape != self.shapes.get(name) for name, array in arrays.items()):
            self.reshape(arrays)
        for name, array in arrays.items():
            if name not in self.on_host:
                self.stream.upload(self.buffers[name].address, array)
        self.stream.synchronize()  # the arrays may be gone before the copies are over

    def reshape(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Give the context new input shapes and make room for inputs and outputs."""
        self.drop_graph()
        self.bound = arrays
        self.host_inputs = {name: arrays[name] for name in self.on_host}
        for name, array in arrays.items():
            if not self.context.set_input_shape(name, array.shape):
                raise self.outside_profile(name, array.shape)
            on_host = name in self.on_host
            self.context.set_tensor_address(
                name, array.ctypes.data if on_host else self.buffers[name].reserve(array.nbytes)
            )
            self.shapes[name] = array.shape
        missing = self.context.infer_shapes()
        if missing:
            raise BadInput(f"TensorRT lacks the shape or value of {', '.join(missing)}.", "Give every input a shape.")
        for name in self.outputs:
            self.place_output(name)

    def place_output(self, name: str) -> None:
        """Reserve an output's buffer; one whose shape depends on data is asked for while it runs."""
        shape = tuple(self.context.get_tensor_shape(name))
        if min(shape, default=1) >= 0:
            size = int(np.prod(shape, dtype=np.int64)) * self.dtypes[name].itemsize
            self.context.set_tensor_address(name, self.buffers[name].reserve(size))
            self.shapes[name] = shape
            return
        if self.cuda_graph:
            raise Unsupported(
                f"The shape of output {name} depends on the data, and a CUDA graph records one shape.",
                "Turn the CUDA graph off for this variant.",
            )
        if name not in self.allocators:
            self.allocators[name] = output_allocator(
                self.library.api, self.buffers[name].reserve, lambda shape: self.shapes.update({name: shape})
            )
            self.context.set_output_allocator(name, self.allocators[name])

    def outside_profile(self, name: str, shape: tuple[int, ...]) -> BadInput:
        """The error for a shape that the engine was not built for, with the shapes that it was."""
        low, _, high = (tuple(each) for each in self.engine.get_tensor_profile_shape(name, 0))
        given, least, most = ("x".join(map(str, each)) for each in (shape, low, high))
        span = least if least == most else f"{least} to {most}"
        return BadInput(
            f"Input {name} has the shape {given}; the engine was built for {span}.",
            "Build it for a range of batch sizes that includes this one.",
        )

    def run(self) -> None:
        if self.graph is not None:
            if self.replay()[0]:
                self.stream.launch(self.graph)  # raises with the reason
        elif self.cuda_graph:
            self.capture()
        else:
            self.enqueue()

    def enqueue(self) -> None:
        """Put one inference on the stream."""
        if not self.context.execute_async_v3(self.stream.handle):
            raise self.failure(OptibenchError, "TensorRT could not run the engine", SMALLER)

    def capture(self) -> None:
        """Record one inference into a CUDA graph after plain calls that settle everything, and replay it.

        TensorRT for RTX can't be captured from outside while shapes are dynamic; it then captures itself.
        """
        for _ in range(WARMUP_CALLS):
            self.enqueue()
        self.stream.synchronize()
        if self.library.jit and self.dynamic and not self.library.capturable(self.context, self.stream.handle):
            self.let_library_capture()
            return
        try:
            self.graph = self.stream.capture(self.enqueue)
        except OptibenchError as error:
            if not self.library.jit:
                raise Unsupported(
                    f"TensorRT can't capture this engine into a CUDA graph: {error.reason}",
                    "Turn the CUDA graph off for this variant.",
                ) from error
            self.let_library_capture()
            return
        self.replay = self.stream.replayer(self.graph)
        self.stream.launch(self.graph)

    def let_library_capture(self) -> None:
        """Go on with a context that captures and replays a CUDA graph by itself."""
        self.context, self.runtime_cache = self.library.create_context(self.engine, self.cache_path, own_graph=True)
        if self.context is None:
            raise self.failure(OptibenchError, "TensorRT could not make an execution context", SMALLER)
        self.cuda_graph = False
        self.details["cuda_graph"] = "captured by the library"
        self.reshape(self.bound)
        self.enqueue()

    def drop_graph(self) -> None:
        """Forget the captured graph, which holds the old addresses and shapes."""
        if self.graph is not None:
            self.stream.release(self.graph)
        self.graph = None

    def synchronize(self) -> None:
        self.stream.synchronize()

    def fetch(self) -> list[np.ndarray]:
        self.stream.synchronize()
        arrays = [np.empty(self.shapes[name], self.dtypes[name]) for name in self.outputs]
        for name, array in zip(self.outputs, arrays, strict=True):
            self.stream.download(array, self.buffers[name].address)
        self.stream.synchronize()
        return [decode(array, self.types[name]) for name, array in zip(self.outputs, arrays, strict=True)]

    def failure(self, kind: type[OptibenchError], what: str, hint: str) -> OptibenchError:
        """The error for something TensorRT refused, in its own last words."""
        said = f": {self.log.errors[-1]}" if self.log.errors else ""
        if tensorrt_library.says_out_of_memory(self.log.errors):
            return OutOfMemory(f"The GPU's memory ran out{said}.", SMALLER)
        return kind(f"{what}{said}.", hint)

    def profile(self) -> dict[str, Any]:
        from engine.profiling.tensorrt_layers import profile

        found: dict[str, Any] = profile(self)
        return found

    def close(self) -> None:
        self.drop_graph()
        if self.runtime_cache is not None:
            self.keep_kernels()
        self.context = self.engine = self.runtime = self.runtime_cache = None
        for each in self.buffers.values():
            each.close()
        self.stream.close()

    def keep_kernels(self) -> None:
        """Save the kernels compiled here for the next process; where that is not allowed, it compiles again."""
        try:
            tensorrt_library.save_atomically(self.cache_path, bytes(self.runtime_cache.serialize()))
        except OSError as error:
            print(f"The compiled kernels were not kept: {error}", flush=True)
