"""Recipes as text: `prune-channels(ratio=0.5) > finetune > half > onnx > tensorrt [static]`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from engine.errors import BadInput, BadOption
from engine.formats import all_formats
from engine.runtimes import all_runtimes
from engine.spec import Range, Recipe, Scalar, Use
from engine.steps import all_steps, steps_named

STATIC = "[static]"
USE = re.compile(r"^(?P<name>@?[a-z0-9][a-z0-9.-]*)\s*(?:\((?P<options>.*)\))?$", re.DOTALL)


def parse(text: str) -> Recipe:
    """Read a recipe; the last name is a runtime. Raises BadInput saying which part is wrong."""
    text = text.strip()
    static = text.endswith(STATIC)
    if static:
        text = text.removesuffix(STATIC).strip()
    uses = [parse_use(part.strip()) for part in split(text, ">")]
    *steps, runtime = uses
    if runtime.name not in all_runtimes():
        kind = "a step" if steps_named(runtime.name) else "unknown"
        meant = nearest(runtime.name, all_runtimes())
        raise BadInput(
            f"A recipe ends with a runtime, and {runtime.name!r} is {kind}.",
            f"{meant}Runtimes: {', '.join(all_runtimes())}.",
        )
    for use in steps:
        check_step(use)
    all_runtimes()[runtime.name].from_options(runtime.options)
    return Recipe(steps=tuple(steps), runtime=runtime, static=static)


def check_step(use: Use) -> None:
    """Raise BadInput when a step or its options are unknown."""
    if use.name.startswith("@"):
        if use.name[1:] not in all_formats() or use.options:
            raise BadInput(f"There is no format to pass through named {use.name!r}.", f"Formats: {passed_through()}.")
        return
    classes = steps_named(use.name)
    if not classes:
        meant = nearest(use.name, {each.name for each in all_steps()})
        raise BadInput(f"There is no step named {use.name!r}.", f"{meant}Run `optibench plugins` to see them all.")
    errors: list[BadOption] = []
    for each in classes:
        try:
            each.from_options(use.options)
        except BadOption as error:
            errors.append(error)
    if len(errors) == len(classes):
        raise errors[0]


def nearest(name: str, known: Iterable[str]) -> str:
    """A question after what was meant, or nothing when no known name is near."""
    found = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {found[0]}? " if found else ""


def passed_through() -> str:
    """The formats that a recipe can name."""
    return ", ".join(f"@{each}" for each in all_formats())


def parse_use(text: str) -> Use:
    """Read `name` or `name(option=value, ...)`."""
    match = USE.match(text)
    if not match:
        raise BadInput(f"{text!r} is not a step or a runtime.", "Write name or name(option=value, option=value).")
    options: dict[str, Scalar] = {}
    for part in split(match["options"] or "", ","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals:
            raise BadInput(f"{part.strip()!r} in {text!r} is not an option.", "Write option=value.")
        options[name.strip().replace("-", "_")] = scalar(value.strip())
    return Use(name=match["name"], options=options)


def scalar(text: str) -> Scalar:
    """Read a value: a number, true or false, quoted or bare text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" else text


def read_shapes(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Read the shapes of inputs, each as `NAME=1x3x224x224`; a name may hold any character. Raises BadInput."""
    found = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        parts = sizes.lower().replace("×", "x").split("x")
        if not equals or not name or not all(each.isdecimal() and int(each) > 0 for each in parts):
            raise BadInput(f"{text!r} is not the shape of an input.", "Write NAME=1x3x224x224.")
        found[name] = tuple(int(each) for each in parts)
    return found


def read_values(texts: Iterable[str]) -> dict[str, Range | Scalar]:
    """Read what inputs are drawn from, each as `NAME=LOW:HIGH`, or `NAME=VALUE` for a constant. Raises BadInput."""
    found: dict[str, Range | Scalar] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        low, colon, high = value.partition(":")
        try:
            found[name] = (float(low), float(high)) if colon else scalar(value)
        except ValueError:
            equals = ""
        if not equals or not name or not value:
            raise BadInput(f"{text!r} is not a range or a value of an input.", "Write NAME=LOW:HIGH or NAME=VALUE.")
    return found


def split(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside parentheses and quotes."""
    parts, depth, quote, current = [], 0, "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == separator and depth == 0:
            parts.append(current)
            current = ""
            continue
        current += character
    return [*parts, current]


def render_use(use: Use) -> str:
    """Write one step or runtime with its options."""
    if not use.options:
        return use.name
    return f"{use.name}({', '.join(f'{name}={render_scalar(value)}' for name, value in use.options.items())})"


def render_scalar(value: Scalar) -> str:
    """Write a value so that `scalar` reads the same value back."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and (scalar(value) != value or any(each in value for each in "(),>=' ")):
        return f'"{value}"'
    return str(value)


def render(recipe: Recipe) -> str:
    """Write a recipe so that `parse` reads the same recipe back."""
    text = " > ".join(render_use(each) for each in (*recipe.steps, recipe.runtime))
    return f"{text} {STATIC}" if recipe.static else text
