"""Toggles that make recipes: compression on the left, conversion and precision on the right."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from engine.plugin import Plugin
from engine.recipes import render
from engine.runtimes import all_runtimes
from engine.spec import ModelSpec, Recipe, Use
from engine.steps import all_steps, step_for
from engine.steps.base import Step
from pages.ui import options

COMPRESSION = {
    "pruning": "Pruning",
    "quantization": "Quantization",
    "training": "Training",
    "coding": "Coding",
}
ORDER = ("pruning", "training", "quantization", "precision", "conversion", "coding")
AUTOMATIC = "automatic"
AS_IT_IS = "as it is"
References = Mapping[str, list[tuple[str, str]]]


def grouped() -> dict[str, list[type[Step]]]:
    """Steps by technique name; several classes share one name, one for each format."""
    found: dict[str, list[type[Step]]] = {}
    for each in all_steps():
        found.setdefault(each.name, []).append(each)
    return found


def title(plugin: type[Plugin]) -> str:
    """The name a person reads."""
    return plugin.title or plugin.name


def recipes(spec: ModelSpec, device: str, references: References) -> list[str]:
    """Draw the toggles and give the recipes that they make: every runtime chosen with every precision chosen."""
    techniques = grouped()
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Compression:** makes the model smaller or simpler")
        compressed = compression(techniques, spec.format, device, references)
    with right:
        st.markdown("**Conversion and precision:** makes it run elsewhere and faster")
        precisions = precision_choice(techniques)
        way = way_choice(techniques, spec.format)
        runtimes = runtime_choice(device)
        static = st.toggle(
            "Build for each batch size separately",
            key="static",
            help="A static build is often faster and serves one batch size only.",
            persist_state="session",
        )
    if compressed and not runtimes:
        st.caption("Choose at least one runtime for the compressed model.")
    return [
        render(Recipe(steps=(*compressed, *precision, *way), runtime=runtime, static=static))
        for runtime in runtimes
        for precision in precisions
    ]


def compression(
    techniques: Mapping[str, list[type[Step]]], format: str, device: str, references: References
) -> list[Use]:
    """A toggle for each compression; its options appear when it is on."""
    chosen: list[tuple[int, Use]] = []
    for kind, heading in COMPRESSION.items():
        here = [(name, found) for name, found in techniques.items() if found[0].kind == kind]
        if not here:
            continue
        st.caption(heading)
        for name, found in here:
            use = toggle(name, found, format, device, references)
            if use is not None:
                chosen.append((ORDER.index(kind), use))
    if not any(found[0].kind in COMPRESSION for found in techniques.values()):
        st.caption("No compression step is installed.")
    return [use for _, use in sorted(chosen, key=lambda each: each[0])]


def toggle(name: str, found: list[type[Step]], format: str, device: str, references: References) -> Use | None:
    """One technique: what it does, whether it can be used, and its options when it is on."""
    missing = next((each.missing() for each in found if each.missing()), None)
    off = missing if all(each.missing() for each in found) else None
    kinds = {kind for each in found for kind in each.devices}
    reason = str(off) if off else "" if device.split(":")[0] in kinds else "Needs an NVIDIA GPU."
    on = st.toggle(
        title(found[0]),
        key=f"step_{name}",
        disabled=bool(reason),
        help=f"{options.about(found)} {reason}".strip(),
        persist_state="session",
    )
    if reason:
        st.caption(reason)
    if not on:
        return None
    with st.container(border=True):
        return options.form(step_for(name, format) or found[0], f"step_{name}", references)


def precision_choice(techniques: Mapping[str, list[type[Step]]]) -> list[tuple[Use, ...]]:
    """The precisions to try; each makes a variant of its own."""
    found = {name: each[0] for name, each in techniques.items() if each[0].kind == "precision"}
    picked = st.pills(
        "Precision",
        [AS_IT_IS, *found],
        selection_mode="multi",
        default=[AS_IT_IS],
        format_func=lambda name: "As it is" if name == AS_IT_IS else title(found[name]),
        key="precisions",
        wrap=True,
        help="Every precision chosen makes a variant of its own.",
        persist_state="session",
    )
    return [() if each == AS_IT_IS else (Use(each),) for each in picked] or [()]


def way_choice(techniques: Mapping[str, list[type[Step]]], format: str) -> tuple[Use, ...]:
    """The conversion to force, and what to do to its result; automatic takes the cheapest correct route."""
    conversions = {name: each for name, each in techniques.items() if each[0].kind == "conversion"}
    first = {
        name: each for name, each in conversions.items() if any(a != b for s in each for a, b in s.formats.items())
    }
    after = {name: each for name, each in conversions.items() if name not in first}
    way = st.selectbox(
        "Conversion",
        [AUTOMATIC, *first],
        format_func=lambda name: (
            "Automatic: the cheapest correct route" if name == AUTOMATIC else title(first[name][0])
        ),
        key="way",
        help="Name a conversion to insist on it, for example Script instead of Trace.",
        persist_state="session",
    )
    uses: list[Use] = []
    if way and way != AUTOMATIC:
        st.caption(options.about(first[way]))
        uses.append(options.form(step_for(way, format) or first[way][0], f"way_{way}"))
    for name, found in after.items():
        if st.toggle(title(found[0]), key=f"after_{name}", help=options.about(found), persist_state="session"):
            uses.append(options.form(found[0], f"after_{name}"))
    return tuple(uses)


def runtime_choice(device: str) -> list[Use]:
    """The runtimes to try, each with its options; what is not installed here says so."""
    kind = device.split(":")[0]
    offered = {name: each for name, each in all_runtimes().items() if kind in each.devices}
    picked = st.pills(
        "Runtimes",
        list(offered),
        selection_mode="multi",
        format_func=lambda name: title(offered[name]) + (" (not installed)" if offered[name].missing() else ""),
        key="runtimes",
        wrap=True,
        persist_state="session",
    )
    uses = []
    for name in picked:
        with st.expander(f"Options of {title(offered[name])}", icon=":material/settings:"):
            st.caption(options.about([offered[name]]))
            uses.append(options.form(offered[name], f"runtime_{name}"))
    return uses
