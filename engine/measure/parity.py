"""How far a variant's outputs are from the reference's: MEASURING.md rules 11 and 12.

Each output is compared over all samples together; the worst one decides. Outputs of integers and
booleans are compared for equality. An output whose reference is constant across samples or nearly
zero can't show that a variant is right: it is judged only where the variant goes far astray from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.measure.outputs import Comparison, compare_output, joined
from engine.measure.scores import agreement, near_ties
from engine.measure.sequence import Outputs
from engine.measurement import Parity

RELATIVE_L2 = {
    "fp32": 1e-4, "tf32": 5e-3, "fp16": 2e-2, "bf16": 2e-2, "int8": 1e-1, "fp8": 1e-1, "int4": 2e-1,
}  # fmt: skip
TOP1 = {"int8": 0.97, "fp8": 0.97, "int4": 0.97}
TOP1_OTHERWISE = 0.99
SPREAD_FACTOR = 2.0
OWN_AGREEMENT_SLACK = 0.02


def relative_l2_limit(precision: str) -> float:
    """The largest relative L2 error that passes; an unknown precision is judged as FP32."""
    return RELATIVE_L2.get(precision, RELATIVE_L2["fp32"])


def top1_limit(precision: str) -> float:
    """The smallest top-1 agreement that passes; for integer outputs the share of equal elements."""
    return TOP1.get(precision, TOP1_OTHERWISE)


@dataclass(frozen=True)
class Standard:
    """What a variant is held to.

    `spread` and `own_agreement` are how far a stochastic reference is from itself. `scores` is the
    index of the output that holds class scores. `lossy` says why a variant is meant to differ (it
    was pruned or trained): figures are recorded, and only NaN, shapes and their number are judged.
    """

    precision: str
    samples: int
    evidence: Literal["data", "random"]
    scores: int | None = None
    spread: float = 0.0
    own_agreement: float | None = None
    lossy: str = ""

    @property
    def tolerance(self) -> float:
        """The largest relative L2 error."""
        return max(relative_l2_limit(self.precision), SPREAD_FACTOR * self.spread)

    @property
    def least_agreement(self) -> float:
        """The smallest top-1 agreement."""
        least = top1_limit(self.precision)
        return least if self.own_agreement is None else min(least, self.own_agreement - OWN_AGREEMENT_SLACK)


def compare(reference: Outputs, output: Outputs, names: Sequence[str], standard: Standard) -> Parity:
    """Judge a variant's outputs; the worst output that is evidence decides."""
    if len(reference.calls) != len(output.calls):
        reason = f"The variant has {len(output.calls)} outputs and the original {len(reference.calls)}."
        return Parity(
            False,
            samples=standard.samples,
            evidence=standard.evidence,
            precision=standard.precision,
            reason=reason,
        )
    found = [compare_output(reference, output, index, name) for index, name in enumerate(names)]
    judged = [each for each in found if each.evidence]
    top1, forgiven = class_agreement(reference, output, found, standard)
    problems = [each.problem for each in found if each.problem]
    if not standard.lossy:
        problems += verdicts(judged, standard) + astray([each for each in found if not each.evidence], standard)
        if top1 is not None and top1 + forgiven < standard.least_agreement:
            problems.append(
                f"The top-1 class agrees for {top1:.1%} of {standard.samples} samples, "
                f"below {standard.least_agreement:.0%}"
            )
    passed, reason = conclusion(problems, judged, standard)
    worst = worst_of(judged or found)
    return Parity(
        passed,
        relative_l2=worst.relative_l2,
        cosine=worst.cosine,
        snr_db=worst.snr_db,
        max_abs=worst.max_abs,
        mean_abs=worst.mean_abs,
        top1_agreement=top1,
        samples=standard.samples,
        evidence=standard.evidence if judged else "none",
        tolerance=standard.tolerance,
        precision=standard.precision,
        finite=all(each.finite for each in found),
        reason=reason,
        outputs={each.name: figure for each in found if (figure := figure_of(each)) is not None},
        judged_by="accuracy" if standard.lossy else "outputs",
    )


def class_agreement(
    reference: Outputs, output: Outputs, found: Sequence[Comparison], standard: Standard
) -> tuple[float | None, float]:
    """The top-1 agreement, and the share of samples forgiven because the original has a near tie there.

    Only random inputs are forgiven: a network that never saw such inputs puts classes side by side,
    and the rounding that the tolerance allows decides between them.
    """
    index = standard.scores
    if index is None or not found[index].shapes or not found[index].evidence:
        return None, 0.0
    mine, theirs = joined(reference.calls[index]), joined(output.calls[index])
    forgiven = near_ties(mine, theirs, standard.tolerance) if standard.evidence == "random" else 0
    return agreement(mine, theirs), forgiven / max(1, len(mine))


def conclusion(problems: Sequence[str], judged: Sequence[Comparison], standard: Standard) -> tuple[bool | None, str]:
    """Passed, failed, or None where there is nothing to judge by; with the reason."""
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        return False, "; ".join(problems[:3]) + more + "."
    if standard.lossy:
        return None, standard.lossy
    if not judged:
        return None, "The original's outputs are constant or nearly zero on these inputs, which proves nothing."
    if standard.spread >= 1.0:
        return None, "The model differs from itself as much as from anything, which proves nothing."
    return True, ""


def verdicts(judged: Sequence[Comparison], standard: Standard) -> list[str]:
    """What is wrong with each output, in words."""
    problems = []
    tolerance = standard.tolerance
    for each in judged:
        if each.relative_l2 is not None and each.relative_l2 > tolerance:
            problems.append(
                f"Output {each.name} differs by {each.relative_l2:.2g} (relative L2), above {tolerance:.2g}"
            )
        elif each.cosine is not None and each.cosine < 1.0 - tolerance**2 / 2:
            problems.append(f"Output {each.name} points elsewhere: cosine {each.cosine:.6f}")
        elif each.unequal is not None and each.unequal > 1.0 - standard.least_agreement:
            problems.append(each.note or f"Output {each.name} has {each.unequal:.1%} other values")
    return problems


def astray(unproven: Sequence[Comparison], standard: Standard) -> list[str]:
    """Outputs that are wrong though the original's are constant or nearly zero, in words."""
    limits = [standard.tolerance if each.unequal is None else 1.0 - standard.least_agreement for each in unproven]
    return [
        f"Output {each.name} is constant or nearly zero in the original, and the variant's is {each.astray:.2g} from it"
        for each, limit in zip(unproven, limits, strict=True)
        if each.astray is not None and not each.problem and each.astray > limit
    ]


def figure_of(each: Comparison) -> float | None:
    """The one figure kept for every output: relative L2, or the share of unequal elements."""
    return each.relative_l2 if each.relative_l2 is not None else each.unequal


def worst_of(found: Sequence[Comparison]) -> Comparison:
    """The output with the largest error; floating outputs before integer ones."""
    return max(found, key=lambda each: (each.relative_l2 is not None, figure_of(each) or 0.0), default=Comparison(""))
