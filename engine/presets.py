"""Ready-made sets of recipes, and names for the ones a user makes.

*Quick* looks at four variants that need no long compilation; *full* and *recorded* at everything
that makes sense here; *smaller*, *faster* and *smallest* compress. What a model's format or this
machine can't do is left out of a preset; a recipe that is asked for by name stays, with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine import preset_recipes as tables
from engine.errors import BadInput
from engine.formats import all_formats
from engine.plugin import Plugin
from engine.preset_recipes import Candidates
from engine.recipes import parse, render_use
from engine.routes import plan
from engine.runtimes import all_runtimes
from engine.spec import ModelSpec, Recipe, Use, Variant
from engine.steps import step_for, steps_named
from engine.steps.base import Step

QUICK_VARIANTS = 4
NAMES = ("quick", "full", "recorded", "smaller", "faster", "smallest")
LETTERS = {"torchscript": "S", "onnx": "O"}
MODULES, NEEDS_DATA = "M", "D"

Recipes = list[tuple[str, str]]


def recipes(spec: ModelSpec, device: str, preset: str, *, dataset: bool = False) -> Recipes:
    """Labels and recipes of a preset for one model on one device, the format's reference first.

    Without a data set, what needs one is left out. Raises BadInput when there is no such preset.
    """
    chosen = [baseline(spec)]
    for name, text, sources in candidates(preset, device.startswith("cuda")):
        fits = LETTERS.get(spec.format, MODULES) in sources and (dataset or NEEDS_DATA not in sources)
        if fits and name not in {each for each, _ in chosen} and possible(spec, text, device, chosen):
            chosen.append((name, text))
    return chosen[:QUICK_VARIANTS] if preset == "quick" else chosen


def candidates(preset: str, on_gpu: bool) -> Candidates:
    """Everything a preset would like to try."""
    if preset not in NAMES:
        raise BadInput(f"There is no preset {preset!r}.", f"Presets: {', '.join(NAMES)}.")
    quick = tables.CUDA_QUICK if on_gpu else tables.CPU_QUICK
    more = tables.CUDA_MORE if on_gpu else tables.CPU_MORE
    return {
        "quick": quick,
        "smaller": tables.SMALLER,
        "faster": tables.FASTER_CUDA if on_gpu else tables.FASTER_CPU,
        "smallest": tables.SMALLEST,
    }.get(preset, (*quick, *more))


def possible(spec: ModelSpec, text: str, device: str, chosen: Recipes) -> bool:
    """Whether a preset's recipe leads anywhere here, and not where another one went already."""
    try:
        variant = plan(spec, parse(text), device)
    except BadInput:
        return False
    if variant.unsupported:
        return False
    taken = [plan(spec, parse(each), device) for _, each in chosen]
    runtimes = [(each.route, each.recipe.runtime, each.recipe.static) for each in taken]
    return (variant.route, variant.recipe.runtime, variant.recipe.static) not in runtimes


def baseline(spec: ModelSpec) -> tuple[str, str]:
    """The reference of the model's format: what every variant is compared with."""
    reference = all_formats()[spec.format].reference
    if reference is None:
        raise BadInput(f"A model of the format {spec.format} has no reference to compare with.", "Upload its source.")
    runtime = all_runtimes()[reference.name]
    name = runtime.title or runtime.name
    return f"{name} · reference" if reference.options else name, render_use(reference)


def variants(spec: ModelSpec, device: str, recipes: Sequence[tuple[str, str]]) -> list[Variant]:
    """Plan recipes for one model; the baseline comes first, and is added when it is not among them.

    A recipe without a label gets one. Raises BadInput when a recipe can't be read.
    """
    name, text = baseline(spec)
    reference = parse(text)
    planned = [plan(spec, reference, device, label=name, baseline=True)]
    for given, each in recipes:
        recipe = parse(each)
        if recipe != reference:
            planned.append(plan(spec, recipe, device, label=given or label(recipe, spec.format)))
    return planned


def label(recipe: Recipe, format: str = "") -> str:
    """A short name for a recipe: its runtime, then what sets it apart."""
    runtime = all_runtimes()[recipe.runtime.name]
    parts = [runtime.title or runtime.name]
    for use in recipe.steps:
        if use.name.startswith("@"):
            continue
        step = step_for(use.name, format) or next(iter(steps_named(use.name)), None)
        parts.append(named(short(step, use), step, use))
    parts.extend(said(runtime, recipe.runtime))
    if recipe.static:
        parts.append("static")
    return " · ".join(dict.fromkeys(parts))


def short(step: type[Step] | None, use: Use) -> str:
    """A step's title; a precision is called by what its title has in parentheses."""
    title = step.title if step and step.title else use.name
    inner = title.partition("(")[2].rstrip(")")
    return inner if step and step.kind == "precision" and inner else title


def named(title: str, plugin: type[Plugin] | None, use: Use) -> str:
    """A step's title with the options that were set."""
    options = said(plugin, use) if plugin else []
    return f"{title} ({', '.join(options)})" if options else title


def said(plugin: type[Plugin], use: Use) -> list[str]:
    """The options that were set, in words: a flag by its label, anything else with its value."""
    words = []
    known = {each.name: each for each in plugin.option_list()}
    for name, value in use.options.items():
        title = known[name].label if name in known else name
        words.append(title if value is True else f"no {title.lower()}" if value is False else f"{title} {value}")
    return words
