"""When a variant's accuracy makes it suspect: what is fast and wrong is never the winner."""

from __future__ import annotations

from dataclasses import replace

from engine.document import Result

TOLERATED_DROP = 0.05
LEAST_AGREEMENT = 0.95
CHOOSE = "Choose a labelled data set, or fine-tune after compressing."


def judged(result: Result) -> Result:
    """The result, marked suspect when its accuracy says so; the figures stay.

    Accuracy that fell by more than five points, sure at 95 %, makes any variant suspect. One whose
    outputs are meant to differ needs labelled data, or agreement with the original, to be believed.
    """
    reason = suspicion(result) if result.status == "ok" else ""
    return replace(result, status="suspect", reason=reason, hint=result.hint or CHOOSE) if reason else result


def suspicion(result: Result) -> str:
    """Why the accuracy speaks against a result, or nothing."""
    accuracy, change = result.accuracy, result.accuracy_difference
    labelled = accuracy is not None and accuracy.kind == "accuracy"
    if labelled and change is not None:
        worst_case = change.high if change.high is not None else change.value
        return f"Accuracy fell by {-100 * change.value:.1f} points." if worst_case < -TOLERATED_DROP else ""
    if result.parity is None or result.parity.judged_by == "outputs" or labelled:
        return ""
    if accuracy is not None:
        agrees = f"It agrees with the original on {accuracy.value:.1%} of {accuracy.samples} samples"
        return f"{agrees}, and there are no labels to say which is right." if accuracy.value < LEAST_AGREEMENT else ""
    return "Its outputs are meant to differ from the original's, and no data shows that it still works."
