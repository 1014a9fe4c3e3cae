"""Small ONNX graphs, one for each thing that is awkward to measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

from engine.artifact import Artifact, write_manifest
from engine.spec import ModelSpec, TensorSpec

HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'


@dataclass(frozen=True)
class Made:
    """A model's folder, as jobs name it, and its spec."""

    folder: str
    spec: ModelSpec


def save(folder: Path, text: str, spec: ModelSpec, **details: object) -> Made:
    """Write a graph, with normal weights for every initializer that is declared empty."""
    model = parser.parse_model(HEADER + text)
    generator = np.random.default_rng(0)
    for each in list(model.graph.input):
        if each.name.startswith("w"):
            shape = [size.dim_value for size in each.type.tensor_type.shape.dim]
            weights = generator.standard_normal(shape).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(weights, each.name))
            model.graph.input.remove(each)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    write_manifest(folder, Artifact("onnx", folder / "model.onnx", details=details))
    return Made(str(folder), spec)


def tensor(name: str, *shape: int | str, dtype: str = "float32", high: float | None = None) -> TensorSpec:
    return TensorSpec(name, dtype, shape, low=0 if high else None, high=high)


def classifier(folder: Path, *, batch: int | str = "batch", scale: str = "1.0", **details: object) -> Made:
    """Four classes from eight numbers; another `scale` gives a variant that is a little or very wrong."""
    size = batch if isinstance(batch, int) else "N"
    text = f"""classifier (float[{size}, 8] x, float[8, 4] w) => (float[{size}, 4] y)
    {{ s = Constant <value = float {{{scale}}}> () h = MatMul(x, w) y = Mul(h, s) }}"""
    spec = ModelSpec("classifier", "onnx", (tensor("x", batch, 8),), (tensor("y", batch, 4),), task="classification")
    return save(folder, text, spec, **details)


def binary(folder: Path) -> Made:
    """One logit."""
    text = "binary (float[N, 8] x, float[8, 1] w) => (float[N, 1] y) { y = MatMul(x, w) }"
    spec = ModelSpec("binary", "onnx", (tensor("x", "batch", 8),), (tensor("y", "batch", 1),), task="classification")
    return save(folder, text, spec)


def constant(folder: Path) -> Made:
    """Zero times the input."""
    text = """constant (float[N, 8] x) => (float[N, 8] y)
    { z = Constant <value = float {0.0}> () y = Mul(x, z) }"""
    return save(folder, text, ModelSpec("constant", "onnx", (tensor("x", "batch", 8),), (tensor("y", "batch", 8),)))


def tokens(folder: Path) -> Made:
    """Integer inputs with a range; a floating and an integer output."""
    text = """tokens (int64[N, 6] ids, float[50, 4] w) => (float[N, 6, 4] vectors, int64[N, 6] best)
    { vectors = Gather(w, ids) best = ArgMax <axis = 2, keepdims = 0> (vectors) }"""
    spec = ModelSpec(
        "tokens",
        "onnx",
        (tensor("ids", "batch", 6, dtype="int64", high=50),),
        (tensor("vectors", "batch", 6, 4), tensor("best", "batch", 6, dtype="int64")),
        task="embedding",
    )
    return save(folder, text, spec)


def ten_outputs(folder: Path) -> Made:
    """Ten outputs, the last a scalar."""
    names = [f"y{index}" for index in range(9)]
    text = f"""many (float[N, 8] x) => ({", ".join(f"float[N, 8] {name}" for name in names)}, float total)
    {{ {" ".join(f"{name} = {'Exp' if number % 2 else 'Tanh'}(x)" for number, name in enumerate(names))}
       total = ReduceSum <keepdims = 0> (x) }}"""
    outputs = (*(tensor(name, "batch", 8) for name in names), tensor("total"))
    return save(folder, text, ModelSpec("many", "onnx", (tensor("x", "batch", 8),), outputs))


def detector(folder: Path) -> Made:
    """As many rows as there are positive inputs."""
    text = """detector (float[N, 8] x) => (int64[2, M] where, float[M] values)
    { z = Constant <value = float {0.0}> () p = Greater(x, z) where = NonZero(p)
      t = Transpose <perm = [1, 0]> (where) values = GatherND(x, t) }"""
    outputs = (tensor("where", 2, "found", dtype="int64"), tensor("values", "found"))
    return save(folder, text, ModelSpec("detector", "onnx", (tensor("x", "batch", 8),), outputs, task="detection"))


def accumulator(folder: Path) -> Made:
    """Explicit state: the new state is what was seen so far, decayed."""
    text = """accumulator (float[N, 8] x, float[N, 8] state) => (float[N, 8] y, float[N, 8] next)
    { d = Constant <value = float {0.5}> () k = Mul(state, d) next = Add(k, x) y = Tanh(next) }"""
    spec = ModelSpec(
        "accumulator",
        "onnx",
        (tensor("x", "batch", 8), tensor("state", "batch", 8)),
        (tensor("y", "batch", 8), tensor("next", "batch", 8)),
        state="explicit",
        state_pairs=(("next", "state"),),
    )
    return save(folder, text, spec)


def picky(folder: Path) -> Made:
    """Says its batch is dynamic and reshapes to a batch of 2."""
    text = """picky (float[N, 8] x) => (float[2, 8] y)
    { s = Constant <value = int64[2] {2, 8}> () y = Reshape(x, s) }"""
    return save(folder, text, ModelSpec("picky", "onnx", (tensor("x", "batch", 8),), (tensor("y", "batch", 8),)))


def named(folder: Path) -> Made:
    """A score for each class, and the best class's name as text."""
    text = """named (float[N, 8] x, float[8, 3] w) => (string[N] label, float[N, 3] scores)
    { scores = MatMul(x, w) best = ArgMax <axis = 1, keepdims = 0> (scores)
      names = Constant <value_strings = ["cat", "dog", "mouse"]> () label = Gather(names, best) }"""
    outputs = (tensor("label", "batch", dtype="string"), tensor("scores", "batch", 3))
    spec = ModelSpec("named", "onnx", (tensor("x", "batch", 8),), outputs, task="classification")
    return save(folder, text, spec)
