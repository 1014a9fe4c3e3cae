"""Why is it slow: what the measurements of one variant at one batch size say, and what to try.

A pure function over stored results. It reads from `result.details` what runtimes and sensors report
(`nodes`, `fallbacks`, `partitions`, `in_pytorch`, `cuda_graph`, `throttle_reasons`), from
`environment` the device and who else used it, and from `variant.profile` kernels and roofline where
the variant was profiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.analysis.kernels import tensor_core_share
from engine.analysis.roofline import roof_of
from engine.document import LatencySummary, Result, VariantDocument

LAUNCH_BOUND = 0.8
COPIES_DOMINATE = 2.0
SAME_SPEED = 1.05
SHRANK = 0.7
UNFILLED = 2.0
LOW_ROOF = 0.1
MEASURED = ("ok", "suspect")


@dataclass(frozen=True)
class Case:
    """What one diagnosis looks at."""

    result: Result
    variant: VariantDocument
    baseline: Result | None
    environment: dict[str, Any]

    @property
    def resident(self) -> LatencySummary | None:
        return self.result.latency_ms.get("resident")

    @property
    def on_gpu(self) -> bool:
        device = str(self.environment.get("device") or self.result.details.get("device") or "")
        return device.startswith("cuda") or self.result.device_memory_bytes is not None

    @property
    def gpu(self) -> Mapping[str, Any]:
        found = self.environment.get("gpu")
        return found if isinstance(found, Mapping) else {}

    @property
    def launch_bound(self) -> bool:
        found = self.resident
        return bool(self.on_gpu and found and found.enqueue and found.enqueue >= LAUNCH_BOUND * found.p50)


Findings = Iterator[tuple[str, str]]
CHANGED = "Compare the route's steps one by one: an export or a fused operator changed the computation."
WIDER = "Keep the sensitive layers in higher precision, or use FP16 or BF16 instead."
INSTEAD = {
    "fp32": CHANGED,
    "tf32": CHANGED,
    "fp16": "Try BF16, which has FP32's range; on a GPU, TF32 keeps FP32's file.",
    "bf16": "Try FP16, whose steps are eight times finer; on a GPU, TF32 keeps FP32's file.",
}


def diagnose(
    result: Result, variant: VariantDocument, baseline: Result | None, environment: dict[str, Any]
) -> tuple[dict[str, str], ...]:
    """What stands out, most important first; each has `finding` and `advice`.

    `baseline` is the baseline's result at the same batch size, or None. A result that was not
    measured has its own reason and gets no diagnosis.
    """
    if result.status not in MEASURED:
        return ()
    case = Case(result, variant, baseline, environment)
    return tuple({"finding": finding, "advice": advice} for rule in RULES for finding, advice in rule(case))


def wrong_outputs(case: Case) -> Findings:
    """A precision that turned NaN or drifted."""
    parity = case.result.parity
    if parity is None or parity.passed is not False:
        return
    precision = parity.precision.upper()
    advice = INSTEAD.get(parity.precision, WIDER)
    if not parity.finite:
        yield f"The {precision} outputs hold NaN or infinity, so this variant can't be used.", advice
    elif parity.relative_l2 is not None and parity.tolerance is not None:
        yield (
            f"The outputs differ from the original's by {parity.relative_l2:.2g} (relative L2); {precision} may differ "
            f"by {parity.tolerance:.2g}.",
            advice,
        )


def fell_back(case: Case) -> Findings:
    """Work that left the provider or compiler the user asked for."""
    nodes = case.result.details.get("nodes") or {}
    on_cpu = int(nodes.get("CPU", 0))
    if case.on_gpu and on_cpu and len(nodes) > 1:
        kinds = ", ".join(list(case.result.details.get("fallbacks") or ())[:3])
        yield (
            f"{on_cpu} of {sum(nodes.values())} nodes run on the CPU{f' ({kinds})' if kinds else ''}, "
            "each with copies to and from the GPU.",
            "Replace or move these operators out of the model, or choose a precision that the GPU provider supports.",
        )
    left = case.result.details.get("in_pytorch") or {}
    if left:
        kinds = ", ".join(list(left)[:3])
        parts = case.result.details.get("partitions") or 0
        rest = f"the rest is {parts} TensorRT engine{'' if parts == 1 else 's'}" if parts else "TensorRT took nothing"
        yield (
            f"{sum(left.values())} operators stayed in PyTorch ({kinds}); {rest}.",
            "Export to ONNX and build one TensorRT engine, or rewrite these operators.",
        )


def launch_bound(case: Case) -> Findings:
    """The host can't issue work as fast as the GPU does it."""
    found = case.resident
    if not case.launch_bound or found is None or found.enqueue is None:
        return
    share = min(1.0, found.enqueue / found.p50)
    finding = f"Launch-bound: {share:.0%} of the latency is the host issuing work, while the GPU waits."
    if case.result.details.get("cuda_graph"):
        yield finding, "It already runs as a CUDA graph: only a larger batch uses the GPU better."
    else:
        yield finding, "Turn on the CUDA graph, or compile the model (torch.compile, TensorRT)."


