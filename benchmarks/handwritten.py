"""The hand-written best for four models: the libraries used directly, timed by a loop of its own.

    python benchmarks/handwritten.py --out DIR [--models resnet50,bert_base] [--batches 1,32,256]
                                     [--ways tensorrt,compile,autotune,eager] [--dashboard DIR]

Weights are the settled random ones that `optibench compare --architecture` uses, precision is FP16
with float32 inputs and outputs, as the dashboard's variants have. With `--dashboard`, a folder of
recorded comparisons, the fastest correct variant of each is set against it. Run both on one machine in one go:
hosts differ by more than what is compared.
"""

from __future__ import annotations

import argparse
import copy
import functools
import gc
import json
import shlex
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

from benchmarks.against import against  # noqa: E402

SEED = 0
ARCHITECTURES = {
    "resnet50": "torchvision.resnet50",
    "bert_base": "transformers.BertModel",
    "vit_b_16": "torchvision.vit_b_16",
    "mobilenet_v3_large": "torchvision.mobilenet_v3_large",
}
LENGTH = 128
WARM_UP_CALLS, SECONDS, CALLS = 20, 1.0, 50


def main() -> None:
    """Time every way for every model and batch size, and write what came out at once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", default=",".join(ARCHITECTURES))
    parser.add_argument("--batches", default="1,32,256")
    parser.add_argument("--ways", default="tensorrt,compile,eager")
    parser.add_argument("--dashboard", type=Path, help="folder with the dashboard's recorded comparisons")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for model in options.models.split(","):
        for batch in map(int, options.batches.split(",")):
            for way in options.ways.split(","):
                rows.append(row(model, batch, way))
                print(json.dumps(rows[-1]), flush=True)
                write(rows, options)
    if options.dashboard:
        for each in against(rows, options.dashboard):
            print("{model:<20} {batch_size:>5} {hand_written:>26} {dashboard:>60} {ratio:6.3f}".format(**each))


def write(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Keep what there is so far, with the command and the machine."""
    found: dict[str, Any] = {"command": shlex.join(["python", *sys.argv]), "machine": machine(), "rows": rows}
    if options.dashboard:
        found["against_the_dashboard"] = against(rows, options.dashboard)
    (options.out / f"handwritten-{options.models.replace(',', '-')}.json").write_text(json.dumps(found, indent=1))


