"""How the figures were measured, in the words that stand in every report."""

from __future__ import annotations

from engine.analysis import numbers
from engine.document import MEASURE_PART, ComparisonDocument
from engine.frames import machine
from engine.metrics import LATENCIES

PHASES = {
    "waited_s": "waiting for other comparisons",
    "prepare_s": "preparing data",
    "reference_s": "reference",
    "build_s": "building",
    "startup_s": "starting workers",
    "measure_s": "measuring",
    "profile_s": "profiling",
}
METHOD: tuple[tuple[str, str], ...] = (
    (
        "Two latencies, never mixed",
        "Device-resident: inputs and outputs stay on the device. End-to-end: copy in, compute, copy out.",
    ),
    (
        "One clock",
        "Every runtime is timed by the same clock on the host around one inference and the wait for its end, "
        "after a warm-up of at least 10 calls and 0.3 s, once compilation and autotuning are over.",
    ),
    (
        "Rounds",
        "Variants take turns, each in a fresh process, and the baseline runs first and last in every round. "
        "The figure is the median of the rounds' medians; intervals are 95%, by bootstrap over rounds and calls. "
        "One round has no interval.",
    ),
    (
        "Speed-ups",
        "The ratio to the baseline within each round. Where its interval contains 1, the report says no difference.",
    ),
    (
        "Correct before fast",
        "Outputs are compared with the original model's on the very artifact that is then timed. A variant whose "
        "outputs differ too much is suspect: its figures are shown and it never wins. Random inputs are weak evidence "
        "and marked so.",
    ),
    (
        "Accuracy",
        "Measured on labelled data where there is some, with a 95% interval; otherwise agreement with the original, "
        "and called that.",
    ),
    ("Size", "The file on disk. Compressed, parameter and non-zero bytes stand beside it in the table."),
    ("Throughput", "Its own saturated loop without waiting for each call; on a CPU a single stream, labelled so."),
    ("FP32", "TF32 is off unless a variant says otherwise."),
)


def measured_how(document: ComparisonDocument, kind: str) -> str:
    """What the charts show, measured where, how often and how sure, in one line."""
    workload = document.workload
    one = "one round, so there are no intervals of latency"
    rounds = f"{workload.rounds} rounds; thin lines are 95% intervals" if workload.rounds > 1 else one
    date = (document.finished or document.created)[:10]
    return (
        f"{LATENCIES[kind]} latency is the median, measured on {machine(document)}{f' on {date}' if date else ''}: "
        f"at least {workload.calls} calls and {workload.seconds:g} s in each of {rounds}. Grey is the baseline."
    ).replace("in each of one round", "in one round")


def workload_facts(document: ComparisonDocument) -> list[tuple[str, str]]:
    """What every variant was asked to do, as name and value."""
    workload = document.workload
    rounds = f"{workload.rounds} {'round' if workload.rounds == 1 else 'rounds'}"
    data = document.dataset
    dataset = str(data.get("name") or workload.dataset or "seeded random inputs")
    samples = f", {int(data['samples']):,} samples" if data.get("samples") else ""
    facts = [
        (
            "Preset",
            f"{workload.preset.capitalize()}: {rounds} of at least {workload.seconds:g} s and {workload.calls} calls",
        ),
        ("Batch sizes", ", ".join(map(str, workload.batch_sizes))),
        ("Device", workload.device),
        ("Data set", f"{dataset}{samples}"),
        ("Verified on", f"at least {workload.verify_samples} samples"),
        ("Seed", str(workload.seed)),
    ]
    if workload.shapes:
        facts.append(
            ("Shapes", ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in workload.shapes.items()))
        )
    if document.orchestration:
        facts.append(("Time spent", time_spent(document.orchestration)))
    return facts


def time_spent(seconds: dict[str, float]) -> str:
    """Where a comparison's minutes went, in one line; see `engine.summary.orchestration`."""
    parts = [
        f"{name.removeprefix(MEASURE_PART)} {value:,.1f}"
        for name, value in seconds.items()
        if name.startswith(MEASURE_PART)
    ]
    inside = {"measure_s": f" ({', '.join(parts)})"} if parts else {}
    told = [f"{word} {seconds[name]:,.1f} s{inside.get(name, '')}" for name, word in PHASES.items() if name in seconds]
    rest = f"{seconds.get('overhead_s', 0.0):,.1f} s between workers"
    return f"{seconds.get('wall_s', 0.0):,.1f} s: {', '.join([*told, rest])}. Builds and starts go side by side."


def environment_facts(environment: dict[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """The environment as name and value, nested dictionaries flattened."""
    facts: list[tuple[str, str]] = []
    for name, value in environment.items():
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            facts.extend(environment_facts(value, f"{title} · "))
        elif isinstance(value, list | tuple):
            facts.append((title, ", ".join(map(str, value)) or "none"))
        elif name.endswith("_bytes") and isinstance(value, int):
            facts.append((title.removesuffix(" bytes"), numbers.size(value)))
        elif value not in (None, ""):
            facts.append((title, str(value)))
    return facts
