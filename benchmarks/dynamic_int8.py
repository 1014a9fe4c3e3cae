"""Dynamic INT8 on a sentence classifier (BERT's architecture): file size, accuracy and measured latency.

    python benchmarks/dynamic_int8.py [--threads 1] [--rounds 5]

Writes benchmarks/compression/dynamic-int8.json. The model is the sample `movie_sentences`, its data the
test split that comes with it; the speed is given whichever way it goes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.comparing import baseline, by_recipe, compare, figures, home  # noqa: E402
from benchmarks.facts import facts, largest_child_bytes, write  # noqa: E402

PLAIN, QUANTIZED = "onnx > onnxruntime", "onnx > dynamic-int8 > onnxruntime"
BATCHES = (1, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    began = time.monotonic()
    rows = []
    with home() as folder:
        for batch in BATCHES:
            arguments = ["sample:movie_sentences", "--dataset", "sample:movie_sentences", "--batch", str(batch)]
            arguments += ["--rounds", str(options.rounds), "--seconds", "1.0"]
            document = compare(folder, arguments, [PLAIN, QUANTIZED], threads=options.threads)
            variants = [baseline(document), by_recipe(document, PLAIN), by_recipe(document, QUANTIZED)]
            rows.append(dict(zip(("original", "plain", "quantized"), map(figures, variants), strict=True)))
    original, quantized = rows[0]["original"], rows[0]["quantized"]
    row = {
        "benchmark": "dynamic-int8",
        "file_bytes": {"before": original["size_bytes"]["file"], "after": quantized["size_bytes"]["file"]},
        "ratio": original["size_bytes"]["file"] / quantized["size_bytes"]["file"],
        "accuracy": {"before": original["accuracy"]["value"], "after": quantized["accuracy"]["value"]},
        "accuracy_lost_points": 100 * (original["accuracy"]["value"] - quantized["accuracy"]["value"]),
        "speedup": {
            str(each["plain"]["batch_size"]): each["plain"]["latency_ms"]["p50"]
            / each["quantized"]["latency_ms"]["p50"]
            for each in rows
        },
        "unstable": [each["unstable"] for row in rows for each in row.values() if each["unstable"]],
        "rounds": options.rounds,
        "comparisons": rows,
        **facts("python benchmarks/dynamic_int8.py", time.monotonic() - began, threads=options.threads),
    }
    row["peak_memory_bytes"] = max(row["peak_memory_bytes"], largest_child_bytes())
    write(ROOT / "benchmarks" / "compression" / "dynamic-int8.json", row)
    print({name: row[name] for name in ("ratio", "accuracy_lost_points", "speedup")})


if __name__ == "__main__":
    main()
