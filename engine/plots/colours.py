"""Colours, icons and words: one for each runtime family and status, everywhere the same.

The nine colours of each theme are at least 20 CIELAB units apart under normal, protanopic and
deuteranopic vision, and have a contrast of at least 3:1 to their background. `.streamlit/config.toml`
repeats them as `chartCategoricalColors`; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Theme = Literal["light", "dark"]

BASELINE = "baseline"
FAMILIES: dict[str, tuple[str, dict[Theme, str]]] = {
    "pytorch": ("PyTorch eager", {"light": "#4992eb", "dark": "#6ea8f6"}),
    "torchscript": ("TorchScript", {"light": "#0b4354", "dark": "#b8eefb"}),
    "compile": ("PyTorch compiled", {"light": "#a823a1", "dark": "#af349a"}),
    "onnxruntime": ("ONNX Runtime", {"light": "#4b1dbe", "dark": "#9326f2"}),
    "tensorrt": ("TensorRT", {"light": "#279b54", "dark": "#bcd99f"}),
    "libtorch": ("LibTorch C++", {"light": "#4a3426", "dark": "#9b6c50"}),
}
BASELINE_COLOUR: dict[Theme, str] = {"light": "#90959d", "dark": "#989b9e"}
SUSPECT_COLOUR: dict[Theme, str] = {"light": "#d08406", "dark": "#ffca38"}
FAILED_COLOUR: dict[Theme, str] = {"light": "#b01409", "dark": "#f51d0d"}
BACKGROUND: dict[Theme, str] = {"light": "#ffffff", "dark": "#14171c"}
SURFACE: dict[Theme, str] = {"light": "#f5f6f8", "dark": "#1d2128"}
TEXT: dict[Theme, str] = {"light": "#101318", "dark": "#e8eaee"}
MUTED: dict[Theme, str] = {"light": "#5f6671", "dark": "#a3aab5"}
RULE: dict[Theme, str] = {"light": "#e1e4e9", "dark": "#333943"}
GOOD_TEXT: dict[Theme, str] = {"light": "#1c7a40", "dark": "#7fd69c"}
WARNING_TEXT: dict[Theme, str] = {"light": "#8f5a00", "dark": "#ffca38"}
BAD_TEXT: dict[Theme, str] = {"light": "#b01409", "dark": "#ff8a80"}
"""Text needs more contrast (4.5:1) than a bar."""


@dataclass(frozen=True)
class StatusStyle:
    """How a status is shown: a word, a Material icon, a character for charts, a badge colour."""

    word: str
    icon: str
    mark: str
    badge: Literal["red", "orange", "yellow", "blue", "green", "violet", "gray", "primary"]


STATUSES: dict[str, StatusStyle] = {
    "queued": StatusStyle("Queued", ":material/schedule:", "…", "gray"),
    "running": StatusStyle("Running", ":material/play_circle:", "▸", "blue"),
    "ok": StatusStyle("OK", ":material/check_circle:", "✓", "green"),
    "suspect": StatusStyle("Suspect", ":material/warning:", "⚠", "orange"),
    "unsupported": StatusStyle("Unsupported", ":material/block:", "–", "gray"),
    "failed": StatusStyle("Failed", ":material/error:", "✕", "red"),
    "oom": StatusStyle("Out of memory", ":material/memory_alt:", "✕", "red"),
    "timeout": StatusStyle("Timed out", ":material/timer_off:", "✕", "red"),
    "crashed": StatusStyle("Crashed", ":material/dangerous:", "✕", "red"),
    "cancelled": StatusStyle("Cancelled", ":material/cancel:", "✕", "gray"),
}


def categorical(theme: Theme) -> list[str]:
    """The chart colours in their fixed order: families, then baseline, suspect, failed."""
    families = [colours[theme] for _, colours in FAMILIES.values()]
    return [*families, BASELINE_COLOUR[theme], SUSPECT_COLOUR[theme], FAILED_COLOUR[theme]]


def family_title(family: str) -> str:
    """The name of a runtime family as the legend says it."""
    return FAMILIES[family][0] if family in FAMILIES else family or "Other"


def colour(family: str, status: str, baseline: bool, theme: Theme) -> str:
    """The colour of one variant: its family's, grey for the baseline, amber when it is suspect."""
    if status == "suspect":
        return SUSPECT_COLOUR[theme]
    if baseline:
        return BASELINE_COLOUR[theme]
    if status not in ("ok", "queued", "running"):
        return FAILED_COLOUR[theme] if status != "unsupported" else MUTED[theme]
    return FAMILIES[family][1][theme] if family in FAMILIES else MUTED[theme]
