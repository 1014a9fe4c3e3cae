"""Comparison document → pandas frames, the only shape that plots, tables and choices read."""

from __future__ import annotations

from typing import Any

import pandas as pd

from engine.analysis import numbers
from engine.analysis.kernels import short_name
from engine.document import ComparisonDocument, LatencySummary, Result, Speedup, VariantDocument
from engine.measurement import Parity
from engine.metrics import LATENCIES, METRICS


def results(document: ComparisonDocument, latency: str = "resident", batch_size: int | None = None) -> pd.DataFrame:
    """One row for each variant and batch size; a variant that has no result yet is queued.

    `latency` chooses which of the two latencies the latency and speed-up columns hold; they are
    never mixed in one frame. With `batch_size` there are the rows of that one alone. Absent figures are NaN.
    """
    rows = [
        {**variant_facts(variant, order), **result_facts(result, latency)}
        for order, variant in enumerate(document.variants)
        for result in variant.results or tuple(Result(each, "queued") for each in document.workload.batch_sizes)
        if batch_size in (None, result.batch_size)
    ]
    frame = pd.DataFrame(rows, columns=None if rows else [*empty_columns()])
    numeric = [each for each in frame.columns if each in NUMERIC]
    frame[numeric] = frame[numeric].apply(pd.to_numeric)
    return frame


def variant_facts(variant: VariantDocument, order: int) -> dict[str, Any]:
    """The columns that say which variant a row is about."""
    return {
        "variant": variant.id,
        "label": variant.label or variant.recipe,
        "recipe": variant.recipe,
        "route": variant.route_text or " → ".join(variant.route),
        "runtime": variant.runtime,
        "family": variant.family,
        "precision": variant.precision,
        "baseline": variant.baseline,
        "static": variant.static,
        "reproduce": variant.reproduce,
        "order": order,
    }


def result_facts(result: Result, latency: str) -> dict[str, Any]:
    """The columns of one result."""
    size, accuracy, parity = result.size_bytes, result.accuracy, result.parity
    difference = result.accuracy_difference
    return {
        "batch_size": result.batch_size,
        "status": result.status,
        "reason": result.reason,
        "hint": result.hint,
        "unstable": result.unstable,
        "file_bytes": size.file if size else None,
        "compressed_bytes": size.compressed if size else None,
        "parameter_bytes": size.parameters if size else None,
        "nonzero_bytes": size.nonzero if size else None,
        "accuracy": accuracy.value if accuracy else None,
        "accuracy_low": accuracy.low if accuracy else None,
        "accuracy_high": accuracy.high if accuracy else None,
        "accuracy_samples": accuracy.samples if accuracy else None,
        "accuracy_kind": accuracy.kind if accuracy else "",
        "accuracy_difference": difference.value if difference else None,
        "accuracy_difference_low": difference.low if difference else None,
        "accuracy_difference_high": difference.high if difference else None,
        **latency_facts(result.latency_ms.get(latency)),
        **plain_facts(result.speedup.get("same-precision") if latency == "resident" else None),
        "throughput_per_s": result.throughput_per_s,
        "throughput_mode": throughput_mode(result),
        "parity": parity_verdict(parity),
        "relative_l2": parity.relative_l2 if parity else None,
        "tolerance": parity.tolerance if parity else None,
        "cosine": parity.cosine if parity else None,
        "top1_agreement": parity.top1_agreement if parity else None,
        "evidence": parity.evidence if parity else "none",
        "parity_samples": parity.samples if parity else None,
        "build_s": result.build_s,
        "cached": result.cached,
        "load_s": result.load_s,
        "first_call_s": result.first_call_s,
        "device_memory_bytes": result.device_memory_bytes,
        "host_memory_bytes": result.host_memory_bytes,
        "energy_j": result.energy_j,
        "sample_energy_j": result.energy_j / result.batch_size if result.energy_j is not None else None,
        "power_w": result.power_w,
    }


def latency_facts(summary: LatencySummary | None) -> dict[str, Any]:
    """The columns of one latency, in milliseconds."""
    return {
        "latency_ms": summary.p50 if summary else None,
        "latency_low": summary.low if summary else None,
        "latency_high": summary.high if summary else None,
        "latency_p90": summary.p90 if summary else None,
        "latency_p99": summary.p99 if summary else None,
        "latency_count": summary.count if summary else None,
        "rounds": summary.rounds if summary else None,
        "variation": summary.variation if summary else None,
        "enqueue_ms": summary.enqueue if summary else None,
    }


def plain_facts(speedup: Speedup | None) -> dict[str, Any]:
    """The columns that compare with the best plain run at the same precision."""
    return {
        "plain_speedup": speedup.value if speedup else None,
        "plain_low": speedup.low if speedup else None,
        "plain_high": speedup.high if speedup else None,
        "plain_different": "" if speedup is None or speedup.different is None else str(speedup.different),
        "plain_against": speedup.against if speedup else "",
    }


