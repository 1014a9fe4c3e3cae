"""Why is it slow: one finding for each cause, from made-up measurements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.analysis.diagnosis import diagnose
from engine.analysis.roofline import Work, roof
from engine.document import LatencySummary, Result, VariantDocument
from engine.measurement import Parity, Sizes

GPU: dict[str, Any] = {"device": "cuda:0", "gpu": {"name": "H100", "processes": 0}}
CPU = {"device": "cpu"}


def measured(p50: float = 1.0, enqueue: float = 0.1, batch_size: int = 1, **more: Any) -> Result:
    resident = LatencySummary(p50=p50, enqueue=enqueue)
    return Result(batch_size, "ok", latency_ms={"resident": resident}, **more)


def variant(*results: Result, **more: Any) -> VariantDocument:
    facts = {"id": "v", "recipe": "eager", "label": "Eager", "route": (), "precision": "fp16", **more}
    return VariantDocument(results=results, **facts)


def findings(result: Result, of: VariantDocument | None = None, base: Result | None = None, where: Any = None) -> str:
    found = diagnose(result, of or variant(result), base, GPU if where is None else where)
    assert all(each["finding"].endswith(".") and each["advice"].endswith(".") for each in found)
    return " ".join(each["finding"] for each in found)


def test_a_host_that_can_not_issue_fast_enough() -> None:
    assert "Launch-bound: 90%" in findings(measured(enqueue=0.9))


def test_on_a_cpu_the_call_is_the_work() -> None:
    assert findings(measured(enqueue=1.0), where=CPU) == ""


def test_a_cuda_graph_changes_the_advice() -> None:
    result = measured(enqueue=0.95, details={"cuda_graph": True})
    assert "larger batch" in diagnose(result, variant(result), None, GPU)[0]["advice"]


def test_copies_that_take_longer_than_computing() -> None:
    result = measured()
    result.latency_ms["end_to_end"] = LatencySummary(p50=3.0)
    assert "Copies dominate: 2 of 3 ms" in findings(result)


def test_nodes_on_the_cpu() -> None:
    details = {"nodes": {"CUDA": 10, "CPU": 54}, "fallbacks": {"QLinearConv": 54}}
    assert "54 of 64 nodes run on the CPU (QLinearConv)" in findings(measured(details=details))


def test_operators_that_stayed_in_pytorch() -> None:
    details = {"partitions": 2, "in_pytorch": {"nonzero": 1, "topk": 2}}
    assert "3 operators stayed in PyTorch (nonzero, topk); the rest is 2 TensorRT engines" in findings(
        measured(details=details)
    )


def test_fp32_without_tensor_cores() -> None:
    result = measured()
    assert "without tensor cores" in findings(result, variant(result, precision="fp32"))


def test_half_precision_kernels_without_tensor_cores() -> None:
    result = measured()
    kernels = [{"name": "implicit_convolve_sgemm", "ms": 1.0}]
    assert "Only 0% of the time" in findings(result, variant(result, profile={"kernels": kernels}))


def test_lowered_clocks_and_company_on_the_gpu() -> None:
    result = measured(details={"throttle_reasons": ["power cap"]}, unstable="it varies by 8 %")
    busy = {**GPU, "gpu": {"processes": 2}}
    text = findings(result, where=busy)
    assert "power cap" in text
    assert "varies by 8 %" in text
    assert "2 other processes" in text


def test_a_batch_that_does_not_fill_the_gpu() -> None:
    small, large = measured(p50=1.0), measured(p50=4.0, batch_size=32)
    assert "8× as long as at batch 32" in findings(small, variant(small, large))
    assert "fill" not in findings(large, variant(small, large))


def test_a_smaller_file_that_is_not_faster() -> None:
    base = measured(p50=1.0, size_bytes=Sizes(100, 90))
    result = measured(p50=1.0, size_bytes=Sizes(25, 20))
    found = diagnose(result, variant(result, recipe="dynamic-int8 > onnxruntime"), base, CPU)
    assert "The file is 25% of the original's" in found[0]["finding"]
    assert "kernels for that type" in found[0]["advice"]


def test_zeros_are_not_faster() -> None:
    base = measured(p50=1.0, size_bytes=Sizes(100, 90))
    result = measured(p50=1.0, size_bytes=Sizes(100, 50))
    assert "Zeroed weights" in findings(result, variant(result, recipe="prune-magnitude > eager"), base, CPU)


def test_a_coded_file_is_multiplied_in_full() -> None:
    base = measured(size_bytes=Sizes(file=1000, compressed=900))
    coded = measured(p50=1.01, size_bytes=Sizes(file=10, compressed=10))
    found = diagnose(coded, variant(coded, recipe="deep-compression(amount=0.9) > eager"), base, CPU)
    assert "decoded on loading and multiplied in full" in found[0]["advice"]


def test_wrong_outputs_come_first() -> None:
    parity = Parity(passed=False, relative_l2=0.5, tolerance=0.02, precision="fp16")
    result = replace(measured(enqueue=0.9, parity=parity), status="suspect")
    assert diagnose(result, variant(result), None, GPU)[0]["finding"].startswith("The outputs differ")


def test_not_a_number_is_said_plainly() -> None:
    parity = Parity(passed=False, finite=False, precision="fp8")
    result = replace(measured(parity=parity), status="suspect")
    assert "NaN or infinity" in findings(result)


def test_what_did_not_run_has_its_own_reason() -> None:
    assert diagnose(Result(1, "oom"), variant(), None, GPU) == ()


def test_far_from_the_limit_is_said_at_every_batch_size_from_one_profile() -> None:
    roofline = {
        "work": {"flops": 8e9, "weights": 25e6, "io_bytes": 6e5},
        "ceilings": {"bandwidth": 3e12, "flops": {"fp16": 8e14}},
        "precision": "fp16",
    }
    result = measured(p50=10.0, batch_size=32)
    assert "It reaches 3.2% of this device's limit" in findings(result, variant(result, profile={"roofline": roofline}))


def test_the_limit_is_the_larger_of_computing_and_moving() -> None:
    work = Work(flops=8e9, weights=25e6, io_bytes=6e5)
    ceilings = {"bandwidth": 3e12, "flops": {"fp16": 8e14}}
    one, many = (roof(work, ceilings, "fp16", batch, 1.0) for batch in (1, 256))
    assert one is not None
    assert many is not None
    assert one.bound == "memory"
    assert one.limit_ms == pytest.approx((25e6 * 2 + 6e5) / 3e12 * 1e3)
    assert many.bound == "compute"
    assert many.limit_ms == pytest.approx(8e9 * 256 / 8e14 * 1e3)
    assert roof(work, ceilings, "int4", 1, 1.0) is None
