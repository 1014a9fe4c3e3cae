"""What `optibench compare` shows: lines while it runs, a table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from engine.document import ComparisonDocument, LatencySummary, Result, VariantDocument
from engine.measurement import Parity
from engine.store.rows import VariantProgress

COLUMNS = ("Variant", "Batch", "Status", "Latency", "Speed-up", "Throughput", "File", "Error", "Accuracy")
TEXTS = ("Variant", "Status")
MINOR = ("Throughput", "Error", "File")
WIDE, FILE_WIDTH = 120, 160


class Display:
    """Progress on standard error, so that standard output holds the result alone."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {}
        self.said: dict[str, tuple[str, str]] = {}

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def say(self, text: str) -> None:
        """One line of what is going on."""
        self.console.print(text)

    def update(self, lines: Sequence[VariantProgress]) -> None:
        """Draw the progress of every variant; without a terminal, print what changed."""
        for each in lines:
            said = each.text or each.stage if each.status == "running" else each.status
            left = f", {each.remaining_s:.0f} s left" if each.remaining_s else ""
            if each.variant_id not in self.tasks:
                self.tasks[each.variant_id] = self.progress.add_task(each.label, total=1.0, said="")
            self.progress.update(self.tasks[each.variant_id], completed=each.fraction, said=f"{said}{left}")
            state = (each.status, each.stage if each.status == "running" else "")
            if not self.console.is_terminal and self.said.get(each.variant_id, ("queued", "")) != state:
                self.console.print(f"{each.label}: {' '.join(part for part in state if part)} {each.reason}".rstrip())
            self.said[each.variant_id] = state

    def show(self, document: ComparisonDocument) -> None:
        """Print the results as a table, and why something is not as it should be."""
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=FILE_WIDTH)
        columns = [each for each in COLUMNS if console.width >= WIDE or each not in MINOR]
        table = Table(title=document.name, title_justify="left")
        for name in columns:
            table.add_column(name, justify="left" if name in TEXTS else "right", no_wrap=name != "Variant")
        notes = []
        for variant in document.variants:
            for result in variant.results:
                cells = dict(zip(COLUMNS, row(variant, result), strict=True))
                table.add_row(*(cells[name] for name in columns))
                if result.reason:
                    notes.append(f"{variant.label}, batch {result.batch_size}: {result.reason} {result.hint}".rstrip())
        console.print(table)
        for each in dict.fromkeys(notes):
            console.print(each, markup=False)


def row(variant: VariantDocument, result: Result) -> tuple[str, ...]:
    """The cells of one result; what was not measured stays empty."""
    size = result.size_bytes
    parity, accuracy = result.parity, result.accuracy
    speedup = result.speedup.get("baseline")
    return (
        f"{variant.label}{' (baseline)' if variant.baseline else ''}",
        str(result.batch_size),
        f"{result.status}{' · unstable' if result.unstable else ''}",
        latency(result.latency_ms.get("resident")),
        f"{speedup.value:.2f}×{'' if speedup.different is not False else ' (no difference)'}" if speedup else "",
        f"{result.throughput_per_s:.4g}/s" if result.throughput_per_s is not None else "",
        f"{size.file / 1e6:.3g} MB" if size else "",
        relative_error(parity),
        f"{accuracy.value:.1%} of {accuracy.samples}" if accuracy else "",
    )


def relative_error(parity: Parity | None) -> str:
    """How far the outputs are from the original's, where that says anything."""
    if parity is None or parity.relative_l2 is None:
        return ""
    return "no evidence" if parity.passed is None and parity.evidence == "none" else f"{parity.relative_l2:.1e}"


def latency(summary: LatencySummary | None) -> str:
    """A median with its interval, in milliseconds."""
    if summary is None:
        return ""
    bounds = f" ({summary.low:.3g}–{summary.high:.3g})" if summary.low is not None and summary.high is not None else ""
    return f"{summary.p50:.3g} ms{bounds}"
