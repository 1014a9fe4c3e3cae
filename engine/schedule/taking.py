"""From what a worker left to results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engine.measurement import BuildResult, Measurement
from engine.spec import from_json
from engine.store.queue import Taken
from engine.store.rows import PhaseRow
from engine.worker.protocol import Outcome, read_events


def take(phase: PhaseRow, outcome: Outcome) -> Taken:
    """What a phase gave, from its result and its events; nothing finished is lost by how it ended."""
    if phase.kind == "build":
        return take_build(phase, outcome)
    if phase.kind == "measure":
        return take_measurements(phase, outcome)
    if phase.kind == "profile" and outcome.status == "ok":
        return Taken(outcome, profile=outcome.value)
    return Taken(outcome)


def take_build(phase: PhaseRow, outcome: Outcome) -> Taken:
    """One build; a worker that died is known to have died in its last step."""
    if outcome.status == "cancelled":
        return Taken(outcome)
    if outcome.status == "ok":
        result = from_json(BuildResult, outcome.value)
    else:
        steps = [str(each.data["step"]) for each in read_events(phase.folder) if "step" in each.data]
        result = BuildResult(outcome.status, outcome.reason, outcome.hint, failing_step=steps[-1] if steps else "")
    if result.status == "cancelled":
        return Taken(replace(outcome, status="cancelled", reason=result.reason, hint=result.hint))
    judged = replace(outcome, status=result.status, reason=result.reason, hint=result.hint)
    return Taken(judged, builds={phase.batch_sizes[0]: result})


def take_measurements(phase: PhaseRow, outcome: Outcome) -> Taken:
    """Every batch size that was finished; the first that was not is what the worker died of."""
    found = {each.batch_size: each for each in measurements_of(phase, outcome)}
    if outcome.status != "cancelled":
        missing = next((each for each in phase.batch_sizes if each not in found), None)
        if missing is not None:
            status, reason = outcome.status, outcome.reason
            if status == "ok":
                status, reason = "failed", "The worker finished without a measurement."
            found[missing] = Measurement(missing, phase.round, status, reason, outcome.hint)
    return Taken(outcome, measurements=[each for each in found.values() if each.status != "cancelled"])


def measurements_of(phase: PhaseRow, outcome: Outcome) -> Iterator[Measurement]:
    """Measurements in the order they were reported; a later one of the same batch size replaces an earlier."""
    found: list[Any] = [each.data["measurement"] for each in read_events(phase.folder) if "measurement" in each.data]
    for each in [*found, *outcome.value.get("measurements", [])]:
        yield from_json(Measurement, each)
