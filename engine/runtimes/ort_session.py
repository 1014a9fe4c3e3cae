"""A session of ONNX Runtime with every input and output bound to its device. Never imports torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadInput, Unsupported
from engine.runtimes.base import Session, Site
from engine.runtimes.cuda_libraries import DeviceWait, preload
from engine.runtimes.inputs import checked
from engine.runtimes.ort_errors import raise_translated, wrong_buffer
from engine.runtimes.ort_values import decoded, empty, encoded, numeric
from engine.spec import ModelSpec

LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "none": "ORT_DISABLE_ALL",
}
FALLBACK_KINDS_LISTED = 20
NO_CAPTURE = -1


@dataclass(frozen=True)
class OrtPlan:
    """How a session is made.

    `providers` are tried in order for every node; the first is what the user asked for, and a
    session that does not really use it is an error. `configure` may change the session's options,
    for instance to add a plugin provider's devices; `providers` then only names what is expected.
    `disabled` names optimizers that are left out.
    """

    providers: Sequence[tuple[str, Mapping[str, str]]]
    graph_optimization: str = "all"
    cuda_graph: bool = False
    entries: Mapping[str, str] = field(default_factory=dict)
    disabled: Sequence[str] = ()
    configure: Callable[[Any], None] | None = None


class OrtSession(Session):
    """Runs one ONNX file; `model` is the file itself.

    `input_names` are the graph's names for the model's inputs, in order, where they differ.
    """

    def __init__(
        self,
        model: Path,
        spec: ModelSpec,
        site: Site,
        plan: OrtPlan,
        *,
        batch_size: int | None = None,
        input_names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.spec = spec
        self.batch_size = batch_size
        self.plan = plan
        kind, _, index = site.device.partition(":")
        self.device, self.index = kind, int(index or 0)
        self.wait = DeviceWait(self.index) if kind == "cuda" else None
        if kind == "cuda":
            preload()
        self.session = create(model, site, plan)
        self.graph_inputs = {each.name: each for each in self.session.get_inputs()}
        self.graph_outputs = self.session.get_outputs()
        self.names = matched(spec, list(self.graph_inputs), input_names)
        self.values: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.binding: Any = None
        self.unknown: list[str] = []
        self.renews = False
        self.graphs_captured = 0
        self.describe()
        self.run_options = self.make_run_options()

    def describe(self) -> None:
        """Say what really runs where; raises Unsupported when it is not what was asked for."""
        import onnxruntime

        wanted = self.plan.providers[0][0]
        used = self.session.get_providers()
        counts, fallbacks = placement(self.session)
        self.details.update(onnxruntime=onnxruntime.__version__, providers=list(used), nodes=counts)
        if wanted not in used or (counts and not counts.get(short(wanted))):
            there = ", ".join(f"{count} on {name}" for name, count in counts.items())
            raise Unsupported(
                f"ONNX Runtime was asked for {wanted} and does not use it for this model ({there or ', '.join(used)}).",
                "The log says what it could not load; `optibench system` shows the libraries.",
            )
        if fallbacks:
            self.details["fallbacks"] = fallbacks

    def make_run_options(self, *, capture: bool = True) -> Any:
        """Options of every run on a GPU: enqueue only, `synchronize` waits. None on the CPU.

        The id of the graph is always named: looking for one that isn't costs ONNX Runtime's Python
        an exception in every run, 30 µs.
        """
        import onnxruntime

        if self.device != "cuda":
            return None
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        wanted = self.plan.cuda_graph and capture
        options.add_run_config_entry("gpu_graph_id", str(self.graphs_captured if wanted else NO_CAPTURE))
        return options

    def bind(self, feeds: Mapping[str, Any]) -> None:
        found = checked(feeds, self.spec, self.batch_size)
        arrays = {
            graph_name: encoded(name, found[name], self.graph_inputs[graph_name].type)
            for name, graph_name in self.names.items()
        }
        shapes = {name: each.shape for name, each in arrays.items()}
        try:
            if self.binding is None or shapes != self.shapes:
                self.bind_new(arrays)
            else:
                for name, array in arrays.items():
                    self.values[name].update_inplace(array)
                    # What a CPU node reads was copied to the host when it was bound, and has to be copied again.
                    self.binding.bind_ortvalue_input(name, self.values[name])
                self.forget_shapes()
        except Exception as error:
            raise_translated(error)
        self.shapes = shapes

    def bind_new(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Make new buffers for new shapes; a captured CUDA graph belongs to its buffers, so it starts anew."""
        if self.binding is not None:
            self.graphs_captured += 1
            self.run_options = self.make_run_options()
        binding = self.session.io_binding()
        self.values = {}
        for name, array in arrays.items():
            self.values[name] = empty(self.graph_inputs[name].type, array.shape, self.device, self.index)
            self.values[name].update_inplace(array)
            binding.bind_ortvalue_input(name, self.values[name])
        sizes = self.dimension_sizes(arrays)
        before, self.unknown = self.unknown, []
        for each in self.graph_outputs:
            shape = [dimension if isinstance(dimension, int) else sizes.get(dimension) for dimension in each.shape]
            known = [size for size in shape if size is not None]
            if len(known) == len(shape) and numeric(each.type) and each.name not in before:
                binding.bind_ortvalue_output(each.name, empty(each.type, known, self.device, self.index))
            else:
                self.unknown.append(each.name)
                binding.bind_output(each.name, self.device, self.index)
        self.binding = binding
        if self.unknown and self.plan.cuda_graph:
            self.fix_outputs()

    def forget_shapes(self) -> None:
        """Let outputs of unknown shape be made anew: a binding keeps those of its first run and refuses others."""
        if not self.plan.cuda_graph:
            self.release_outputs()

    def release_outputs(self) -> None:
        """Leave the buffers of outputs of unknown shape to ONNX Runtime."""
        for name in self.unknown:
            self.binding.bind_output(name, self.device, self.index)

    def fix_outputs(self) -> None:
        """Keep the buffers that one run without capture made: a CUDA graph always writes to the same memory."""
        self.session.run_with_iobinding(self.binding, self.make_run_options(capture=False))
        self.synchronize()
        made = dict(zip((each.name for each in self.graph_outputs), self.binding.get_outputs(), strict=True))
        for name in self.unknown:
            self.binding.bind_ortvalue_output(name, made[name])

    def dimension_sizes(self, arrays: Mapping[str, np.ndarray]) -> dict[str | None, int]:
        """The sizes of the graph's named dimensions that the inputs fix."""
        return {
            dimension: size
            for name, array in arrays.items()
            for dimension, size in zip(self.graph_inputs[name].shape, array.shape, strict=True)
            if isinstance(dimension, str)
        }

    def run(self) -> None:
        if self.renews:
            self.forget_shapes()
        try:
            self.session.run_with_iobinding(self.binding, self.run_options)
        except Exception as error:
            if not wrong_buffer(error) or self.renews:
                raise_translated(error)
            self.distrust_shapes()
            self.run()

    def distrust_shapes(self) -> None:
        """Let every output be made anew, because the graph names the same dimension for different sizes.

        Where that is not enough, before every run: ONNX Runtime refuses even its own last output when
        its rank is not the one it expects.
        """
        self.renews = len(self.unknown) == len(self.graph_outputs)
        self.unknown = [each.name for each in self.graph_outputs]
        self.release_outputs()
        if self.plan.cuda_graph:
            self.fix_outputs()

    def synchronize(self) -> None:
        if self.wait is not None:
            self.wait()

    def fetch(self) -> list[np.ndarray]:
        self.synchronize()
        return [
            decoded(each.name, value)
            for each, value in zip(self.graph_outputs, self.binding.get_outputs(), strict=True)
        ]

    def close(self) -> None:
        self.binding = None
        self.values = {}
        self.session = None


