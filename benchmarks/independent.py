"""Time the artifacts of a store a second time, by code that is not Optibench's, and print the ratio.

    python benchmarks/independent.py --artifacts $OPTIBENCH_HOME/artifacts --out FILE.json

TensorRT engines: the dashboard's session and clock against NVIDIA's Polygraphy (plain calls), and
against a loop over PyTorch's CUDA graph (captured calls). ONNX graphs: against a plain loop over
ONNX Runtime's I/O binding. Everything in this process and one after the other, so that clocks and
neighbours are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.handwritten import machine  # noqa: E402
from engine.artifact import MANIFEST, Artifact, read_manifest  # noqa: E402
from engine.feeds import random_feeds  # noqa: E402
from engine.measure import clock  # noqa: E402
from engine.runtimes import all_runtimes  # noqa: E402
from engine.runtimes.base import Site  # noqa: E402
from engine.spec import ModelSpec, TensorSpec  # noqa: E402

SECONDS, CALLS, WARM_UP = 1.0, 50, 20


def main() -> None:
    """Time every engine and graph below a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    command = f"python benchmarks/independent.py --artifacts $OPTIBENCH_HOME/artifacts --out {options.out.name}"
    told = {"command": command, "machine": machine()}
    rows: list[dict[str, Any]] = []
    for manifest in sorted(options.artifacts.rglob(MANIFEST)):
        artifact = read_manifest(manifest.parent)
        for compare in COMPARISONS.get(artifact.format, ()):
            facts = {"artifact": artifact.key[:12], "precision": artifact.precision, "against": compare.__doc__}
            try:
                ours, theirs = compare(artifact)
                rows.append({**facts, "ours_ms": ours, "theirs_ms": theirs, "ratio": ours / theirs})
            except Exception as error:
                traceback.print_exc()
                rows.append({**facts, "failed": f"{type(error).__name__}: {error}"})
            print(json.dumps(rows[-1]), flush=True)
            options.out.write_text(json.dumps({**told, "rows": rows}, indent=1) + "\n")


def by_dashboard(runtime: str, artifact: Artifact, spec: ModelSpec, batch_size: int, **options: Any) -> float:
    """Median milliseconds by the dashboard's session and clock."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        site = Site(device="cuda:0", threads=1, batch_size=batch_size, scratch=scratch, cache=scratch / "cache")
        session = all_runtimes()[runtime].from_options(options).open(artifact, spec, site)
        try:
            session.bind(random_feeds(spec, batch_size, 0))
            clock.warm_up(session, WARM_UP, 0.3)
            return statistics.median(clock.resident(session, seconds=SECONDS, calls=CALLS).samples_ns) / 1e6
        finally:
            session.close()


def looped(call: Callable[[], Any], wait: Callable[[], None]) -> float:
    """Median milliseconds of a plain loop."""
    for _ in range(WARM_UP):
        call()
    wait()
    times = []
    ended = time.perf_counter() + SECONDS
    while len(times) < CALLS or time.perf_counter() < ended:
        began = time.perf_counter()
        call()
        wait()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def engine_of(artifact: Artifact) -> tuple[Any, Any, ModelSpec, int]:
    """TensorRT's module, the engine, its inputs as a spec, and its best batch size."""
    from engine.runtimes.tensorrt_library import load
    from engine.runtimes.tensorrt_tensors import NUMPY

    api = load().api
    engine = api.Runtime(api.Logger(api.Logger.ERROR)).deserialize_cuda_engine(artifact.path.read_bytes())
    inputs = []
    for name in (engine.get_tensor_name(index) for index in range(engine.num_io_tensors)):
        if engine.get_tensor_mode(name) == api.TensorIOMode.INPUT:
            fixed = tuple(engine.get_tensor_shape(name))
            shape = fixed if min(fixed, default=0) >= 0 else tuple(engine.get_tensor_profile_shape(name, 0)[1])
            inputs.append(TensorSpec(name, NUMPY[engine.get_tensor_dtype(name).name], shape))
    return api, engine, ModelSpec("engine", artifact.format, tuple(inputs), ()), int(inputs[0].shape[0])


