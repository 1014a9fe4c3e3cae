"""The dashboard's fastest correct variants beside what was written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine import document

TOLERANCE = 2e-2  # FP16's largest relative error


def against(rows: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The dashboard's fastest correct variant beside the hand-written best, by model and batch size."""
    found = []
    for model, batch in dict.fromkeys((each["model"], each["batch_size"]) for each in rows):
        path = folder / f"{model}.json.gz"
        mine = [
            (each["latency_ms"], each["way"])
            for each in rows
            if (each["model"], each["batch_size"]) == (model, batch) and each.get("relative_l2", 1.0) <= TOLERANCE
        ]
        if not path.exists() or not mine:
            continue
        theirs = [
            (result.latency_ms["resident"].p50, variant.recipe)
            for variant in document.read(path).variants
            for result in variant.results
            if result.batch_size == batch and result.status == "ok" and "resident" in result.latency_ms
        ]
        if theirs:
            (best, way), (fastest, recipe) = min(mine), min(theirs)
            found.append(
                {
                    "model": model,
                    "batch_size": batch,
                    "hand_written": f"{best:.4g} ms {way}",
                    "dashboard": f"{fastest:.4g} ms {recipe}",
                    "ratio": fastest / best,
                }
            )
    return found
