"""Tables of models, plugins and machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.formats import all_formats
from engine.plugin import Plugin
from engine.runtimes import all_runtimes, broken_plugins
from engine.spec import ModelSpec, TensorSpec
from engine.steps import all_steps
from engine.steps import broken_plugins as broken_steps
from engine.unsupported import UNSUPPORTED


def show_model(spec: ModelSpec) -> None:
    """Print what is known about a model."""
    table = Table(title=spec.name, title_justify="left", show_header=False)
    rows = {
        "Format": f"{spec.format}{f', opset {spec.opset}' if spec.opset else ''}",
        "Architecture": spec.architecture,
        "Parameters": f"{spec.parameters:,}",
        "Size": f"{spec.size_bytes / 1e6:.3g} MB",
        "Inputs": "\n".join(tensor(each) for each in spec.inputs),
        "Outputs": "\n".join(tensor(each) for each in spec.outputs),
        "Task": spec.task,
        "State": spec.state,
        "Control flow": str(spec.control_flow),
        "Operators": ", ".join(f"{name} {count}" for name, count in spec.operators.items()),
        "Notes": "\n".join(spec.notes),
        "Please confirm": ", ".join(spec.guessed),
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    Console(highlight=False).print(table)


def tensor(each: TensorSpec) -> str:
    """One input or output in a line."""
    if each.constant is not None:
        return f"{each.name} = {each.constant!r}"
    return f"{each.name}: {each.dtype} {'×'.join(map(str, each.shape))}"


def plugin_facts() -> dict[str, Any]:
    """Every plugin with its options and whether it can be used here."""
    return {
        "formats": [{**facts(each), "uploadable": each.uploadable} for each in all_formats().values()],
        "steps": [{**facts(each), "kind": each.kind, "formats": dict(each.formats)} for each in all_steps()],
        "runtimes": [
            {**facts(each), "formats": list(each.formats), "devices": list(each.devices), "family": each.family}
            for each in all_runtimes().values()
        ],
        "broken": {**broken_plugins(), **broken_steps()},
        "unsupported": [asdict(each) for each in UNSUPPORTED],
    }


def facts(plugin: type[Plugin]) -> dict[str, Any]:
    """What is known about one plugin."""
    missing = plugin.missing()
    return {
        "name": plugin.name,
        "title": plugin.title or plugin.name,
        "about": plugin.about(),
        "ready": missing is None,
        "reason": missing.reason if missing else "",
        "hint": missing.hint if missing else "",
        "options": [
            {
                "name": each.name,
                "kind": each.kind,
                "default": each.default,
                "help": each.help,
                "min": each.min,
                "max": each.max,
                "choices": list(each.choices),
                "unit": each.unit,
            }
            for each in plugin.option_list()
        ],
    }


def show_plugins(found: dict[str, Any]) -> None:
    """Print all plugins, a table for each kind."""
    console = Console(highlight=False)
    for kind in ("formats", "steps", "runtimes"):
        table = Table(title=kind.capitalize(), title_justify="left")
        for name in ("Name", "What it does", "Options", "Here"):
            table.add_column(name)
        for each in found[kind]:
            options = ", ".join(f"{option['name']}={option['default']}" for option in each["options"])
            here = "ready" if each["ready"] else f"{each['reason']} {each['hint']}"
            table.add_row(each["name"], each["about"].split("\n")[0], options, here)
        console.print(table)
    table = Table(title="Not here", title_justify="left")
    for name in ("Path", "Why", "Instead"):
        table.add_column(name)
    for each in found["unsupported"]:
        table.add_row(each["title"], each["reason"], each["instead"])
    console.print(table)
    for name, error in found["broken"].items():
        console.print(f"{name} can't be loaded: {error}", markup=False)


def show_system(found: dict[str, Any]) -> None:
    """Print what this machine has."""
    console = Console(highlight=False)
    table = Table(title="This machine", title_justify="left", show_header=False)
    for name, value in found.items():
        if not isinstance(value, (dict, list)):
            table.add_row(name.replace("_", " ").capitalize(), str(value))
    for each in found.get("devices", []):
        table.add_row("Device", ", ".join(f"{value}" for value in each.values() if not isinstance(value, (dict, list))))
    for name, version in found.get("libraries", {}).items():
        table.add_row(name, str(version))
    console.print(table)
    table = Table(title="Runtimes", title_justify="left")
    for name in ("Name", "Ready", "What is missing"):
        table.add_column(name)
    for name, each in found.get("runtimes", {}).items():
        missing = f"{each.get('reason', '')} {each.get('hint', '')}".strip()
        table.add_row(name, "yes" if each.get("ready") else "no", missing)
    console.print(table)
