"""Time the artifacts of a store a second time, by code that is not Optibench's, and print the ratio.

    python benchmarks/independent.py --artifacts $OPTIBENCH_HOME/artifacts --out FILE.json [--device cpu]

The dashboard's session and clock take turns with a plain loop over the same artifact in the same
process: both are open at once and run in short bursts, so that clocks and neighbours are the same.
TensorRT engines are looped over plainly, over PyTorch's CUDA graph and by NVIDIA's Polygraphy, whose
own figure holds what its Python adds to each call; ONNX graphs over ONNX Runtime's I/O binding;
scripts over `torch.jit.load`. The ratio is the median of the pairs'.
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
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.handwritten import machine  # noqa: E402
from engine.artifact import MANIFEST, Artifact, read_manifest  # noqa: E402
from engine.feeds import random_feeds  # noqa: E402
from engine.measure import clock  # noqa: E402
from engine.runtimes import all_runtimes  # noqa: E402
from engine.runtimes.base import Session, Site  # noqa: E402
from engine.spec import ModelSpec, TensorSpec  # noqa: E402

TURNS, SECONDS, CALLS, WARM_UP = 9, 0.2, 10, 20
ANY_BATCH = 8
LENGTH = 32

Burst = Callable[[], float]


def main() -> None:
    """Time every engine, graph and script below a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda:0")
    options = parser.parse_args()
    command = f"python benchmarks/independent.py --artifacts $OPTIBENCH_HOME/artifacts --out {options.out.name}"
    told = {"command": f"{command} --device {options.device}", "machine": machine()}
    rows: list[dict[str, Any]] = []
    for manifest in sorted(options.artifacts.rglob(MANIFEST)):
        artifact = read_manifest(manifest.parent)
        for compare in COMPARISONS.get(artifact.format, ()):
            rows.append({"artifact": artifact.key[:12], "format": artifact.format, "precision": artifact.precision})
            rows[-1] |= {"against": str(compare.__doc__), **compared(compare, artifact, options.device)}
            print(json.dumps(rows[-1]), flush=True)
            options.out.write_text(json.dumps({**told, "rows": rows}, indent=1) + "\n")


def compared(
    compare: Callable[[Artifact, str], AbstractContextManager[tuple[Burst, Burst]]], artifact: Artifact, device: str
) -> dict[str, Any]:
    """Milliseconds of both, taking turns, and their ratio; what fails is written down."""
    try:
        with compare(artifact, device) as (ours, theirs):
            pairs = [(ours(), theirs()) for _ in range(TURNS + 1)][1:]  # the first turn warms up
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
    return {
        "ours_ms": statistics.median(mine for mine, _ in pairs),
        "theirs_ms": statistics.median(yours for _, yours in pairs),
        "ratio": statistics.median(mine / yours for mine, yours in pairs),
        "turns": len(pairs),
    }


@contextmanager
def dashboards(
    runtime: str, artifact: Artifact, spec: ModelSpec, batch_size: int, device: str, **options: Any
) -> Iterator[Burst]:
    """A burst of the dashboard's session, timed by its clock."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        threads = os.cpu_count() if device == "cpu" else 1
        site = Site(device, threads or 1, batch_size, scratch=scratch, cache=scratch / "cache")
        with closing(all_runtimes()[runtime].from_options(options).open(artifact, spec, site)) as session:
            session.bind(random_feeds(spec, batch_size, 0))
            clock.run_calls(session, WARM_UP)
            yield lambda: by_clock(session)


def by_clock(session: Session) -> float:
    """Median milliseconds by the dashboard's clock."""
    return statistics.median(clock.resident(session, seconds=SECONDS, calls=CALLS).samples_ns) / 1e6


def looped(call: Callable[[], Any], wait: Callable[[], Any] = lambda: None) -> Burst:
    """A burst of a plain loop: median milliseconds."""
    for _ in range(WARM_UP):
        call()
    wait()

    def once() -> float:
        began = time.perf_counter()
        call()
        wait()
        return time.perf_counter() - began

    return lambda: median_ms(once)


def median_ms(once: Callable[[], float]) -> float:
    """The median of a burst of calls, in milliseconds; each says its own seconds."""
    times = []
    ended = time.perf_counter() + SECONDS
    while len(times) < CALLS or time.perf_counter() < ended:
        times.append(once())
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


def on_device(spec: ModelSpec, batch_size: int) -> dict[str, Any]:
    """Random inputs as PyTorch tensors on the GPU."""
    import torch

    return {name: torch.from_numpy(value).cuda() for name, value in random_feeds(spec, batch_size, 0).items()}


@dataclass(frozen=True)
class Bound:
    """An engine with every address set. `enqueue` runs it on `stream`; `buffers` have to live as long."""

    spec: ModelSpec
    batch_size: int
    stream: Any
    enqueue: Callable[[], Any]
    buffers: list[Any]


def bound(artifact: Artifact) -> Bound:
    """Open an engine on random inputs."""
    import torch

    _, engine, spec, batch_size = engine_of(artifact)
    feeds = on_device(spec, batch_size)
    context, stream, kept = engine.create_execution_context(), torch.cuda.Stream(), list(feeds.values())
    for name in (engine.get_tensor_name(index) for index in range(engine.num_io_tensors)):
        if name in feeds:
            context.set_input_shape(name, tuple(feeds[name].shape))
            context.set_tensor_address(name, feeds[name].data_ptr())
        else:
            size = abs(int(context.get_max_output_size(name)))
            kept.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
            context.set_tensor_address(name, kept[-1].data_ptr())
    return Bound(spec, batch_size, stream, lambda: context.execute_async_v3(stream.cuda_stream), kept)


