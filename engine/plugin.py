"""A plugin is a frozen dataclass; its options are its fields.

The fields are the form in the dashboard, the command line's recipe syntax, the stored JSON and the
row in the report. Steps, runtimes and formats are found by scanning their packages, so adding one
is adding a file.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, TypeVar

from engine.errors import BadOption, MissingDependency

Kind = typing.Literal["number", "choice", "flag", "text", "model", "dataset", "layers"]


@dataclass(frozen=True)
class Option:
    """What is known about one option: enough to draw its widget and to check its value."""

    name: str
    kind: Kind
    default: Any
    help: str
    type: type
    label: str
    unit: str = ""
    min: float | None = None
    max: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, plugin: str, value: Any) -> Any:
        """Return `value` in the option's type; raise BadOption when it does not fit."""
        where = f"{plugin}({self.name}={value!r})"
        if self.kind == "flag":
            if isinstance(value, bool):
                return value
            if str(value).lower() in ("true", "false"):
                return str(value).lower() == "true"
            raise BadOption(f"{where}: {self.name} is either true or false.", f"Write {self.name}=true.")
        if self.kind == "number":
            try:
                number = self.type(value)
            except (TypeError, ValueError):
                number = None
            if number is None or isinstance(value, bool) or number != float(value):
                raise BadOption(
                    f"{where}: {self.name} is a number ({self.type.__name__}).", f"The default is {self.default}."
                )
            low, high = self.min, self.max
            if (low is not None and number < low) or (high is not None and number > high):
                raise BadOption(
                    f"{where}: {self.name} must lie between {low} and {high}.", f"The default is {self.default}."
                )
            return number
        text = str(value)
        if self.kind == "choice" and text not in self.choices:
            raise BadOption(
                f"{where}: {self.name} is one of {', '.join(self.choices)}.", f"The default is {self.default}."
            )
        return text


def option(
    default: Any,
    help: str,
    *,
    min: float | None = None,
    max: float | None = None,
    choices: tuple[str, ...] = (),
    kind: Kind | None = None,
    label: str = "",
    unit: str = "",
) -> Any:
    """Declare one option of a plugin as a dataclass field.

    `kind` is derived from the default (bool: flag, number: number, choices: choice) and is named
    only for references: `model` (a teacher), `dataset`, `layers` (comma-separated layer names).
    """
    if kind is None:
        kind = (
            "choice"
            if choices
            else "flag"
            if isinstance(default, bool)
            else "number"
            if isinstance(default, (int, float))
            else "text"
        )
    facts = {"help": help, "min": min, "max": max, "choices": choices, "kind": kind, "label": label, "unit": unit}
    return dataclasses.field(default=default, metadata={"option": facts})


@dataclass(frozen=True)
class Plugin:
    """What steps, runtimes and formats have in common.

    `requires` names the distributions a plugin imports; alternatives are separated by `|`.
    `install` is the exact command that brings them, shown where they are missing.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    version: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ()
    install: ClassVar[str] = ""
    paper: ClassVar[str] = ""

    @classmethod
    def about(cls) -> str:
        """The class docstring: what it does and when it helps."""
        return inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    def option_list(cls) -> tuple[Option, ...]:
        """The options in the order they are declared."""
        hints = typing.get_type_hints(cls)
        found = []
        for field in dataclasses.fields(cls):
            if "option" in field.metadata:
                facts = dict(field.metadata["option"])
                facts["label"] = facts["label"] or field.name.replace("_", " ").capitalize()
                found.append(Option(name=field.name, default=field.default, type=hints[field.name], **facts))
        return tuple(found)

    @classmethod
    def from_options(cls, values: Mapping[str, Any]) -> typing.Self:
        """Make the plugin from plain values; raises BadOption on an unknown name or a bad value."""
        known = {each.name: each for each in cls.option_list()}
        for name in values:
            if name not in known:
                offered = ", ".join(known) or "none"
                raise BadOption(f"{cls.name} has no option {name!r}.", f"Its options: {offered}.")
        return cls(**{name: known[name].check(cls.name, value) for name, value in values.items()})

    def options(self) -> dict[str, Any]:
        """The values of all options, as stored."""
        return {each.name: getattr(self, each.name) for each in self.option_list()}

    def times_kernels(self) -> bool:
        """Whether building with it measures on the device, so that nothing else may run beside it."""
        return False

    @classmethod
    def missing(cls) -> MissingDependency | None:
        """What has to be installed before this plugin can be used here, or None.

        Looks at installed distributions only and imports nothing heavy; plugins that need a
        compiler or a device extend it.
        """
        for requirement in cls.requires:
            names = [each.strip() for each in requirement.split("|")]
            if not any(installed_version(each) for each in names):
                hint = cls.install or f"pip install {names[0]}"
                return MissingDependency(
                    f"{cls.title or cls.name} needs {names[0]}, which is not installed.", f"Run: {hint}"
                )
        return None

    @classmethod
    def refuses_device(cls, device: str) -> str | None:
        """Why this plugin can't use one device of a kind that it works on, naming that device, or None."""
        return None

    @classmethod
    def library_versions(cls) -> dict[str, str]:
        """The installed versions of what the plugin requires; part of an artifact's cache key."""
        versions = {}
        for requirement in cls.requires:
            for each in requirement.split("|"):
                found = installed_version(each.strip())
                if found:
                    versions[each.strip()] = found
        return versions


@functools.cache
def installed_version(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


AnyPlugin = TypeVar("AnyPlugin", bound=Plugin)


def scan(package: ModuleType, base: type[AnyPlugin]) -> list[type[AnyPlugin]]:
    """Import every module of one of our packages and list the plugins they define, by name.

    A module of ours that fails to import is a bug and raises.
    """
    found: list[type[AnyPlugin]] = []
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
        found.extend(plugins_of(importlib.import_module(f"{package.__name__}.{info.name}"), base))
    return found


def plugins_of(module: ModuleType, base: type[AnyPlugin]) -> list[type[AnyPlugin]]:
    """The plugins a module defines itself (not those it imports)."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__ and value.name
    ]


def entry_points(group: str, base: type[AnyPlugin]) -> tuple[list[type[AnyPlugin]], dict[str, str]]:
    """Third-party plugins of an entry point group, and the errors of those that fail to import."""
    found: list[type[AnyPlugin]] = []
    errors: dict[str, str] = {}
    for point in importlib.metadata.entry_points(group=group):
        try:
            loaded = point.load()
        except Exception as error:  # a stranger's import may raise anything; it is shown on the System page
            errors[point.name] = f"{type(error).__name__}: {error}"
            continue
        if isinstance(loaded, type) and issubclass(loaded, base):
            found.append(loaded)
        else:
            errors[point.name] = f"{point.value} is not a {base.__name__}"
    return found, errors
