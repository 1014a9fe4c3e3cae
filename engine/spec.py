"""The words of the product as frozen data: no I/O, no torch. What running gave is in `engine.measurement`.

Everything here goes to JSON and back through `to_json` and `from_json`; that is the one border
where JSON is parsed, and what does not fit raises BadInput naming the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import msgspec

from engine.errors import BadInput
from engine.model_graph import ModelGraph

Status = Literal[
    "queued", "running", "ok", "suspect", "unsupported", "failed", "oom", "timeout", "crashed", "cancelled"
]
Task = Literal["classification", "embedding", "detection", "other"]
Scalar = int | float | bool | str
Range = tuple[float | None, float | None]

T = TypeVar("T")
COLOURS, LEAST_SIDE = (3, 4), 16


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

    def drawn(self, low: float | None, high: float | None) -> TensorSpec:
        """The same input drawn from another range; raises BadInput when it is empty, or this is no tensor."""
        if self.constant is not None:
            raise BadInput(
                f"{self.name} is a constant and has no range.", f"Give one value: {self.name}={self.constant}."
            )
        if low is not None and high is not None and low >= high:
            raise BadInput(f"The range of {self.name} is empty: {low:g} to {high:g}.", "High must be above low.")
        return replace(self, low=low, high=high)

    def fixed_at(self, constant: Scalar) -> TensorSpec:
        """The same input with another constant; raises BadInput when it is a tensor."""
        if self.shape:
            raise BadInput(f"{self.name} is a tensor and can't be a constant.", f"Give a range: {self.name}=LOW:HIGH.")
        return replace(self, constant=constant)

    def concrete(self, sizes: dict[str, int]) -> tuple[int, ...]:
        """The shape with every dynamic dimension replaced; raises BadInput when one has no size."""
        for each in self.dynamic:
            if each not in sizes:
                raise BadInput(
                    f"Input {self.name} has the dynamic dimension {each!r} and no size is given for it.",
                    f"Give one with --shape {self.name}={'x'.join(map(str, self.shape))} in numbers.",
                )
        return tuple(sizes[each] if isinstance(each, str) else each for each in self.shape)


def is_picture(shape: tuple[int | str, ...]) -> bool:
    """Whether a shape is that of one image without a batch: colours, then height and width."""
    sides = [each for each in shape[1:] if isinstance(each, int)]
    return len(shape) == 3 and shape[0] in COLOURS and all(each >= LEAST_SIDE for each in sides)


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
    `source` holds the words that name the model on the command line: a file's name, `sample:NAME`,
    `--architecture NAME`, or a file and the architecture of its weights. `given` names the inputs whose
    range or constant the user gave.
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
    graph: ModelGraph = field(default_factory=ModelGraph)
    source: tuple[str, ...] = ()
    given: tuple[str, ...] = ()

    @property
    def batch_dimension(self) -> str | None:
        """`batch` when a tensor input has a dimension of that name, or None when the batch size is fixed.

        It is in front, but for models that take the sequence first. A leading dimension of another
        name (a list of boxes) is not a batch.
        """
        return "batch" if any("batch" in each.shape for each in self.tensor_inputs) else None

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size of a model whose batch is fixed, or None when it is dynamic.

        A leading dimension that is no batch (the colours of a lone picture, a list of boxes, a
        recurrent state) holds one sample; one that no output shares is none either.
        """
        if self.batch_dimension is not None:
            return None
        state = {name for _, name in self.state_pairs}
        shapes = [each.shape for each in self.tensor_inputs if len(each.shape) > 1 and each.name not in state]
        size = shapes[0][0] if shapes else 1
        if not isinstance(size, int) or size < 2:
            return 1
        outputs = [each.shape for each in self.outputs if each.shape]
        if not outputs:
            return 1 if is_picture(shapes[0]) else size
        leads = [each[0] for each in outputs if not is_picture(each)]
        return size if any(isinstance(each, int) and each % size == 0 for each in leads) else 1

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

    def input_named(self, name: str) -> TensorSpec:
        """One input; raises BadInput when there is none of that name."""
        inputs = {each.name: each for each in self.inputs}
        if name not in inputs:
            raise BadInput(f"The model has no input {name!r}.", f"Its inputs: {', '.join(inputs)}.")
        return inputs[name]

    def with_values(self, values: Mapping[str, Range | Scalar]) -> ModelSpec:
        """The same model with other ranges (low, high) or constants for the inputs named; raises BadInput."""
        changed = {}
        for name, value in values.items():
            each = self.input_named(name)
            changed[name] = each.drawn(*value) if isinstance(value, tuple) else each.fixed_at(value)
        inputs = tuple(changed.get(each.name, each) for each in self.inputs)
        return replace(self, inputs=inputs, given=tuple(dict.fromkeys([*self.given, *values])))

    def with_shapes(self, shapes: dict[str, tuple[int, ...]]) -> ModelSpec:
        """The same model with dynamic dimensions filled in from full shapes, one for each input named.

        The batch dimension stays dynamic. Raises BadInput on an unknown input or a shape that does
        not fit the fixed dimensions.
        """
        sizes = dict(self.sizes)
        for name, shape in shapes.items():
            declared = self.input_named(name).shape
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
    random inputs. Each of `rounds` measures `seconds` and at least `calls` calls for each latency;
    *quick* asks for few of them, which only a call of more than 70 ms notices.
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
    "quick": Workload(preset="quick", rounds=1, seconds=0.5, calls=7, warmup_calls=3),
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