@contextmanager
def engine_loop(artifact: Artifact, device: str) -> Iterator[tuple[Burst, Burst]]:
    """a plain loop over execute_async_v3"""
    opened = bound(artifact)
    with dashboards("tensorrt", artifact, opened.spec, opened.batch_size, device) as ours:
        yield ours, looped(opened.enqueue, opened.stream.synchronize)


@contextmanager
def captured_loop(artifact: Artifact, device: str) -> Iterator[tuple[Burst, Burst]]:
    """a loop over PyTorch's CUDA graph"""
    import torch

    opened = bound(artifact)
    for _ in range(3):
        opened.enqueue()
    opened.stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=opened.stream):
        opened.enqueue()
    with dashboards("tensorrt", artifact, opened.spec, opened.batch_size, device, cuda_graph=True) as ours:
        yield ours, looped(graph.replay, torch.cuda.synchronize)


@contextmanager
def polygraphy(artifact: Artifact, device: str) -> Iterator[tuple[Burst, Burst]]:
    """Polygraphy's TensorRT runner, by its own clock"""
    api, _, spec, batch_size = engine_of(artifact)
    os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = str(int(api.__name__ == "tensorrt_rtx"))
    from polygraphy.backend.common import BytesFromPath
    from polygraphy.backend.trt import EngineFromBytes, TrtRunner

    feeds = on_device(spec, batch_size)
    with (
        TrtRunner(EngineFromBytes(BytesFromPath(str(artifact.path)))) as runner,
        dashboards("tensorrt", artifact, spec, batch_size, device) as ours,
    ):

        def once() -> float:
            runner.infer(feeds, check_inputs=False, copy_outputs_to_host=False)
            return float(runner.last_inference_time())

        yield ours, lambda: median_ms(once)


@contextmanager
def onnxruntime_loop(artifact: Artifact, device: str) -> Iterator[tuple[Burst, Burst]]:
    """a plain loop over ONNX Runtime's I/O binding"""
    import numpy as np
    import onnxruntime

    from engine.formats import onnx
    from engine.runtimes.cuda_libraries import preload

    providers: list[Any] = ["CPUExecutionProvider"]
    settings = onnxruntime.SessionOptions()
    if device.startswith("cuda"):
        preload()
        options = {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE", "cudnn_conv_use_max_workspace": "1"}
        providers.insert(0, ("CUDAExecutionProvider", options))
    else:
        settings.intra_op_num_threads = os.cpu_count() or 1
    session = onnxruntime.InferenceSession(str(onnx.model_path(artifact.path)), settings, providers=providers)
    names = {"float": "float32", "double": "float64"}
    inputs = []
    for each in session.get_inputs():
        type = each.type.removeprefix("tensor(").removesuffix(")")
        inputs.append(TensorSpec(each.name, names.get(type, type), concrete(each.shape, artifact)))
    batch_size = int(inputs[0].shape[0])
    spec = ModelSpec("graph", "onnx", tuple(inputs), ())
    place = device.partition(":")[0]
    binding = session.io_binding()
    for name, value in random_feeds(spec, batch_size, 0).items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(np.asarray(value), place, 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, place, 0)
    with dashboards("onnxruntime", artifact, spec, batch_size, device) as ours:
        yield ours, looped(lambda: session.run_with_iobinding(binding))


def concrete(shape: list[int | str], artifact: Artifact) -> tuple[int, ...]:
    """A graph's input shape in numbers: the artifact's own batch where it is static."""
    first = int(artifact.details.get("batch_size") or ANY_BATCH)
    return tuple(size if isinstance(size, int) else first if index == 0 else LENGTH for index, size in enumerate(shape))


@contextmanager
def script_loop(artifact: Artifact, device: str) -> Iterator[tuple[Burst, Burst]]:
    """a plain loop over torch.jit.load"""
    import torch

    spec, batch_size = script_inputs(artifact)
    with dashboards("torchscript", artifact, spec, batch_size, device) as ours:
        module = torch.jit.load(str(artifact.path), map_location=device).eval()
        feeds = [torch.from_numpy(value).to(device) for value in random_feeds(spec, batch_size, 0).values()]
        wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
        without_autograd = torch.inference_mode()  # around the loop, and not around the dashboard's
        with without_autograd:
            burst = looped(lambda: module(*feeds), wait)
        yield ours, without_autograd(burst)


def script_inputs(artifact: Artifact) -> tuple[ModelSpec, int]:
    """The inputs of a script as inspection guesses them; unknown sizes are the same small ones for all."""
    from engine.formats import all_formats

    found = all_formats()[artifact.format].inspect(artifact, lambda *ignored, **also: None)
    batch_size = int(artifact.details.get("batch_size") or ANY_BATCH)
    sizes = found.sizes_at(batch_size)
    inputs = tuple(TensorSpec(each.name, each.dtype, each.concrete(sizes)) for each in found.tensor_inputs)
    return ModelSpec("script", artifact.format, inputs, found.outputs), batch_size


COMPARISONS: dict[str, tuple[Callable[[Artifact, str], AbstractContextManager[tuple[Burst, Burst]]], ...]] = {
    "tensorrt-engine": (engine_loop, captured_loop, polygraphy),
    "onnx": (onnxruntime_loop,),
    "torchscript": (script_loop,),
}


if __name__ == "__main__":
    main()
