"""The table of the HTML report: every variant at every batch size, whatever became of it."""

from __future__ import annotations

from html import escape

import pandas as pd

from engine.analysis import numbers
from engine.frames import at_batch, plain_words, sort
from engine.metrics import LATENCIES
from engine.plots.colours import STATUSES

TONES = dict.fromkeys(("unsupported", "queued", "running", "cancelled"), "quiet") | {"ok": "good", "suspect": "warn"}
FIGURES = ("Throughput", "File", "Accuracy", "Relative error", "Peak memory", "Build", "Energy a sample")


def results_table(frames: dict[str, pd.DataFrame]) -> str:
    """One table for all latencies; `frames` holds the compared results for each of them."""
    headers = [f"{LATENCIES[kind]} latency" for kind in frames]
    first = next(iter(frames.values()))
    powered = bool(first["power_w"].notna().any())  # only an NVIDIA GPU tells
    names = ["Variant", "Status", *headers, *(FIGURES if powered else FIGURES[:-1])]
    head = "".join(
        f'<th scope="col" class="{"number" if n > 1 else ""}">{escape(each)}</th>' for n, each in enumerate(names)
    )
    parts = []
    for batch_size in sorted(first["batch_size"].unique()):
        rows = sort(at_batch(first, batch_size))
        parts.append(f'<tr><th scope="colgroup" colspan="{len(names)}">Batch {batch_size}</th></tr>')
        parts += [
            table_row(row, [same(row, frame) for frame in frames.values()], len(names)) for _, row in rows.iterrows()
        ]
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(parts)}</tbody></table></div>'


def same(row: pd.Series, frame: pd.DataFrame) -> pd.Series:
    """The same variant and batch size in another frame."""
    return frame[(frame["variant"] == row["variant"]) & (frame["batch_size"] == row["batch_size"])].iloc[0]


def table_row(row: pd.Series, latencies: list[pd.Series], columns: int) -> str:
    """One result, and below it in full width what there is to say about it."""
    style = STATUSES[row["status"]]
    memory = row["device_memory_bytes"] if pd.notna(row["device_memory_bytes"]) else row["host_memory_bytes"]
    cells = [
        *(latency(each) for each in latencies),
        cell(numbers.rate(row["throughput_per_s"]), row["throughput_mode"]),
        cell(numbers.size(row["file_bytes"]), compressed(row)),
        accuracy(row),
        error(row),
        cell(numbers.size(memory)),
        cell(numbers.seconds(figure(row["build_s"])), loading(row)),
        energy(row),
    ]
    kind = ' class="baseline"' if row["baseline"] else ""
    status = f'<td class="status {TONES.get(row["status"], "bad")}">{style.mark} {style.word}</td>'
    note = " ".join(str(row[each]) for each in ("reason", "hint", "unstable") if row[each])
    shown = cells[: columns - 2]
    below = f'<tr class="note"><td></td><td colspan="{columns - 1}">{escape(note)}</td></tr>' if note else ""
    return f'<tr{kind}><th scope="row">{escape(row["label"])}</th>{status}{"".join(shown)}</tr>{below}'


def cell(text: str, *below: str, kind: str = "number") -> str:
    """A figure, and smaller ones below it."""
    small = "".join(f"<small>{each}</small>" for each in below if each)
    return f'<td class="{kind}">{text}{small}</td>'


def figure(value: float) -> float | None:
    """A figure, or None where the frame holds NaN."""
    return None if pd.isna(value) else float(value)


def latency(row: pd.Series) -> str:
    """Median, interval, ratio to the baseline, p90 and p99."""
    if pd.isna(row["latency_ms"]):
        return cell(numbers.DASH)
    speedup = numbers.ratio(row["speedup"], row["speedup_low"], row["speedup_high"], different=row["different"])
    return cell(
        f"<b>{numbers.duration(row['latency_ms'])}</b>",
        interval(row["latency_low"], row["latency_high"]),
        "baseline" if row["baseline"] else f"{speedup}, unstable" if speedup and row["unstable"] else speedup,
        escape(plain_words(row)),
        f"p90 {percentile(row['latency_p90'], row, 64)} · p99 {percentile(row['latency_p99'], row, 662)}",
        kind="number latency",
    )


def interval(low: float, high: float) -> str:
    """Bounds in ms; one round has none and says so."""
    if pd.isna(low) or pd.isna(high):
        return "one round, no interval"
    return f"95%: {numbers.significant(low)}–{numbers.significant(high)}"


def percentile(value: float, row: pd.Series, needed: int) -> str:
    """A percentile, or how many calls there were of those it needs."""
    if pd.notna(value):
        return numbers.significant(value)
    return f"({int(row['latency_count'])} of {needed} calls)" if pd.notna(row["latency_count"]) else numbers.DASH


def compressed(row: pd.Series) -> str:
    """The compressed size, in words."""
    return f"{numbers.size(row['compressed_bytes'])} compressed" if pd.notna(row["compressed_bytes"]) else ""


def loading(row: pd.Series) -> str:
    """The load time, in words."""
    return f"loads in {numbers.seconds(figure(row['load_s']))}" if pd.notna(row["load_s"]) else ""


def energy(row: pd.Series) -> str:
    """What one sample takes of the saturated GPU, and its power meanwhile."""
    power = numbers.power(figure(row["power_w"])) if pd.notna(row["power_w"]) else ""
    return cell(numbers.energy(figure(row["sample_energy_j"])), power)


def accuracy(row: pd.Series) -> str:
    """Accuracy or agreement with its interval and number of samples."""
    if pd.isna(row["accuracy"]):
        return cell(numbers.DASH)
    kind = "agreement with the original" if row["accuracy_kind"] == "agreement" else ""
    bounds = f"95%: {numbers.percent(row['accuracy_low'])}–{numbers.percent(row['accuracy_high'])}"
    return cell(numbers.percent(row["accuracy"]), kind, bounds, f"{int(row['accuracy_samples']):,} samples")


def error(row: pd.Series) -> str:
    """The relative error of the outputs, marked where the evidence is weak."""
    if row["parity"] == "no evidence":
        return cell("no evidence")
    if pd.isna(row["relative_l2"]):
        return cell(numbers.DASH)
    allowed = f"at most {row['tolerance']:.0e} allowed" if pd.notna(row["tolerance"]) else ""
    return cell(f"{row['relative_l2']:.1e}", allowed, "weak: random inputs" if row["evidence"] == "random" else "")
