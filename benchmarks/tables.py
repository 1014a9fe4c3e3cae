"""The README's tables, from the recorded runs: one function a table, each figure out of a JSON file.

    python benchmarks/tables.py            writes them into README.md
    python benchmarks/tables.py --check    exit code 1 when README.md says anything else

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; NAME is a key of TABLES.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import recordings  # noqa: E402

README = ROOT / "README.md"
RECORDED = ROOT / "benchmarks" / "compression"
PLACE = re.compile(r"(<!-- table: ([\w -]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
Row = dict[str, Any]
NETWORKS = {"lenet-300-100": "LeNet-300-100", "lenet-5": "LeNet-5 (Caffe)"}
PAPERS = {
    "lenet-300-100": "40×, 1.64 → 1.58 % error",
    "lenet-5": "39×, 0.80 → 0.74 % error",
    "vgg16": "49×, on ImageNet",
    "resnet50": "15×, on ImageNet",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; say whether the README is up to date")
    before = README.read_text()
    after = filled(before)
    if parser.parse_args().check:
        raise SystemExit(0 if before == after else "README.md is out of date: run python benchmarks/tables.py.")
    README.write_text(after)


def filled(text: str) -> str:
    """The text with every table made anew. Raises SystemExit for one that nobody makes."""

    def table(found: re.Match[str]) -> str:
        if found[2] not in TABLES:
            raise SystemExit(f"There is no table {found[2]!r}; there are {', '.join(TABLES)}.")
        return f"{found[1]}{TABLES[found[2]]()}\n{found[3]}"

    return PLACE.sub(table, text)


def recorded(pattern: str) -> list[Row]:
    """The recorded runs whose file names match."""
    return [json.loads(each.read_text()) for each in sorted(RECORDED.glob(f"{pattern}.json"))]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(each)} |" for each in (head, ["---"] * len(head), *rows))


def compression() -> str:
    """What each compression benchmark reached, with its cost."""
    rows = [deep_compression(network, method) for method in ("better", "paper") for network in NETWORKS]
    rows += [channel_pruning(), dynamic_int8(), distillation(), *(scale(name) for name in ("vgg16", "resnet50"))]
    head = ("", "paper or goal", "reached", "price", "wall time, memory", "command")
    return markdown(head, [each for each in rows if each])


def deep_compression(network: str, method: str) -> list[str]:
    """Deep Compression of a LeNet: medians over the seeds."""
    runs = recorded(f"{network}-{method}-seed*")
    if not runs:
        return []
    lost = median(each["error"] - each["baseline_error"] for each in runs)
    way = "Deep Compression" if method == "better" else "Deep Compression, the paper's own way"
    return [
        f"{NETWORKS[network]}, {way}",
        PAPERS[network],
        f"**{median(each['ratio'] for each in runs):.0f}×**: {middle(runs, 'file_bytes'):,.0f} bytes",
        f"{middle(runs, 'baseline_error'):.2f} → {middle(runs, 'error'):.2f} % error, {lost:+.2f} points",
        cost(runs, [each["seconds"]["total"] for each in runs]),
        command(runs),
    ]


def channel_pruning() -> list[str]:
    """Channel pruning of the MNIST classifier."""
    runs = recorded("channel-pruning-seed*")
    if not runs:
        return []
    speed = {name: median(each["speedup"][name] for each in runs) for name in ("eager", "onnxruntime")}
    return [
        "MNIST classifier, `prune-channels > finetune`",
        "2× fewer multiply-adds and 1.5× faster",
        f"**{middle(runs, 'fewer_multiply_adds'):.1f}×** fewer multiply-adds; at batch 32 on the CPU "
        f"**{speed['eager']:.1f}×** faster in PyTorch, {speed['onnxruntime']:.1f}× in ONNX Runtime{shaky(runs)}",
        accuracies(runs),
        cost(runs, [each["wall_s"] for each in runs]),
        command(runs),
    ]


def dynamic_int8() -> list[str]:
    """Dynamic INT8 of the sentence classifier."""
    runs = recorded("dynamic-int8")
    if not runs:
        return []
    speeds = ", ".join(f"{median(each['speedup'][batch] for each in runs):.2f}×" for batch in ("1", "32"))
    return [
        "sentence classifier (BERT's architecture), `dynamic-int8`",
        "3.5× smaller",
        f"**{middle(runs, 'ratio'):.2f}×** smaller; speed in ONNX Runtime at batch 1 and 32: {speeds}{shaky(runs)}",
        accuracies(runs),
        cost(runs, [each["wall_s"] for each in runs]),
        command(runs),
    ]


def distillation() -> list[str]:
    """The distilled student against the same one trained alone, paired over the seeds."""
    runs = recorded("distillation-seed*")
    if not runs:
        return []
    mean, half = t_interval([each["gained_points"] for each in runs])
    alone, distilled = (median(each["accuracy"][name] for each in runs) for name in ("alone", "distilled"))
    return [
        f"student with {middle(runs, 'fewer_parameters'):.1f}× fewer parameters, `distill`, MNIST with 1,000 labels",
        "better than the same student alone",
        f"**{mean:+.2f} points** of accuracy, 95 % interval {mean - half:+.2f} to {mean + half:+.2f}, "
        f"paired over {len(runs)} seeds",
        f"{100 * alone:.2f} % alone → {100 * distilled:.2f} % distilled",
        cost(runs, [each["wall_s"] for each in runs]),
        command(runs),
    ]


def scale(network: str) -> list[str]:
    """Deep Compression of a large network of random weights, without training."""
    runs = recorded(f"scale-{network}-adaptive")
    if not runs:
        return []
    same = "bit-equal" if all(each["same_outputs_after_decoding"] for each in runs) else "**not equal**"
    return [
        f"{ {'vgg16': 'VGG-16', 'resnet50': 'ResNet-50'}[network] }, random weights, fixed pruning and bits",
        PAPERS[network],
        f"{middle(runs, 'ratio'):.1f}×: {middle(runs, 'file_bytes') / 1e6:.1f} MB",
        f"outputs {same} when decoded in a fresh process",
        cost(runs, [sum(each["seconds"].values()) for each in runs]),
        command(runs),
    ]


def middle(runs: Sequence[Row], name: str) -> float:
    """The median of a figure over the seeds."""
    return float(median(each[name] for each in runs))


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and half the width of its 95 % interval by Student's t; not a number with one value."""
    from scipy.stats import t

    if len(values) < 2:
        return fmean(values), float("nan")
    return fmean(values), float(t.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5


def accuracies(runs: Sequence[Row]) -> str:
    """Accuracy before and after, and how much is lost."""
    before, after = (100 * median(each["accuracy"][name] for each in runs) for name in ("before", "after"))
    return f"{before:.2f} → {after:.2f} % accuracy, {0.0 - middle(runs, 'accuracy_lost_points'):+.2f} points"


def shaky(runs: Sequence[Row]) -> str:
    """Says so where the machine did not hold still."""
    load = max(each["machine"]["load"] for each in runs)
    return (
        f" (unstable timings: the machine was busy, load {load:.0f})" if any(each["unstable"] for each in runs) else ""
    )


def cost(runs: Sequence[Row], seconds: Sequence[float]) -> str:
    """The longest run, the most memory, and how many seeds there were."""
    seeds = f", {len(runs)} seeds" if len(runs) > 1 else ""
    memory = max(each["peak_memory_bytes"] for each in runs) / 1e9
    return f"{max(seconds):.0f} s, {memory:.1f} GB{seeds}"


def command(runs: Sequence[Row]) -> str:
    """The command of the first run; others differ in their seed."""
    return f"`{runs[0]['command']}`"


def gpu() -> str:
    """The comparisons recorded on GPUs."""
    return markdown(recordings.HEAD, recordings.rows())


def by_hand() -> str:
    """The fastest correct variant beside the best of a hand-written script, on one GPU in one go."""
    rows = []
    for path in sorted((ROOT / "benchmarks").glob("handwritten-*.json")):
        found = json.loads(path.read_text())
        for each in found.get("against_the_dashboard", ()):
            (mine, way), (ours, recipe) = (each[name].split(" ms ") for name in ("hand_written", "dashboard"))
            ratio = f"{each['ratio']:.3f}"
            name = f"{each['model']}, batch {each['batch_size']}"
            rows.append([name, f"{mine} ms, {way}", f"{ours} ms, `{recipe}`", ratio, place(found["machine"])])
    return markdown(("model", "best by hand", "best variant", "ratio", "measured on"), rows)


def place(machine: Row) -> str:
    """GPU, library and date of a hand-written run."""
    return f"{machine['gpu']}, {machine['tensorrt'].replace('_', '-')}, {machine['date'][:10]}"


TABLES: dict[str, Callable[[], str]] = {"compression": compression, "gpu": gpu, "by hand": by_hand}


if __name__ == "__main__":
    main()
