"""The words of the product as frozen data: no I/O, no torch.

Everything here goes to JSON and back through `to_json` and `from_json`; that is the one border
where JSON is parsed, and what does not fit raises BadInput naming the field.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import msgspec

from engine.errors import BadInput

Status = Literal[
    "queued", "running", "ok", "suspect", "unsupported", "failed", "oom", "timeout", "crashed", "cancelled"
]
Task = Literal["classification", "embedding", "detection", "other"]
Scalar = int | float | bool | str

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Turn a spec into plain dicts, lists and scalars."""
    return msgspec.to_builtins(value, enc_hook=plain)


def plain(value: Any) -> Any:
    """What libraries put into details: strings of their own kind, NumPy's scalars."""
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} can't be written as JSON")


def from_json(cls: type[T], data: Any) -> T:
    """Turn plain data into a spec; raises BadInput naming the field that does not fit."""
    try:
        return msgspec.convert(data, cls, str_keys=True)
    except msgspec.ValidationError as error:
        raise BadInput(f"This is not a valid {cls.__name__}: {error}.", "Export it again with this version.") from error


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    A string in `shape` names a dynamic dimension; the first one of the inputs is the batch when it
    is called `batch`. Integer inputs are drawn from `low` (included) to `high` (excluded), floating
    inputs are normal with mean 0 and variance 1 unless both bounds are given. An input that is not a
    tensor (a sampling rate, a flag) has a `constant` and an empty shape.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...] = ()
    low: float | None = None
    high: float | None = None
    constant: int | float | bool | str | None = None

    @property
    def dynamic(self) -> tuple[str, ...]:
        """The names of the dynamic dimensions, in order."""
        return tuple(each for each in self.shape if isinstance(each, str))

    def concrete(self, sizes: dict[str, int]) -> tuple[int, ...]:
        """The shape with every dynamic dimension replaced; raises BadInput when one has no size."""
        for each in self.dynamic:
            if each not in sizes:
                raise BadInput(
                    f"Input {self.name} has the dynamic dimension {each!r} and no size is given for it.",
                    f"Give one with --shape {self.name}={'x'.join(map(str, self.shape))} in numbers.",
                )
        return tuple(sizes[each] if isinstance(each, str) else each for each in self.shape)


