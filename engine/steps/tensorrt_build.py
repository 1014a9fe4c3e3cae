"""ONNX graph → TensorRT engine for this GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.artifact import Artifact
from engine.errors import BadInput, MissingDependency, OptibenchError, OutOfMemory, StepFailed, Unsupported
from engine.plugin import option
from engine.profiling.operations import work_details
from engine.runtimes import tensorrt_library
from engine.runtimes.tensorrt_library import Library
from engine.runtimes.tensorrt_tensors import specs_by_input
from engine.spec import ModelSpec
from engine.steps.base import Context, Step

ENGINE = "engine.plan"
GIB = 1 << 30
TYPES_TAKEN = re.compile(r"dtype == myelinType(\w+)")
REFUSALS = ("not supported", "unsupported", "could not find any implementation", "no implementation", "not implemented")


@dataclass(frozen=True)
class TensorRTBuild(Step):
    """Compile an ONNX graph into an engine for the GPU of this machine.

    TensorRT fuses layers and picks the fastest kernel for each. The graph's own types decide the
    precision: put `half` before it for FP16, `int8-qdq` or `fp8-qdq` for 8 bits. A static build
    for one batch size is usually faster than one for a range.
    """

    name = "tensorrt-build"
    title = "TensorRT engine"
    version = 2  # FP32 by TensorRT for RTX is called TF32
    requires = (tensorrt_library.REQUIREMENT, "onnx", "cuda-bindings")
    install = tensorrt_library.INSTALL
    formats = {"onnx": "tensorrt-engine"}
    uses = ("batch", "device")
    devices = ("cuda",)

    tf32: bool = option(False, "Let FP32 matrix products and convolutions use TF32 tensor cores", label="TF32")
    optimization_level: int = option(3, "How long the builder searches for fast kernels", min=0, max=5)
    sparse: bool = option(
        False, "Use sparse tensor cores where weights have the 2:4 pattern", label="2:4 sparse weights"
    )
    timing_cache: bool = option(True, "Reuse kernel timings of earlier builds on this GPU")
    workspace_gib: float = option(
        0.0, "Limit of the builder's scratch memory; 0 leaves it to the library", min=0.0, unit="GiB", label="Workspace"
    )

    def times_kernels(self) -> bool:
        return tensorrt_library.times_kernels()

    @classmethod
    def refuses_device(cls, device: str) -> str | None:
        return tensorrt_library.gpu_refusal(device)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return self.refuses_device(device) if device.startswith("cuda") else None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.formats import onnx

        library = tensorrt_library.load()
        log = tensorrt_library.recorder(library.api)
        builder = make_builder(library, log, context.device)
        network = library.create_network(builder)
        context.progress(0.05, "Reading the ONNX graph")
        parse(library, network, log, onnx.model_path(source.path))
        config = builder.create_builder_config()
        self.configure(library, config)
        fit_shapes(builder, network, config, source, context)
        gpu = str((tensorrt_library.gpu_facts(context.device) or {}).get("name", "gpu")).replace(" ", "-")
        timings = context.cache("tensorrt") / f"{library.version}-{gpu}.timing"
        cache = library.load_timing_cache(config, timings) if self.timing_cache else None
        context.progress(0.1, f"{library.name} {library.version} is building {network.num_layers} layers")
        engine = builder.build_serialized_network(network, config)
        if engine is None:
            raise refused(library, log.errors, branches(onnx.load(source.path, weights=False)))
        path = context.folder / ENGINE
        path.write_bytes(engine)
        if cache is not None:
            tensorrt_library.save_atomically(timings, bytes(cache.serialize()))
        for each in self.remarks(library):
            context.warn(each)
        return source.derive("tensorrt-engine", path, **self.facts(source, library, network, context))

    def configure(self, library: Library, config: Any) -> None:
        """Set what the options say; precision is in the graph."""
        library.set_flag(config, "TF32", self.tf32)
        library.set_flag(config, "SPARSE_WEIGHTS", self.sparse)
        config.builder_optimization_level = self.optimization_level
        config.profiling_verbosity = library.api.ProfilingVerbosity.DETAILED
        if self.workspace_gib:
            config.set_memory_pool_limit(library.api.MemoryPoolType.WORKSPACE, int(self.workspace_gib * GIB))

    def remarks(self, library: Library) -> list[str]:
        """What the user asked for and the library does in its own way."""
        if library.jit and self.optimization_level != 3:
            return [f"{library.name} compiles kernels on first use; the optimization level may change nothing."]
        return []

    def facts(self, source: Artifact, library: Library, network: Any, context: Context) -> dict[str, Any]:
        """The details of the engine."""
        precision = source.precision
        if precision == "fp32":
            precision = library.fp32_becomes(self.tf32)
            if precision != "fp32" and not self.tf32:
                context.warn(f"{library.name} computes in TF32 although TF32 is off; this engine counts as TF32.")
        static = context.static_batch
        return {
            **library.facts(),
            "precision": precision,
            "network_layers": network.num_layers,
            "output_names": [network.get_output(index).name for index in range(network.num_outputs)],
            **work_details(source, context.spec),
            "built": datetime.now(UTC).isoformat(timespec="seconds"),
            **({"batch_size": static} if static else {"batch_range": list(context.batch_range)}),
        }


def make_builder(library: Library, log: Any, device: str) -> Any:
    """A builder on the chosen GPU; raises MissingDependency when the library finds no usable one."""
    from cuda.bindings import runtime as cuda

    cuda.cudaSetDevice(int(device.partition(":")[2] or 0))
    try:
        return library.api.Builder(log)
    except TypeError as error:  # the bindings turn a null pointer into this
        said = log.errors[-1] if log.errors else str(error)
        raise MissingDependency(
            f"{library.name} {library.version} can't use this GPU: {said}.", "Check the driver with nvidia-smi."
        ) from error


def parse(library: Library, network: Any, log: Any, path: Path) -> None:
    """Read the graph into the network; raises Unsupported naming the nodes that TensorRT can't take."""
    parser = library.api.OnnxParser(network, log)
    if parser.parse_from_file(str(path)):
        return
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    if not errors:
        raise BadInput("TensorRT can't read this ONNX file.", "Export the model again.")
    nodes = list(dict.fromkeys(describe(each) for each in errors))
    more = f" and {len(nodes) - 3} more" if len(nodes) > 3 else ""
    raise Unsupported(
        f"{library.name} {library.version} does not take {', '.join(nodes[:3])}{more}.",
        "Run the model with Torch-TensorRT or ONNX Runtime's TensorRT provider, which leave such operators to the "
        "framework.",
    )