def against_polygraphy(artifact: Artifact) -> tuple[float, float]:
    """Polygraphy's TensorRT runner"""
    import torch

    api, _, spec, batch_size = engine_of(artifact)
    os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = str(int(api.__name__ == "tensorrt_rtx"))
    from polygraphy.backend.common import BytesFromPath
    from polygraphy.backend.trt import EngineFromBytes, TrtRunner

    ours = by_dashboard("tensorrt", artifact, spec, batch_size)
    feeds = {name: torch.from_numpy(value).cuda() for name, value in random_feeds(spec, batch_size, 0).items()}
    with TrtRunner(EngineFromBytes(BytesFromPath(str(artifact.path)))) as runner:
        for _ in range(WARM_UP):
            runner.infer(feeds, check_inputs=False, copy_outputs_to_host=False)
        times = []
        ended = time.perf_counter() + SECONDS
        while len(times) < CALLS or time.perf_counter() < ended:
            runner.infer(feeds, check_inputs=False, copy_outputs_to_host=False)
            times.append(runner.last_inference_time())
    return ours, statistics.median(times) * 1e3


def against_captured_loop(artifact: Artifact) -> tuple[float, float]:
    """a loop over PyTorch's CUDA graph"""
    import torch

    _, engine, spec, batch_size = engine_of(artifact)
    ours = by_dashboard("tensorrt", artifact, spec, batch_size, cuda_graph=True)
    context = engine.create_execution_context()
    feeds = {name: torch.from_numpy(value).cuda() for name, value in random_feeds(spec, batch_size, 0).items()}
    kept = []
    for name in (engine.get_tensor_name(index) for index in range(engine.num_io_tensors)):
        if name in feeds:
            context.set_input_shape(name, tuple(feeds[name].shape))
            context.set_tensor_address(name, feeds[name].data_ptr())
        else:
            size = abs(int(context.get_max_output_size(name)))
            kept.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
            context.set_tensor_address(name, kept[-1].data_ptr())
    stream = torch.cuda.Stream()
    for _ in range(3):
        context.execute_async_v3(stream.cuda_stream)
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        context.execute_async_v3(stream.cuda_stream)
    return ours, looped(graph.replay, torch.cuda.synchronize)


def against_onnxruntime_loop(artifact: Artifact) -> tuple[float, float]:
    """a plain loop over ONNX Runtime's I/O binding"""
    import numpy as np
    import onnxruntime

    from engine.formats import onnx
    from engine.runtimes.cuda_libraries import preload

    preload()
    path = str(onnx.model_path(artifact.path))
    options = {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE", "cudnn_conv_use_max_workspace": "1"}
    session = onnxruntime.InferenceSession(path, providers=[("CUDAExecutionProvider", options), "CPUExecutionProvider"])
    batch_size = int(artifact.details.get("batch_size") or 8)
    names = {"float": "float32", "float16": "float16", "int64": "int64", "int32": "int32", "bool": "bool"}
    inputs = []
    for each in session.get_inputs():
        shape = tuple(
            size if isinstance(size, int) else batch_size if index == 0 else 32 for index, size in enumerate(each.shape)
        )
        inputs.append(TensorSpec(each.name, names[each.type[7:-1]], shape))
    spec = ModelSpec("graph", "onnx", tuple(inputs), ())
    ours = by_dashboard("onnxruntime", artifact, spec, batch_size)
    binding = session.io_binding()
    for name, value in random_feeds(spec, batch_size, 0).items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(np.asarray(value), "cuda", 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, "cuda", 0)
    return ours, looped(lambda: session.run_with_iobinding(binding), lambda: None)


COMPARISONS: dict[str, tuple[Callable[[Artifact], tuple[float, float]], ...]] = {
    "tensorrt-engine": (against_polygraphy, against_captured_loop),
    "onnx": (against_onnxruntime_loop,),
}


if __name__ == "__main__":
    main()
