"""torch.compile and AOTInductor: the compiler's cache, graph breaks, static batches, the wrong device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.artifact import Artifact
from engine.errors import BadInput
from engine.formats import exported_program
from engine.runtimes import all_runtimes
from engine.runtimes.base import Site
from engine.runtimes.toolchain import missing_compiler
from engine.steps.aot_compile import AotCompile, placed
from tests.runtimes.conftest import DIGITS, Building

needs_compiler = pytest.mark.skipif(missing_compiler("This test") is not None, reason="no C++ compiler or Python.h")


@needs_compiler
def test_a_second_process_finds_what_the_first_compiled(
    artifacts: Callable[..., Artifact], site: Callable[..., Site], feeds: dict[str, Any]
) -> None:
    found = []
    for _ in range(2):
        session = all_runtimes()["torch-compile"]().open(artifacts("torch-module"), DIGITS, site())
        session.bind(feeds)
        session.run()
        session.fetch()
        session.close()
        found.append((session.details["cache_misses"], session.details["cache_hits"], session.details["graphs"]))
    assert found[0] in ((1, 0, 1), (0, 1, 1))  # another test may have filled the cache
    assert found[1] == (0, 1, 1)
    assert any(site().cache.iterdir())


def test_a_program_is_captured_anew_for_one_batch_size(artifacts: Callable[..., Artifact], tmp_path: Path) -> None:
    program = exported_program.load(artifacts("exported-program").path)
    assert program.range_constraints
    static = placed(program, Building(DIGITS, tmp_path, static_batch=3))  # type: ignore[arg-type]
    assert not static.range_constraints
    assert static.module()(torch.zeros(3, 1, 8, 8)).shape == (3, 10)
    dynamic = placed(program, Building(DIGITS, tmp_path))  # type: ignore[arg-type]
    assert dynamic is program


def test_a_package_for_another_device_is_bad_input(site: Callable[..., Site], tmp_path: Path) -> None:
    package = Artifact("aot-inductor", tmp_path / "model.pt2", details={"device": "cuda"})
    for name in ("aoti", "libtorch-aoti"):
        with pytest.raises(BadInput, match="compiled for cuda"):
            all_runtimes()[name]().open(package, DIGITS, site())


def test_settings_of_a_package() -> None:
    assert AotCompile().settings("cpu") == {"max_autotune": False, "cpp.dynamic_threads": True}
    assert AotCompile.from_options({"max_autotune": True}).settings("cuda:0") == {"max_autotune": True}
    assert "NVIDIA GPU" in str(AotCompile.from_options({"tf32": True}).check(DIGITS, "cpu"))