def describe(error: Any) -> str:
    """The node of a parser error, with the parser's words where they say something."""
    operator, name, words = error.node_operator(), error.node_name(), error.desc().strip().rstrip(".")
    node = f"the operator {operator}" + (f" (node {name})" if name else "") if operator else "the graph"
    return node if words in ("", "false", "0") or operator in words else f"{node}: {words}"


def fit_shapes(builder: Any, network: Any, config: Any, source: Artifact, context: Context) -> None:
    """Fix the network's input shapes, or give it a profile for the range of batch sizes."""
    tensors = [network.get_input(index) for index in range(network.num_inputs)]
    specs = specs_by_input([each.name for each in tensors], context.spec, source.details)
    static = context.static_batch
    least, best, most = (static,) * 3 if static else context.batch_range
    profile = None
    for tensor in tensors:
        spec = specs[tensor.name]
        shapes = [spec.concrete(context.spec.sizes_at(batch)) for batch in (least, best, most)]
        if tensor.is_shape_tensor and spec.constant is not None:
            profile = profile or builder.create_optimization_profile()
            profile.set_shape_input(tensor.name, *[[int(spec.constant)]] * 3)
        if -1 not in tuple(tensor.shape):
            require_shape(tensor, shapes)
        elif shapes[0] == shapes[2]:
            tensor.shape = shapes[0]
        else:
            profile = profile or builder.create_optimization_profile()
            profile.set_shape(tensor.name, *shapes)
    if profile is not None:
        config.add_optimization_profile(profile)


def require_shape(tensor: Any, shapes: list[tuple[int, ...]]) -> None:
    """Raise BadInput when a graph of fixed shapes is asked for others."""
    fixed = tuple(tensor.shape)
    for shape in shapes:
        if shape != fixed:
            have, want = ("x".join(map(str, each)) for each in (fixed, shape))
            raise BadInput(
                f"The ONNX graph fixes input {tensor.name} at {have}, and {want} was asked for.",
                "Export it with a dynamic batch, or measure this batch size only.",
            )


def branches(model: Any) -> int:
    """How many branches and loops a graph has."""
    return sum(node.op_type in ("If", "Loop", "Scan") for node in model.graph.node)


def refused(library: Library, errors: list[str], control_flow: int = 0) -> OptibenchError:
    """The error for a build that gave no engine, in the builder's own words.

    Graphs with branches or loops make the builder fail in ways that name neither: they are taken for
    the reason.
    """
    name = f"{library.name} {library.version}"
    types = next((found for each in errors if (found := TYPES_TAKEN.findall(each))), [])
    said = next((each for each in errors if any(sign in each.lower() for sign in REFUSALS)), "")
    words = (said or (errors[0] if errors else "it gave no reason")).strip().rstrip(".")[:400]
    if tensorrt_library.says_out_of_memory(errors):
        return OutOfMemory(
            f"Memory ran out while {library.name} built the engine: {words}.", "Try a smaller batch size."
        )
    if types:
        kinds = ", ".join(dict.fromkeys(types))
        return Unsupported(
            f"{name} has no kernel for the types of this graph: one of its operators takes {kinds} only. "
            f"It said: {words}.",
            "Choose one of those precisions for the step before.",
        )
    if said:
        return Unsupported(f"{name} can't build this graph: {words}.", "Try another precision.")
    if control_flow:
        return Unsupported(
            f"{name} can't build this graph, which has {control_flow} branches or loops: {words}.",
            "Run it with ONNX Runtime, or export the model without them.",
        )
    return StepFailed(f"{name} failed to build the engine: {words}.", "The log has the details.")
