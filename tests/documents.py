"""Comparison documents as the engine writes them, made up but plausible, for tests of what reads them."""

# ruff: noqa: E501

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from engine.document import SCHEMA, ComparisonDocument, Interval, LatencySummary, Result, Speedup, VariantDocument
from engine.measurement import Accuracy, Parity, Sizes, Throughput
from engine.spec import ModelSpec, Preprocessing, Status, TensorSpec, Workload

MODEL = ModelSpec(
    name="resnet50",
    format="torch-module",
    inputs=(TensorSpec("x", "float32", ("batch", 3, 224, 224)),),
    outputs=(TensorSpec("logits", "float32", ("batch", 1000)),),
    parameters=25_557_032,
    size_bytes=102_400_000,
    architecture="torchvision.resnet50",
    operators={"aten::conv2d": 53, "aten::batch_norm": 53, "aten::relu": 49, "aten::add": 16, "aten::linear": 1},
    task="classification",
    preprocessing=Preprocessing(resize=(224, 224), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
)
ENVIRONMENT: dict[str, Any] = {
    "device": "cuda:0",
    "gpu": {"name": "NVIDIA H100 80GB HBM3", "driver": "580.65.06", "power_limit_w": 700},
    "cuda": "13.0",
    "python": "3.12.11",
    "cpu": {"name": "Intel Xeon Platinum 8480C", "cores": 8, "memory_bytes": 128_000_000_000},
    "threads": 8,
    "libraries": {"torch": "2.11.0+cu130", "onnxruntime-gpu": "1.30.0", "tensorrt-rtx": "1.4.0.76"},
}


def latency(p50: float, rounds: int = 5) -> LatencySummary:
    """A summary with an interval of 2 %, or none with one round."""
    spread = 0.02 * p50
    bounds = (p50 - spread, p50 + spread) if rounds > 1 else (None, None)
    return LatencySummary(
        p50, *bounds, p90=p50 * 1.03, p99=p50 * 1.1, count=1200, rounds=rounds, variation=0.012, enqueue=p50 * 0.3
    )


def result(
    batch_size: int,
    p50: float,
    megabytes: float,
    accuracy: float,
    *,
    status: Status = "ok",
    reason: str = "",
    hint: str = "",
    error: float = 0.002,
    precision: str = "fp32",
    baseline_ms: float = 3.4,
    rounds: int = 5,
    **more: Any,
) -> Result:
    """One measured result."""
    file = int(megabytes * 1e6)
    ratio = baseline_ms / p50
    speedup = Speedup(ratio, ratio * 0.97, ratio * 1.03, abs(ratio - 1) > 0.03) if rounds > 1 else Speedup(ratio)
    plain = Speedup(3.41 / p50, 3.3 / p50, 3.5 / p50, abs(p50 - 3.41) > 0.2, "PyTorch FP16")
    rng = random.Random(f"{p50}{batch_size}")
    samples = tuple(tuple(int(p50 * 1e6 * rng.gauss(1, 0.01)) for _ in range(60)) for _ in range(rounds))
    return Result(
        batch_size=batch_size,
        status=status,
        reason=reason,
        hint=hint,
        parity=Parity(
            passed=status == "ok",
            relative_l2=error,
            cosine=1 - error * error / 2,
            top1_agreement=1 - error,
            samples=64,
            evidence="data",
            tolerance=0.02 if precision != "fp32" else 1e-4,
            precision=precision,
            outputs={"logits": error},
        ),
        size_bytes=Sizes(file, int(file * 0.92), 102_000_000, 101_900_000),
        build_s=12.4,
        load_s=0.8,
        first_call_s=0.4,
        latency_ms={"resident": latency(p50, rounds), "end_to_end": latency(p50 * 1.1 + 0.05, rounds)},
        speedup={"baseline": speedup, **({"same-precision": plain} if precision == "fp16" else {})},
        throughput_per_s=batch_size / p50 * 1000 * 1.1,
        throughput=tuple(
            Throughput(each, 1000 * each / (p50 * (0.4 + 0.6 * each / 8)), "asynchronous", 200)
            for each in (1, 2, 4, 8, 16)
        ),
        device_memory_bytes=1_200_000_000,
        host_memory_bytes=900_000_000,
        energy_j=0.12 * batch_size,
        power_w=310.0,
        accuracy=Accuracy(accuracy, accuracy - 0.012, accuracy + 0.011, 2000),
        accuracy_difference=Interval(accuracy - 0.8030, accuracy - 0.8030 - 0.004, accuracy - 0.8030 + 0.004),
        samples_ns={
            "resident": samples,
            "end_to_end": tuple(tuple(int(1.1 * x + 50_000) for x in one) for one in samples),
        },
        **more,
    )


def variant(id: str, recipe: str, label: str, runtime: str, family: str, **more: Any) -> VariantDocument:
    """One variant with its route in words."""
    steps = tuple(each.strip() for each in recipe.split(">"))
    return VariantDocument(
        id=id,
        recipe=recipe,
        label=label,
        route=steps,
        route_text=" → ".join(["torch-module", *steps]),
        runtime=runtime,
        family=family,
        reproduce=f'optibench compare resnet50.safetensors --architecture torchvision.resnet50 --recipe "{recipe}"',
        **more,
    )


def bad(status: Status, reason: str, hint: str) -> tuple[Result, ...]:
    """Results without figures at both batch sizes."""
    return tuple(Result(each, status, reason, hint) for each in (1, 32))


def gpu_document() -> ComparisonDocument:
    """ResNet-50 on an H100: every status that a finished comparison can have."""
    tensorrt_profile = {
        "layers": [
            {
                "name": f"conv_{n} + relu_{n}",
                "ms": 0.02 / (1 + n / 4),
                "kind": "fused",
                "origin": [f"conv_{n}", f"relu_{n}"],
                "precision": "fp16",
            }
            for n in range(22)
        ],
        "layers_before": 126,
        "layers_after": 58,
        "launches": 58,
        "busy_ms": 0.36,
    }
    launch_bound = {
        "name": "launch-bound",
        "finding": "Enqueueing takes 92% of the latency: the GPU waits for the host.",
        "advice": "Try cuda_graph=true or torch-compile.",
    }
    best = result(1, 0.401, 51.8, 0.8028, error=0.0021, precision="fp16")
    suspect_words = "Relative error 3.4 where 0.1 is allowed: the outputs are not the model's."
    variants = (
        variant("eager", "eager", "PyTorch FP32", "eager", "pytorch", precision="fp32", baseline=True, results=(
            result(1, 3.4, 102.4, 0.8030, error=0.0, diagnosis=(launch_bound,)),
            result(32, 12.4, 102.4, 0.8030, error=0.0, baseline_ms=12.4))),
        variant("half", "half > eager", "PyTorch FP16", "eager", "pytorch", precision="fp16", results=(
            result(1, 3.41, 51.2, 0.8029, precision="fp16"), result(32, 4.4, 51.2, 0.8029, precision="fp16", baseline_ms=12.4))),
        variant("traced", "trace > freeze > torchscript", "TorchScript, traced", "torchscript", "torchscript", precision="fp32", results=(
            result(1, 2.71, 102.6, 0.8030, error=1e-6), result(32, 12.1, 102.6, 0.8030, error=1e-6, baseline_ms=12.4))),
        variant("compile", "half > torch-compile", "torch.compile FP16", "torch-compile", "compile", precision="fp16", results=(
            result(1, 0.66, 51.2, 0.8027, precision="fp16", unstable="Variation 4.1% between calls."),
            result(32, 1.76, 51.2, 0.8027, precision="fp16", baseline_ms=12.4))),
        variant("ort", "half > onnx > onnxruntime(cuda_graph=true)", "ONNX Runtime FP16", "onnxruntime", "onnxruntime", precision="fp16", results=(
            result(1, 0.58, 51.1, 0.8031, precision="fp16"), result(32, 2.0, 51.1, 0.8031, precision="fp16", baseline_ms=12.4))),
        variant("trt", "half > onnx > tensorrt(cuda_graph=true)", "TensorRT FP16", "tensorrt", "tensorrt", precision="fp16", profile=tensorrt_profile, results=(
            best, result(32, 1.73, 51.8, 0.8028, precision="fp16", baseline_ms=12.4)),
            steps=({"step": "half", "seconds": 0.6, "cached": False}, {"step": "onnx", "seconds": 9.1, "cached": False},
                   {"step": "tensorrt-build", "seconds": 22.0, "cached": False, "warnings": ["2 tactics skipped"]})),
        variant("fp8", "fp8-qdq > onnx > tensorrt", "TensorRT FP8", "tensorrt", "tensorrt", precision="fp8", results=(
            result(1, 0.35, 27.1, 0.0010, status="suspect", reason=suspect_words, hint="Keep the first and last layer in FP16.", error=3.4, precision="fp8"),
            result(32, 2.86, 27.1, 0.0010, status="suspect", reason=suspect_words, hint="Keep the first and last layer in FP16.", error=3.4, precision="fp8", baseline_ms=12.4))),
        variant("int8", "int8-qdq > onnx > tensorrt", "TensorRT INT8", "tensorrt", "tensorrt", precision="int8", results=bad(
            "unsupported", "TensorRT-RTX has no INT8 convolution on this GPU.", "Use FP8 or FP16.")),
        variant("aoti", "aot-compile > aoti", "AOTInductor FP32", "aoti", "compile", precision="fp32", results=bad(
            "failed", "AOTInductor needs a C++ compiler and found none.", "Run: apt install g++")),
        variant("libtorch", "trace > libtorch", "LibTorch C++ FP32", "libtorch", "libtorch", precision="fp32", results=(
            result(1, 2.4, 102.6, 0.8030, error=1e-6), Result(32, "oom", "The GPU's memory ran out at batch 32.", "Try a smaller batch size."))),
    )  # fmt: skip
    return ComparisonDocument(
        schema=SCHEMA,
        name="ResNet-50 on an H100",
        model=MODEL,
        workload=Workload(batch_sizes=(1, 32), device="cuda:0", rounds=5, preset="recorded", dataset="imagenet-sample"),
        environment=ENVIRONMENT,
        variants=variants,
        created="2026-11-20T10:00:00Z",
        finished="2026-11-20T10:21:00Z",
        command="optibench compare resnet50.safetensors --architecture torchvision.resnet50 --preset recorded --batch 1,32 --device cuda --out resnet50.json",
        origin="recorded",
        dataset={"name": "imagenet-sample", "samples": 2000, "labelled": True},
    )


def quick_document() -> ComparisonDocument:
    """One round on a CPU: no intervals, agreement instead of accuracy, nothing faster than the baseline."""
    document = gpu_document()
    wanted = [each for each in document.variants if each.id in ("eager", "traced")]
    times = {"eager": 1.52, "traced": 1.61}
    variants = []
    for each in wanted:
        one = result(1, times[each.id], 0.5, 1.0, rounds=1, baseline_ms=1.52)
        agreement = Accuracy(1.0, 0.9, 1.0, 32, "agreement")
        parity = replace(one.parity, evidence="random") if one.parity else None
        variants.append(replace(each, results=(replace(one, accuracy=agreement, parity=parity),)))
    return replace(
        document,
        name="Digits, quick look",
        model=replace(MODEL, name="digits"),
        workload=Workload(dataset=""),
        variants=tuple(variants),
        environment={"device": "cpu", "cpu": {"name": "AMD EPYC", "cores": 2}},
        origin="measured",
        dataset={},
    )


def crowded_document(number: int = 40) -> ComparisonDocument:
    """Many variants of one batch size: the last four failed, the three before them are suspect."""
    document = gpu_document()
    variants = []
    for at in range(number):
        one = result(1, 3.4 - at / 20, 50.0, 0.8)
        if at >= number - 4:
            one = Result(1, "failed", "The operator aten::foo is not supported.", "Try another exporter.")
        elif at >= number - 7:
            one = replace(one, status="suspect", reason="The outputs differ.")
        named = variant(f"v{at}", f"onnxruntime(threads={at})", f"Variant {at}", "onnxruntime", "onnxruntime")
        variants.append(replace(named, precision="fp32", baseline=at == 0, results=(one,)))
    workload = replace(document.workload, batch_sizes=(1,))
    return replace(document, name="Crowded", workload=workload, variants=tuple(variants))


def failed_document() -> ComparisonDocument:
    """A comparison of which nothing worked, for two reasons."""
    document = gpu_document()
    reasons = ("The operator aten::foo is not supported.", "The compiler is missing.")
    variants = tuple(
        replace(each, results=bad("failed", reasons[at == 0], "Try another exporter."), profile={}, steps=())
        for at, each in enumerate(document.variants[:4])
    )
    return replace(document, name="Nothing worked", variants=variants)
