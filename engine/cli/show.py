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

SHOWN = ("id", "kind", "name")


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
        "formats": [
            {**facts(each), "uploadable": each.uploadable, "refusal": each.refusal, "instead": each.instead}
            for each in all_formats().values()
        ],
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
    """Print all plugins, a table for each kind; a technique for several formats is one row."""
    console = Console(highlight=False)
    for kind, through in (("formats", ""), ("steps", "From → to"), ("runtimes", "Opens")):
        table = Table(title=kind.capitalize(), title_justify="left")
        for name in ("Name", "What it does", *filter(None, (through,)), "Options", "Here"):
            table.add_column(name)
        rows: dict[str, list[dict[str, Any]]] = {}
        for each in found[kind]:
            rows.setdefault(each["name"], []).append(each)
        for name, same in rows.items():
            cells = [name, same[0]["about"].split("\n")[0]]
            if through:
                cells.append("\n".join(path for each in same for path in paths(each["formats"])))
            table.add_row(*cells, options(same[0]), here(same[0]))
        console.print(table)
    for name, error in found["broken"].items():
        console.print(f"{name} can't be loaded: {error}", markup=False)
    for each in found["unsupported"]:
        console.print(f"{each['title']} is unsupported: {each['reason']} {each['instead']}", markup=False)


def paths(formats: dict[str, str] | list[str]) -> list[str]:
    """The formats of a runtime, or what a step makes of which."""
    if isinstance(formats, list):
        return formats
    return [source if source == target else f"{source} → {target}" for source, target in formats.items()]


def options(plugin: dict[str, Any]) -> str:
    """Every option with its default."""
    return "\n".join(f"{each['name']}={each['default']}" for each in plugin["options"])


def here(plugin: dict[str, Any]) -> str:
    """Whether a plugin can be used on this machine."""
    if plugin.get("refusal"):
        return f"refused: {plugin['instead']}"
    return "ready" if plugin["ready"] else f"{plugin['reason']} {plugin['hint']}"


def show_system(found: dict[str, Any]) -> None:
    """Print what this machine has."""
    console = Console(highlight=False)
    table = Table(title="This machine", title_justify="left", show_header=False)
    for name, value in found.items():
        if value and not isinstance(value, (dict, list)):
            table.add_row(name.replace("_", " ").capitalize(), str(value))
    for each in found.get("devices", []):
        facts = [f"{name.replace('_', ' ')} {value}" for name, value in each.items() if value and name not in SHOWN]
        table.add_row(f"Device {each.get('id', '')}", f"{each.get('name', '')}: {', '.join(facts)}")
    installed = [f"{name} {version}" for name, version in found.get("libraries", {}).items() if version]
    table.add_row("Libraries", "\n".join(installed))
    console.print(table)
    for kind in ("runtimes", "steps"):
        missing = {name: each for name, each in found.get(kind, {}).items() if not each.get("ready")}
        ready = [name for name in found.get(kind, {}) if name not in missing]
        console.print(f"{kind.capitalize()} that are ready: {', '.join(ready)}", markup=False)
        for name, each in missing.items():
            console.print(f"{name}: {each.get('reason', '')} {each.get('hint', '')}".rstrip(), markup=False)
