"""After the tests: for every plugin, whether the contract tests ran it here, or why not."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from engine.formats import all_formats
from engine.runtimes import all_runtimes
from engine.steps import all_steps

# No test writes into the user's home, and none waits for measurements of another program.
SCRATCH = Path(tempfile.mkdtemp(prefix="optibench-tests-"))
os.environ.setdefault("OPTIBENCH_HOME", str(SCRATCH / "home"))
os.environ.setdefault("OPTIBENCH_LOCKS", str(SCRATCH / "locks"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)

CONTRACTS = {
    "tests/steps/test_contract.py::test_what_it_makes_opens_and_computes_the_same",
    "tests/runtimes/test_contract.py::test_it_agrees_with_the_module",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: in a fresh environment the first imports take a minute or two."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one line a plugin; nothing when no contract test was part of the run."""
    found = dict(outcomes(terminalreporter.stats))
    if not found:
        return
    terminalreporter.section("plugins")
    for name in dict.fromkeys([*(each.name for each in all_steps()), *all_runtimes()]):
        mine = {case: told for case, told in found.items() if name in parts(case)}
        for case, told in mine.items() or {name: "not part of this run"}.items():
            terminalreporter.write_line(f"{case:50} {told}")
    terminalreporter.write_line(f"formats: {', '.join(all_formats())} (tests/formats)")


def outcomes(stats: dict[str, list[Any]]) -> list[tuple[str, str]]:
    """Each contract test's parameters and what came of it."""
    found = []
    for kind in ("passed", "skipped", "failed", "error"):
        for report in stats.get(kind, []):
            test, _, case = getattr(report, "nodeid", "").partition("[")
            if test in CONTRACTS:
                reason = report.longrepr[2] if kind == "skipped" and isinstance(report.longrepr, tuple) else ""
                found.append((case.rstrip("]"), "ran" if kind == "passed" else f"{kind}: {reason}".rstrip(": ")))
    return found


def parts(case: str) -> set[str]:
    """The names a case may stand for: `half-torch-module` is half, `cuda:0-torch-compile` is torch-compile."""
    bare = re.sub(r"^(cpu|cuda:\d+)-", "", case)
    cut = [bare.removesuffix(f"-{each}") for each in all_formats() if bare.endswith(f"-{each}")]
    return {bare, *cut}