def parity_verdict(parity: Parity | None) -> str:
    """One of passed, failed, no evidence, or nothing when outputs were not compared."""
    if parity is None:
        return ""
    if parity.passed is None:
        return "no evidence"
    return "passed" if parity.passed else "failed"


def throughput_mode(result: Result) -> str:
    """How the throughput at this batch size was loaded, or nothing."""
    return next((each.mode for each in result.throughput if each.batch_size == result.batch_size), "")


NOT_NUMERIC = {
    "status", "reason", "hint", "unstable", "accuracy_kind", "throughput_mode", "parity", "evidence", "cached",
    "plain_different", "plain_against",
}  # fmt: skip
NUMERIC = set(result_facts(Result(1, "queued"), "")) - NOT_NUMERIC


def plain_words(row: pd.Series) -> str:
    """How a result compares with the best plain run at the same precision, or nothing."""
    different = {"True": True, "False": False}.get(row["plain_different"])
    words = numbers.ratio(row["plain_speedup"], row["plain_low"], row["plain_high"], different=different)
    if not words:
        return ""
    joined = "to" if words in ("no difference", "the same") else "than"
    return f"{words} {joined} {row['plain_against']}".strip()


def empty_columns() -> list[str]:
    """The columns of a frame without rows."""
    nobody = VariantDocument("", "", "", ())
    return [*variant_facts(nobody, 0), *result_facts(Result(1, "queued"), "")]


def machine(document: ComparisonDocument) -> str:
    """What the figures were measured on, in a few words: the GPU's name, or the processor's and its cores."""
    facts = document.environment
    if document.workload.device.startswith("cuda") and facts.get("gpu"):
        gpu = facts["gpu"]
        return str(gpu.get("name", "NVIDIA GPU") if isinstance(gpu, dict) else gpu)
    cpu = facts.get("cpu")
    if isinstance(cpu, dict) and cpu.get("name"):
        threads = facts.get("threads") or cpu.get("cores") or "?"
        return f"{cpu['name']}, {threads} thread{'' if threads == 1 else 's'}"
    return str(cpu or document.workload.device)


def at_batch(frame: pd.DataFrame, batch_size: int) -> pd.DataFrame:
    """The rows of one batch size, one for each variant, in the order of the comparison."""
    return frame[frame["batch_size"] == batch_size].sort_values("order").reset_index(drop=True)


def sort(rows: pd.DataFrame, by: str = "latency_ms") -> pd.DataFrame:
    """The baseline, then the rest from best to worst, then what is suspect, then what has no figure.

    `by` is a metric, or `order` for the order of the comparison.
    """
    ascending = by == "order" or METRICS[by].better == "lower"
    keys = rows.assign(
        group=(~rows["baseline"].astype(bool)).astype(int)
        + 2 * (rows["status"] == "suspect")
        + 4 * (rows["latency_ms"].isna() & (rows["status"] != "ok")),
        value=rows[by] if ascending else -rows[by],
    )
    return rows.loc[keys.sort_values(["group", "value", "order"], kind="stable").index].reset_index(drop=True)


def batch_sizes(document: ComparisonDocument) -> list[int]:
    """Every batch size that was asked for or has a result."""
    found = {result.batch_size for variant in document.variants for result in variant.results}
    return sorted(found | set(document.workload.batch_sizes))


def latencies(document: ComparisonDocument) -> list[str]:
    """The latencies that were measured, in their fixed order."""
    found = {name for variant in document.variants for result in variant.results for name in result.latency_ms}
    return [each for each in LATENCIES if each in found]


def layers(profile: dict[str, Any]) -> pd.DataFrame:
    """Time per kernel of a profile, or per layer where the runtime tells those: name, time_ms, kind, precision."""
    for part in ("kernels", "layers"):
        rows = [
            {
                "name": short_name(str(each.get("name", ""))),
                "time_ms": each.get("ms"),
                "kind": each.get("kind", ""),
                "precision": each.get("precision", ""),
                "count": each.get("count", 1),
            }
            for each in profile.get(part) or ()
            if each.get("ms") is not None
        ]
        if rows:
            return pd.DataFrame(rows)
    return pd.DataFrame(columns=["name", "time_ms", "kind", "precision", "count"])


def sweep(document: ComparisonDocument) -> pd.DataFrame:
    """Throughput over batch sizes: one row for each variant and batch size of the sweep."""
    rows = []
    for order, variant in enumerate(document.variants):
        suspect = any(result.status == "suspect" for result in variant.results)
        points: dict[int, Any] = {}
        for result in variant.results:
            for each in result.throughput:
                points[each.batch_size] = each
        for batch_size, each in sorted(points.items()):
            facts = variant_facts(variant, order)
            rows.append(
                {
                    **facts,
                    "batch_size": batch_size,
                    "throughput_per_s": each.samples_per_s,
                    "throughput_mode": each.mode,
                    "status": "suspect" if suspect and each.status == "ok" else each.status,
                    "reason": each.reason,
                }
            )
    return pd.DataFrame(rows)
