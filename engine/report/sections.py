"""Pieces of the HTML report: tags, lists of facts, and one variant's story."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from engine.analysis import numbers
from engine.document import VariantDocument
from engine.plots.colours import STATUSES


def tag(text: str) -> str:
    """A small label."""
    return f'<span class="tag">{escape(text)}</span>'


def facts_list(facts: Iterable[tuple[str, str]]) -> str:
    """Names and values as a definition list."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f'<dl class="facts">{rows}</dl>' if rows else '<p class="muted">Nothing was recorded.</p>'


def variant_section(variant: VariantDocument) -> str:
    """Recipe, route, steps, what went wrong, advice, and the command that reproduces it."""
    parts = [f'<div class="variant"><h3>{escape(variant.label)}</h3>']
    parts.append(f"<p><code>{escape(variant.recipe)}</code><br>{escape(variant.route_text)}</p>")
    parts += [f"<p>{escape(each)}</p>" for each in story(variant)]
    if variant.reproduce:
        parts.append(f"<pre>{escape(variant.reproduce)}</pre>")
    return "".join(parts) + "</div>"


def story(variant: VariantDocument) -> list[str]:
    """What there is to say about a variant, one sentence or two each."""
    lines = []
    if variant.steps:
        lines.append("Built by " + ", ".join(step_text(each) for each in variant.steps) + ".")
    for each in variant.steps:
        lines += [f"Warning from {step_name(each)}: {text}" for text in each.get("warnings", ())]
    for result in variant.results:
        where = f"Batch {result.batch_size}"
        if result.reason:
            lines.append(f"{where}: {STATUSES[result.status].word.lower()}. {result.reason} {result.hint}".strip())
        if result.unstable:
            lines.append(f"{where} is unstable: {result.unstable}")
        for found in result.diagnosis:
            lines.append(f"{where}: {diagnosis_text(found)}")
    before, after = variant.profile.get("layers_before"), variant.profile.get("layers_after")
    if before and after:
        lines.append(f"Fused {before} layers into {after}.")
    return lines


def diagnosis_text(found: dict[str, str]) -> str:
    """One diagnosis as text: what was found, then what to try."""
    return f"{found.get('finding', '')} {found.get('advice', '')}".strip()


def step_name(step: dict[str, object]) -> str:
    """The name of a built step."""
    return str(step.get("step") or step.get("name") or "a step")


def step_text(step: dict[str, object]) -> str:
    """A step and what it took."""
    seconds = step.get("seconds")
    cached = ", from cache" if step.get("cached") else ""
    took = f" ({numbers.seconds(float(str(seconds)))}{cached})" if seconds is not None else ""
    return f"{step_name(step)}{took}"
