"""Engines built and run on a GPU: parity, shapes, CUDA graphs, profile, and what goes wrong."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.artifact import Artifact
from engine.data.prepared import Prepared
from engine.errors import BadInput, OptibenchError, OutOfMemory, StepFailed, Unsupported
from engine.feeds import random_feeds
from engine.runtimes.base import Site
from engine.runtimes.tensorrt import TensorRT
from engine.spec import ModelSpec
from engine.steps import step_for
from engine.steps.qdq_fp8 import Fp8QDQ
from engine.steps.qdq_int8 import Int8QDQ
from engine.steps.qdq_modelopt import missing_modelopt
from engine.steps.tensorrt_build import TensorRTBuild
from tests.nvidia.context import GivenContext
from tests.nvidia.gpu import answer, expected, folder, once, relative_l2

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(TensorRT.missing() is not None, reason=str(TensorRT.missing()))]
TOLERANCE = {"fp32": 1e-4, "tf32": 5e-3, "fp16": 2e-2, "bf16": 5e-2}


def built(source: Artifact, spec: ModelSpec, path: Path, static: int | None = None, **options: Any) -> Artifact:
    return TensorRTBuild(**options).apply(source, GivenContext(spec, path, static_batch=static))


def narrowed(source: Artifact, spec: ModelSpec, path: Path, step: str) -> Artifact:
    found = step_for(step, "onnx")
    assert found is not None
    return found().apply(source, GivenContext(spec, path, device="cpu"))


def built_or_refused(source: Artifact, spec: ModelSpec, path: Path) -> Artifact | OptibenchError:
    try:
        return built(source, spec, path, 4)
    except (Unsupported, StepFailed) as error:
        return error


@pytest.fixture(scope="module")
def engine(digits_onnx: Artifact, digits_spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return built(digits_onnx, digits_spec, tmp_path_factory.mktemp("engine"))


@pytest.mark.parametrize("static", [4, None])
@pytest.mark.parametrize("step", [None, "half"])
def test_an_engine_computes_what_the_graph_does(
    step: str | None, static: int | None, digits_onnx: Artifact, digits_spec: ModelSpec, site: Site, tmp_path: Path
) -> None:
    source = narrowed(digits_onnx, digits_spec, folder(tmp_path, "narrow"), step) if step else digits_onnx
    made = built(source, digits_spec, folder(tmp_path, "engine"), static)
    output, feeds, details = answer(TensorRT(), made, digits_spec, site)
    assert relative_l2(output, expected(digits_onnx, feeds)) <= TOLERANCE[made.precision]
    assert details["library"].startswith("TensorRT")
    assert details["library_version"]
    assert 0 < details["layers"] <= details["network_layers"]


def test_tf32_is_a_precision_of_its_own(
    digits_onnx: Artifact, digits_spec: ModelSpec, site: Site, tmp_path: Path
) -> None:
    made = built(digits_onnx, digits_spec, tmp_path, 4, tf32=True)
    output, feeds, _ = answer(TensorRT(), made, digits_spec, site)
    assert made.precision == "tf32"
    assert relative_l2(output, expected(digits_onnx, feeds)) <= TOLERANCE["tf32"]


def test_an_encoder_with_integer_inputs_and_dynamic_batch(
    bert_onnx: Artifact, bert_spec: ModelSpec, site: Site, tmp_path: Path
) -> None:
    made = built(bert_onnx, bert_spec, tmp_path)
    output, feeds, _ = answer(TensorRT(), made, bert_spec, site, batch_size=3)
    assert relative_l2(output, expected(bert_onnx, feeds)) <= TOLERANCE["fp32"]


def test_a_cuda_graph_follows_new_values_and_new_shapes(
    engine: Artifact, digits_onnx: Artifact, digits_spec: ModelSpec, site: Site
) -> None:
    session = TensorRT(cuda_graph=True).open(engine, digits_spec, site)
    try:
        for batch_size, seed in ((4, 1), (4, 2), (8, 3), (1, 4)):
            feeds = random_feeds(digits_spec, batch_size, seed)
            once(session, feeds)
            assert relative_l2(once(session, feeds), expected(digits_onnx, feeds)) <= TOLERANCE[engine.precision]
    finally:
        session.close()


def test_a_static_engine_is_captured_from_outside(
    digits_onnx: Artifact, digits_spec: ModelSpec, site: Site, tmp_path: Path
) -> None:
    made = built(digits_onnx, digits_spec, tmp_path, 4)
    output, feeds, details = answer(TensorRT(cuda_graph=True), made, digits_spec, site)
    assert relative_l2(output, expected(digits_onnx, feeds)) <= TOLERANCE[made.precision]
    assert details["cuda_graph"] is True


def test_a_batch_outside_the_profile_is_named(engine: Artifact, digits_spec: ModelSpec, site: Site) -> None:
    session = TensorRT().open(engine, digits_spec, site)
    try:
        with pytest.raises(BadInput, match="16x1x8x8"):
            session.bind(random_feeds(digits_spec, 16, seed=0))
        assert once(session, random_feeds(digits_spec, 2, seed=0)).shape == (2, 10)
    finally:
        session.close()


def test_the_second_opening_finds_the_kernels_of_the_first(
    engine: Artifact, digits_spec: ModelSpec, site: Site
) -> None:
    first, _, _ = answer(TensorRT(), engine, digits_spec, site)
    kept = list(site.cache.iterdir())
    second, _, details = answer(TensorRT(), engine, digits_spec, site)
    assert (first == second).all()
    assert bool(kept) == ("RTX" in details["library"])


def test_the_profile_names_the_layers_each_fused_layer_came_from(
    engine: Artifact, digits_spec: ModelSpec, site: Site
) -> None:
    session: Any = TensorRT().open(engine, digits_spec, site)
    try:
        session.bind(random_feeds(digits_spec, 4, seed=0))
        found = session.profile()
        record(session)
    finally:
        session.close()
    assert found["busy_ms"] > 0
    assert found["layers_after"] <= found["layers_before"]
    origins = {name for layer in found["layers"] for name in layer["origin"]}
    assert any("Conv" in name for name in origins)


def record(session: Any) -> None:
    """Keep the inspector's own words where asked for, as a sample for the parser's tests."""
    target = os.environ.get("OPTIBENCH_RECORD_INSPECTOR")
    if target:
        format = session.library.api.LayerInformationFormat.JSON
        Path(target).write_text(session.engine.create_engine_inspector().get_engine_information(format))


def test_an_engine_of_another_version_is_refused(engine: Artifact, digits_spec: ModelSpec, site: Site) -> None:
    other = replace(engine, details={**engine.details, "library_version": "0.1"})
    with pytest.raises(Unsupported, match=r"0\.1"):
        TensorRT().open(other, digits_spec, site)


def test_a_damaged_engine_is_refused(engine: Artifact, digits_spec: ModelSpec, site: Site, tmp_path: Path) -> None:
    path = tmp_path / "engine.plan"
    path.write_bytes(engine.path.read_bytes()[:1000])
    with pytest.raises(Unsupported, match="could not load"):
        TensorRT().open(replace(engine, path=path), digits_spec, site)


def test_more_memory_than_there_is_becomes_out_of_memory() -> None:
    from engine.runtimes.cuda_memory import Buffer, Stream

    stream = Stream("cuda:0")
    with pytest.raises(OutOfMemory):
        Buffer().reserve(1 << 50)
    stream.synchronize()
    stream.close()


def test_int8_runs_right_or_is_honestly_unsupported(
    digits_onnx: Artifact, digits_spec: ModelSpec, digits_data: Prepared, site: Site, tmp_path: Path
) -> None:
    context = GivenContext(digits_spec, folder(tmp_path, "int8"), data=digits_data)
    quantized = Int8QDQ(target="tensorrt").apply(digits_onnx, context)
    made = built_or_refused(quantized, digits_spec, folder(tmp_path, "engine"))
    if isinstance(made, OptibenchError):
        assert "Half" in made.reason or "not supported" in made.reason.lower()
        return
    output, feeds, _ = answer(TensorRT(), made, digits_spec, site)
    assert relative_l2(output, expected(digits_onnx, feeds)) <= 0.1


@pytest.mark.skipif(missing_modelopt() is not None, reason=str(missing_modelopt()))
def test_fp8_runs_or_says_why_not(bert_onnx: Artifact, bert_spec: ModelSpec, site: Site, tmp_path: Path) -> None:
    feeds = random_feeds(bert_spec, 64, seed=5)
    data = Prepared("random ids", "digest", feeds, None, {"calibration": np.arange(64)})
    quantized = Fp8QDQ(rest="fp32").apply(bert_onnx, GivenContext(bert_spec, folder(tmp_path, "fp8"), data=data))
    made = built_or_refused(quantized, bert_spec, folder(tmp_path, "engine"))
    if isinstance(made, OptibenchError):
        assert made.reason
        return
    output, feeds, _ = answer(TensorRT(), made, bert_spec, site)
    print("FP8 relative L2", relative_l2(output, expected(bert_onnx, feeds)))
    assert made.precision == "fp8"