@dataclass(frozen=True)
class Preprocessing:
    """How raw samples become the model's inputs, and which output holds the scores.

    Images: `resize` to (height, width), scaled to 0..1, then (x - mean) / std per channel.
    Text: `tokenizer` is the path of a tokenizer.json inside the model's folder, `max_length` tokens.
    """

    resize: tuple[int, int] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    scale: float = 1.0
    tokenizer: str = ""
    max_length: int = 128
    labels: tuple[str, ...] = ()
    scores: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """What inspection found out about one model file.

    `parameters` counts stored weights (a graph's constants where a frozen script has no parameters).
    `state` is none, explicit (`state_pairs`: output name feeds input name) or hidden. `control_flow`
    counts branches and loops that depend on data. `guessed` names what the user should confirm.
    """

    name: str
    format: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    parameters: int = 0
    size_bytes: int = 0
    digest: str = ""
    opset: int | None = None
    architecture: str = ""
    operators: dict[str, int] = field(default_factory=dict)
    control_flow: int = 0
    state: Literal["none", "explicit", "hidden"] = "none"
    state_pairs: tuple[tuple[str, str], ...] = ()
    task: Task = "other"
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    sizes: dict[str, int] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    layers: tuple[tuple[str, str, int], ...] = ()

    @property
    def batch_dimension(self) -> str | None:
        """`batch` when a tensor input has that dimension in front, or None when the batch size is fixed.

        A leading dimension of another name (a sequence, a list of boxes) is not a batch.
        """
        leads = any(each.shape and each.shape[0] == "batch" for each in self.tensor_inputs)
        return "batch" if leads else None

    @property
    def tensor_inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs that are tensors, without constants."""
        return tuple(each for each in self.inputs if each.constant is None)

    def sizes_at(self, batch_size: int) -> dict[str, int]:
        """The size of every dynamic dimension at one batch size."""
        sizes = dict(self.sizes)
        if self.batch_dimension:
            sizes[self.batch_dimension] = batch_size
        return sizes

    def with_shapes(self, shapes: dict[str, tuple[int, ...]]) -> ModelSpec:
        """The same model with dynamic dimensions filled in from full shapes, one for each input named.

        The batch dimension stays dynamic. Raises BadInput on an unknown input or a shape that does
        not fit the fixed dimensions.
        """
        sizes = dict(self.sizes)
        inputs = {each.name: each for each in self.inputs}
        for name, shape in shapes.items():
            if name not in inputs:
                raise BadInput(f"The model has no input {name!r}.", f"Its inputs: {', '.join(inputs)}.")
            declared = inputs[name].shape
            if len(declared) != len(shape):
                raise BadInput(
                    f"Input {name} has {len(declared)} dimensions and {len(shape)} were given.",
                    f"Its shape is {'x'.join(map(str, declared))}.",
                )
            for dimension, size in zip(declared, shape, strict=True):
                if isinstance(dimension, str):
                    sizes[dimension] = size
                elif dimension != size:
                    raise BadInput(
                        f"Input {name} has a fixed dimension of {dimension}, not {size}.",
                        f"Its shape is {'x'.join(map(str, declared))}.",
                    )
        return replace(self, sizes=sizes)


@dataclass(frozen=True)
class Use:
    """One plugin in a recipe, with the options that differ from its defaults."""

    name: str
    options: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """Steps in order, then one runtime. A step named `@format` is a format to pass through.

    A `static` recipe is built once for each batch size; otherwise one artifact serves a range.
    """

    steps: tuple[Use, ...]
    runtime: Use
    static: bool = False


@dataclass(frozen=True)
class Workload:
    """What every variant is asked to do.

    `device` is `cpu` or `cuda:0`. `dataset` is the id or path of a data set, or empty for seeded
    random inputs. Each of `rounds` measures `seconds` and at least `calls` calls for each latency.
    `threads` is the number of CPU threads, 0 for all physical cores this process may use.
    """

    batch_sizes: tuple[int, ...] = (1,)
    device: str = "cpu"
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dataset: str = ""
    rounds: int = 1
    seconds: float = 0.5
    calls: int = 20
    warmup_calls: int = 10
    warmup_seconds: float = 0.3
    threads: int = 0
    seed: int = 0
    verify_samples: int = 32
    throughput: bool = True
    sweep: bool = False
    timeout_s: float = 900.0
    preset: str = "quick"


PRESETS: dict[str, Workload] = {
    "quick": Workload(preset="quick", rounds=1, seconds=0.5, calls=20),
    "full": Workload(preset="full", rounds=5, seconds=0.6, calls=20, sweep=True),
    "recorded": Workload(preset="recorded", rounds=5, seconds=0.5, calls=20, sweep=True),
}


@dataclass(frozen=True)
class Variant:
    """A recipe applied to a model, and the route the router found for it.

    `route` holds every step actually taken and the formats between them: `formats[0]` is the
    upload's, `formats[i + 1]` what `route[i]` gives. `unsupported` says why there is none.
    """

    recipe: Recipe
    label: str = ""
    route: tuple[Use, ...] = ()
    formats: tuple[str, ...] = ()
    unsupported: str = ""
    hint: str = ""
    baseline: bool = False


@dataclass(frozen=True)
class Latency:
    """Raw times of one latency in one round: nanoseconds per call, at most 2,000 kept.

    `count` is how many calls were timed, `enqueue_ns` the part of each that `run()` alone took.
    """

    samples_ns: tuple[int, ...]
    enqueue_ns: tuple[int, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Throughput:
    """A saturated loop: `samples_per_s` at one batch size; `mode` says how it was loaded."""

    batch_size: int
    samples_per_s: float
    mode: Literal["asynchronous", "single-stream"]
    count: int
    status: Status = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Parity:
    """How far the outputs are from the reference's on the same inputs.

    `passed` is None when there is no evidence (the reference is constant or nearly zero).
    `evidence` is `data` (the user's samples) or `random`, which is weak. Errors are of the worst
    output; `snr_db` is 10 log10(signal/noise power). A variant that is meant to differ (it was pruned
    or trained) is `judged_by` its accuracy.
    """

    passed: bool | None
    relative_l2: float | None = None
    cosine: float | None = None
    snr_db: float | None = None
    max_abs: float | None = None
    mean_abs: float | None = None
    top1_agreement: float | None = None
    samples: int = 0
    evidence: Literal["data", "random", "none"] = "random"
    tolerance: float | None = None
    precision: str = "fp32"
    finite: bool = True
    reason: str = ""
    outputs: dict[str, float] = field(default_factory=dict)
    judged_by: Literal["outputs", "accuracy"] = "outputs"


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracy on labelled data with a 95 % Wilson interval, or agreement with the original.

    `correct` keeps one flag a sample, so that differences between variants are paired.
    """

    value: float
    low: float
    high: float
    samples: int
    kind: Literal["accuracy", "agreement"] = "accuracy"
    correct: str = ""


@dataclass(frozen=True)
class Sizes:
    """Five sizes in bytes, never one: MEASURING.md rule 14. Memory at run time is in Measurement."""

    file: int
    compressed: int
    parameters: int | None = None
    nonzero: int | None = None


@dataclass(frozen=True)
class Measurement:
    """What one run of one variant at one batch size in one round gave; raw samples, no summary.

    Times are in seconds unless the name says otherwise, memory in bytes, energy in joules for one
    call of the whole batch. What a round did not measure is None. `import_s` is what importing
    libraries took in the whole process.
    """

    batch_size: int
    round: int
    status: Status
    reason: str = ""
    hint: str = ""
    resident: Latency | None = None
    end_to_end: Latency | None = None
    throughput: Throughput | None = None
    sweep: tuple[Throughput, ...] = ()
    parity: Parity | None = None
    accuracy: Accuracy | None = None
    load_s: float | None = None
    import_s: float | None = None
    first_call_s: float | None = None
    device_memory_bytes: int | None = None
    framework_memory_bytes: int | None = None
    host_memory_bytes: int | None = None
    energy_j: float | None = None
    power_w: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    position: int = 0


@dataclass(frozen=True)
class BuildResult:
    """What building one artifact gave. `steps` has one entry for each step of the route."""

    status: Status
    reason: str = ""
    hint: str = ""
    key: str = ""
    build_s: float | None = None
    cached: bool = False
    sizes: Sizes | None = None
    steps: tuple[dict[str, Any], ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    failing_step: str = ""
