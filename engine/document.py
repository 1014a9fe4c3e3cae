"""The comparison document: one JSON for export, import, the command line and `benchmarks/`.

`schema` is `optibench/1`. Every figure carries what it was made from: intervals and counts beside
medians, raw samples beside both. Absent figures are null, never 0. Units are in the names.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import BadInput
from engine.measurement import Accuracy, Parity, Sizes, Throughput
from engine.spec import ModelSpec, Status, Workload, from_json, to_json

SCHEMA = "optibench/1"
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Interval:
    """A median with the bounds of its 95 % interval; one round has no bounds."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class LatencySummary:
    """One latency over all rounds, in milliseconds.

    `p50` is the median of the rounds' medians, `low` and `high` its 95 % interval (None with one
    round). `p90` and `p99` are of pooled samples and None when there are too few (64, 662).
    `variation` is the robust coefficient of variation, `enqueue` the median time of `run()` alone.
    """

    p50: float
    low: float | None = None
    high: float | None = None
    p90: float | None = None
    p99: float | None = None
    count: int = 0
    rounds: int = 1
    mean: float | None = None
    min: float | None = None
    variation: float | None = None
    enqueue: float | None = None


@dataclass(frozen=True)
class Speedup:
    """A ratio of latencies within each round; above 1 is faster. `different` is None with one round."""

    value: float
    low: float | None = None
    high: float | None = None
    different: bool | None = None
    against: str = ""


@dataclass(frozen=True)
class Result:
    """One variant at one batch size."""

    batch_size: int
    status: Status
    reason: str = ""
    hint: str = ""
    parity: Parity | None = None
    size_bytes: Sizes | None = None
    build_s: float | None = None
    cached: bool = False
    load_s: float | None = None
    import_s: float | None = None
    first_call_s: float | None = None
    latency_ms: dict[str, LatencySummary] = field(default_factory=dict)
    speedup: dict[str, Speedup] = field(default_factory=dict)
    throughput_per_s: float | None = None
    throughput: tuple[Throughput, ...] = ()
    device_memory_bytes: int | None = None
    framework_memory_bytes: int | None = None
    host_memory_bytes: int | None = None
    energy_j: float | None = None
    power_w: float | None = None
    accuracy: Accuracy | None = None
    accuracy_difference: Interval | None = None
    unstable: str = ""
    diagnosis: tuple[dict[str, str], ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    samples_ns: dict[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class VariantDocument:
    """One recipe, the route it took, and its results.

    `label` is the short name shown in charts. `family` is the runtime's, which gives the colour.
    `steps` says for each step of the route what it took and reported (seconds, cached, warnings,
    a table per layer). `profile` is what the profile phase found, or empty.
    """

    id: str
    recipe: str
    label: str
    route: tuple[str, ...]
    route_text: str = ""
    runtime: str = ""
    family: str = ""
    precision: str = ""
    baseline: bool = False
    static: bool = False
    results: tuple[Result, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    profile: dict[str, Any] = field(default_factory=dict)
    reproduce: str = ""


MEASURE_PART = "measure: "
"""What the names of measuring's parts begin with in `ComparisonDocument.orchestration`."""


@dataclass(frozen=True)
class ComparisonDocument:
    """A whole comparison. `origin` is measured, imported or recorded; times are ISO 8601 in UTC."""

    schema: str
    name: str
    model: ModelSpec
    workload: Workload
    environment: dict[str, Any]
    variants: tuple[VariantDocument, ...]
    created: str = ""
    finished: str = ""
    command: str = ""
    origin: str = "measured"
    dataset: dict[str, Any] = field(default_factory=dict)
    reference: dict[str, Any] = field(default_factory=dict)
    orchestration: dict[str, float] = field(default_factory=dict)

    @property
    def baseline(self) -> VariantDocument | None:
        """The variant everything is compared with."""
        return next((each for each in self.variants if each.baseline), None)


def dump(document: ComparisonDocument) -> str:
    """The document as JSON text."""
    return json.dumps(to_json(document), ensure_ascii=False, separators=(",", ":"))


def write(document: ComparisonDocument, path: Path) -> None:
    """Write the document to a file, whole or not at all; a name that ends in `.gz` is gzipped."""
    content = dump(document).encode()
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    partial.replace(path)


def parse(text: str | bytes) -> ComparisonDocument:
    """Read a document, gzipped or plain; raises BadInput when it is not one or is of another schema."""
    if isinstance(text, bytes) and text.startswith(GZIP):
        try:
            text = gzip.decompress(text)
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput("This gzipped file is damaged.", "Download or copy it again.") from error
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadInput(f"This is not JSON: {error}.", "Import a file that Optibench exported.") from error
    if not isinstance(data, dict) or "schema" not in data:
        raise BadInput("This JSON is not a comparison.", "Import a file that Optibench exported.")
    if data["schema"] != SCHEMA:
        raise BadInput(
            f"This comparison has the schema {data['schema']!r}; this version reads {SCHEMA}.",
            "Export it again with a matching version.",
        )
    return from_json(ComparisonDocument, data)


def read(path: Path) -> ComparisonDocument:
    """Read a document from a file; raises BadInput when it can't be read."""
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.", "Check the path.") from error
