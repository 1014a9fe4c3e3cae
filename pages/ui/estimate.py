"""How long a comparison will take, from what earlier ones took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from engine.runtimes import all_runtimes
from engine.spec import Variant, Workload
from engine.store.rows import PhaseRow

STARTUP_S = 4.0
BUILD_S = 6.0
COMPILE_S = 45.0
REFERENCE_S = 8.0


def estimate(variants: Sequence[Variant], workload: Workload, history: Iterable[PhaseRow]) -> tuple[float, bool]:
    """Seconds, and whether they rest on phases that were measured here.

    What no earlier comparison did is guessed: some seconds for a build, more where a runtime
    compiles, and the time that the workload's rounds ask for.
    """
    done = [each for each in history if each.state == "done" and each.seconds > 0]
    ready = [each for each in variants if not each.unsupported]
    sizes = len(workload.batch_sizes)
    total = typical(done, "reference") or REFERENCE_S
    if workload.dataset:
        total += typical(done, "prepare") or REFERENCE_S
    for each in ready:
        compiles = all_runtimes()[each.recipe.runtime.name].compiles
        build = COMPILE_S if compiles else (typical(done, "build") or BUILD_S) if each.route else 0.0
        total += build * (sizes if each.recipe.static or compiles else 1)
    startup = median([each.startup_s for each in done] or [STARTUP_S])
    asked = sizes * (2 * workload.seconds + workload.warmup_seconds + 0.5 * workload.throughput)
    rounds = workload.rounds * (len(ready) + 1)
    return total + rounds * (startup + asked), bool(done)


def typical(done: Sequence[PhaseRow], kind: str) -> float | None:
    """The median duration of one kind of phase, or None when there was none."""
    found = [each.seconds for each in done if each.kind == kind]
    return median(found) if found else None