def row(model: str, batch: int, way: str) -> dict[str, Any]:
    """One way for one model and batch size; what fails is written down and the others go on."""
    found: dict[str, Any] = {"model": model, "batch_size": batch, "way": way}
    began = time.perf_counter()
    try:
        run, error = WAYS[way](ARCHITECTURES[model], batch)
        found |= {"latency_ms": timed(run), "relative_l2": error}
    except Exception as error:
        traceback.print_exc()
        found["failed"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    found["seconds"] = time.perf_counter() - began
    clear()
    return found


def clear() -> None:
    """Give memory back before the next way."""
    import torch

    torch._dynamo.reset()
    gc.collect()
    torch.cuda.empty_cache()


@functools.cache
def settled_module(architecture: str) -> Any:
    """The module with the weights that the dashboard uses, on the CPU."""
    from engine.catalog.random_weights import settled
    from engine.formats import torch_module

    with tempfile.TemporaryDirectory() as folder:
        return torch_module.load(settled(Path(folder), architecture, {}, SEED).path).eval()


def module_and_inputs(architecture: str, batch: int) -> tuple[Any, list[Any], Any]:
    """The settled FP32 module on the GPU, one set of inputs, and its FP32 output without TF32."""
    import numpy as np
    import torch

    from engine import catalog
    from engine.feeds import draw

    module = copy.deepcopy(settled_module(architecture)).cuda()
    description = catalog.describe(architecture, {}, module)
    generator = np.random.default_rng(SEED)
    inputs = []
    for each in description.inputs:
        sizes = dict.fromkeys(each.dynamic, LENGTH) | {str(each.shape[0]): batch}
        inputs.append(torch.from_numpy(draw(each, sizes, generator)).cuda())
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    with torch.inference_mode():
        expected = tensors(module(*inputs))[0].clone()
    return module, inputs, expected


def tensors(output: Any) -> tuple[Any, ...]:
    """Every tensor of a module's output."""
    return (output,) if hasattr(output, "shape") else tuple(output)


def half(module: Any) -> Any:
    """The module in FP16 with FP32 inputs and outputs."""
    import torch

    class Half(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module.half()

        def forward(self, *inputs: Any) -> Any:
            cast = [each.half() if each.is_floating_point() else each for each in inputs]
            return tuple(each.float() for each in tensors(self.module(*cast)))

    return Half().cuda().eval()


def relative_l2(output: Any, expected: Any) -> float:
    """How far the first output is from FP32's."""
    value = tensors(output)[0]
    return float((value.float() - expected).norm() / expected.norm())


def eager(architecture: str, batch: int) -> tuple[Callable[[], Any], float]:
    """Eager FP16 under one captured CUDA graph."""
    import torch

    module, inputs, expected = module_and_inputs(architecture, batch)
    narrow = half(module)
    side = torch.cuda.Stream()
    with torch.inference_mode(), torch.cuda.stream(side):
        for _ in range(3):
            narrow(*inputs)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            output = narrow(*inputs)
    graph.replay()
    torch.cuda.synchronize()
    return graph.replay, relative_l2(output, expected)


def compiled(architecture: str, batch: int, mode: str) -> tuple[Callable[[], Any], float]:
    """torch.compile in a mode that replays CUDA graphs."""
    import torch

    module, inputs, expected = module_and_inputs(architecture, batch)
    for each in inputs:
        torch._dynamo.mark_static_address(each)
    call = torch.compile(half(module), mode=mode, dynamic=False)

    def run() -> Any:
        with torch.inference_mode():
            return call(*inputs)

    for _ in range(3):
        output = run()
    return run, relative_l2(output, expected)


def tensorrt(architecture: str, batch: int) -> tuple[Callable[[], Any], float]:
    """A TensorRT FP16 engine for exactly these shapes, under a captured CUDA graph."""
    import torch

    module, inputs, expected = module_and_inputs(architecture, batch)
    api = import_tensorrt()
    context, engine = context_of(api, half(module), inputs)
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    outputs = [name for name in names if engine.get_tensor_mode(name) == api.TensorIOMode.OUTPUT]
    for name, value in zip((each for each in names if each not in outputs), inputs, strict=True):
        context.set_input_shape(name, tuple(value.shape))
        context.set_tensor_address(name, value.data_ptr())
    made = [torch.empty(tuple(context.get_tensor_shape(name)), device="cuda") for name in outputs]
    for name, value in zip(outputs, made, strict=True):
        context.set_tensor_address(name, value.data_ptr())
    stream = torch.cuda.Stream()
    for _ in range(3):
        context.execute_async_v3(stream.cuda_stream)
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        context.execute_async_v3(stream.cuda_stream)
    graph.replay()
    torch.cuda.synchronize()
    kept = (context, engine, inputs, made)

    def run(_: Any = kept) -> None:
        graph.replay()

    return run, relative_l2(made, expected)


def context_of(api: Any, module: Any, inputs: list[Any]) -> tuple[Any, Any]:
    """Export, build and open one engine."""
    import torch

    logger = api.Logger(api.Logger.WARNING)
    builder = api.Builder(logger)
    network = builder.create_network(1 << int(api.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = api.OnnxParser(network, logger)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.onnx")
        with torch.inference_mode():
            torch.onnx.export(module, tuple(inputs), path, dynamo=True, external_data=False)
        if not parser.parse_from_file(path):
            raise RuntimeError(parser.get_error(0).desc())
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    engine = api.Runtime(logger).deserialize_cuda_engine(plan)
    return engine.create_execution_context(), engine


def import_tensorrt() -> Any:
    """TensorRT, or TensorRT for RTX where there is none."""
    try:
        import tensorrt as api
    except ImportError:
        import tensorrt_rtx as api
    return api


WAYS: dict[str, Callable[[str, int], tuple[Callable[[], Any], float]]] = {
    "eager": eager,
    "compile": functools.partial(compiled, mode="reduce-overhead"),
    "autotune": functools.partial(compiled, mode="max-autotune"),
    "tensorrt": tensorrt,
}


def timed(run: Callable[[], Any]) -> float:
    """Median milliseconds of one call with nothing else on the GPU: issue, then wait."""
    import torch

    for _ in range(WARM_UP_CALLS):
        run()
    torch.cuda.synchronize()
    times: list[float] = []
    ended = time.perf_counter() + SECONDS
    while len(times) < CALLS or time.perf_counter() < ended:
        began = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def machine() -> dict[str, str]:
    """What it ran on."""
    import torch

    try:
        api = import_tensorrt()
        tensorrt_version = f"{api.__name__} {api.__version__}"
    except ImportError:
        tensorrt_version = "not installed"
    return {
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "torch": torch.__version__,
        "tensorrt": tensorrt_version,
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


if __name__ == "__main__":
    main()