def copies(case: Case) -> Findings:
    """Inputs and outputs take longer to move than to compute."""
    whole, found = case.result.latency_ms.get("end_to_end"), case.resident
    if case.on_gpu and whole and found and whole.p50 > COPIES_DOMINATE * found.p50:
        yield (
            f"Copies dominate: {whole.p50 - found.p50:.3g} of {whole.p50:.3g} ms end to end move inputs and outputs.",
            "Preprocess on the GPU, send smaller types (uint8 images), and fetch only what is used.",
        )


def tensor_cores(case: Case) -> Findings:
    """Matrix products that don't use tensor cores."""
    if not case.on_gpu or case.launch_bound:
        return
    if case.variant.precision == "fp32":
        yield (
            "FP32 with TF32 off runs without tensor cores.",
            "Try TF32 (same file) or FP16; both use tensor cores and are judged by parity.",
        )
        return
    share = tensor_core_share(case.variant.profile.get("kernels") or ())
    if share is not None and share < 0.5:
        yield (
            f"Only {share:.0%} of the time in matrix products is spent in tensor-core kernels.",
            "Use channel counts and sequence lengths that are multiples of 8 (FP16) or 16 (INT8, FP8).",
        )


def disturbed(case: Case) -> Findings:
    """The machine did not hold still."""
    named = ", ".join(map(str, case.result.details.get("throttle_reasons") or ()))
    if named:
        yield (
            f"The GPU lowered its clocks while this was measured ({named}).",
            "Check cooling and power limit, and measure again; compare only within one run.",
        )
    if case.result.unstable:
        rounds = case.resident.rounds if case.resident is not None else 0
        yield (
            f"The timings were not stable: {case.result.unstable.rstrip('.')}.",
            "Close other programs and measure again; until then trust the intervals, not the third digit."
            if rounds > 1
            else "Close other programs and run the Full preset, which interleaves five rounds.",
        )
    others = case.gpu.get("processes") or 0
    if others:
        yield (
            f"{others} other process{'' if others == 1 else 'es'} used this GPU.",
            "Measure again when the GPU is free.",
        )


def small_batch(case: Case) -> Findings:
    """One sample alone leaves most of the GPU idle."""
    found = case.resident
    if not case.on_gpu or found is None:
        return
    larger = [
        each
        for each in case.variant.results
        if each.batch_size > case.result.batch_size and each.status in MEASURED and "resident" in each.latency_ms
    ]
    if not larger:
        return
    best = min(larger, key=lambda each: each.latency_ms["resident"].p50 / each.batch_size)
    ratio = (found.p50 / case.result.batch_size) / (best.latency_ms["resident"].p50 / best.batch_size)
    if ratio >= UNFILLED:
        yield (
            f"Batch {case.result.batch_size} does not fill the GPU: a sample takes {ratio:.3g}× as long as at batch "
            f"{best.batch_size}.",
            "Batch requests together where the service allows it.",
        )


def smaller_not_faster(case: Case) -> Findings:
    """A file that shrank without a speed-up, or a variant slower than the baseline."""
    base, found = case.baseline, case.resident
    if base is None or found is None or case.variant.baseline or "resident" not in base.latency_ms:
        return
    speedup = base.latency_ms["resident"].p50 / found.p50
    sizes, before = case.result.size_bytes, base.size_bytes
    if sizes and before and before.file and sizes.file < SHRANK * before.file and speedup < SAME_SPEED:
        yield (
            f"The file is {sizes.file / before.file:.0%} of the original's; it runs at {speedup:.2f}× the baseline.",
            why_not_faster(case.variant),
        )
    elif sizes and before and "prune-magnitude" in case.variant.recipe and speedup < SAME_SPEED:
        yield (
            f"Zeroed weights did not speed anything up ({speedup:.2f}× the baseline).",
            why_not_faster(case.variant),
        )


def why_not_faster(variant: VariantDocument) -> str:
    """What to try where compression bought bytes only, by the techniques of the recipe."""
    if "deep-compression" in variant.recipe or "clip-q" in variant.recipe:
        return (
            "The weights are decoded on loading and multiplied in full: prune channels or lower the precision as well."
        )
    if "prune-magnitude" in variant.recipe:
        return "Zeros are multiplied like any weight: prune whole channels, or use the 2:4 pattern with TensorRT."
    if "int8" in variant.recipe or "int4" in variant.recipe or "fp8" in variant.recipe:
        return "This runtime converts the weights back before it multiplies: try a runtime with kernels for that type."
    if "half" in variant.recipe or "bfloat16" in variant.recipe:
        return "Half precision pays off in matrix products: try a larger batch or a compiled runtime."
    return "Fewer bytes are not fewer operations: look at the time per layer on the Explain page."


def far_from_roof(case: Case) -> Findings:
    """Far below what the device could do, where nothing else explains it."""
    roof = roof_of(case.result, case.variant)
    if roof is not None and roof.fraction < LOW_ROOF and not case.launch_bound and case.on_gpu:
        yield (
            f"It reaches {roof.fraction:.1%} of this device's limit for this model ({roof.bound}-bound).",
            "Look at the layers that take the most time; many small ones are fused by a compiler or a larger batch.",
        )


RULES: tuple[Callable[[Case], Findings], ...] = (
    wrong_outputs,
    fell_back,
    launch_bound,
    copies,
    tensor_cores,
    disturbed,
    smaller_not_faster,
    small_batch,
    far_from_roof,
)