def create(model: Path, site: Site, plan: OrtPlan) -> Any:
    """Make the session."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, LEVELS[plan.graph_optimization])
    options.intra_op_num_threads = site.threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    for name, value in plan.entries.items():
        options.add_session_config_entry(name, value)
    try:
        if plan.configure is not None:
            plan.configure(options)
            return onnxruntime.InferenceSession(str(model), options)
        offered = set(onnxruntime.get_available_providers())
        if plan.providers[0][0] not in offered:
            raise Unsupported(
                f"This ONNX Runtime has no {plan.providers[0][0]}; it has {', '.join(sorted(offered))}.",
                "Install onnxruntime-gpu instead of onnxruntime.",
            )
        providers = [(name, dict(settings)) for name, settings in plan.providers]
        disabled = list(plan.disabled)
        return onnxruntime.InferenceSession(str(model), options, providers=providers, disabled_optimizers=disabled)
    except Exception as error:
        raise_translated(error)


def placement(session: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Nodes by provider, and the operators that the CPU runs beside another provider, with their counts."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}, {}
    counts: Counter[str] = Counter()
    on_cpu: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes = part.get_nodes()
        counts[short(part.ep_name)] += len(nodes)
        if part.ep_name == "CPUExecutionProvider":
            on_cpu.update(node.op_type for node in nodes)
    return dict(counts), dict(on_cpu.most_common(FALLBACK_KINDS_LISTED)) if len(counts) > 1 else {}


def short(provider: str) -> str:
    """`CUDAExecutionProvider` as `CUDA`."""
    return provider.removesuffix("ExecutionProvider")


def matched(spec: ModelSpec, graph_names: list[str], input_names: Sequence[str]) -> dict[str, str]:
    """The graph's name for each of the model's inputs that the graph has.

    A constant that was folded in and an input that nothing reads are not in the graph. Raises
    BadInput when the graph wants an input that the model does not have.
    """
    ours = [each.name for each in spec.inputs]
    theirs = list(input_names) or ours
    found = {name: graph for name, graph in zip(ours, theirs, strict=False) if graph in graph_names}
    unknown = [each for each in graph_names if each not in found.values()]
    if unknown:
        raise BadInput(
            f"The ONNX graph wants the input {unknown[0]}, and the model has {', '.join(ours) or 'none'}.",
            "Inspect the ONNX file and upload it as a model of its own.",
        )
    return found
