"""What needs a compiler says so where there is none, with the line that installs it."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

from engine.runtimes import all_runtimes, toolchain
from engine.steps.aot_compile import AotCompile

COMPILING = [*(all_runtimes()[name] for name in ("torch-compile", "libtorch", "libtorch-aoti")), AotCompile]


@pytest.mark.parametrize("plugin", COMPILING)
def test_no_compiler(plugin: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    missing = plugin.missing()  # type: ignore[attr-defined]
    assert "C++ compiler" in missing.reason
    assert "apt-get install g++" in missing.hint


def test_no_python_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": tmp_path, "platinclude": tmp_path})
    missing = all_runtimes()["torch-compile"].missing()
    assert missing is not None
    assert "Python.h" in missing.reason
    assert "python3-dev" in missing.hint
    assert all_runtimes()["libtorch"].missing() is None or toolchain.cpp_compiler() is None


def test_what_runs_packages_needs_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("eager", "torchscript", "aoti", "onnxruntime"):
        assert all_runtimes()[name].missing() is None


def test_a_compiler_with_a_static_standard_library_alone_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "g++"
    other.write_text("#!/bin/sh\necho libstdc++.so\n")
    other.chmod(0o755)
    monkeypatch.setenv("CXX", str(other))
    chosen = toolchain.cpp_compiler()
    assert not toolchain.has_shared_library(str(other))
    assert chosen not in (None, str(other))
    toolchain.settle()
    assert os.environ["CXX"] == chosen


def test_a_compiler_chosen_late_reaches_inductor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = pytest.importorskip("torch._inductor.config")
    other = tmp_path / "g++"
    other.write_text("#!/bin/sh\necho libstdc++.so\n")
    other.chmod(0o755)
    monkeypatch.setenv("CXX", str(other))
    monkeypatch.setattr(config.cpp, "cxx", (None, str(other)))
    toolchain.settle()
    assert config.cpp.cxx == (None, toolchain.cpp_compiler())


def test_static_compilers_first_on_the_path_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "g++"
    other.write_text("#!/bin/sh\necho libstdc++.so\n")
    other.chmod(0o755)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert toolchain.cpp_compiler() not in (None, str(other))
    assert toolchain.chosen_environment() == {"CXX": toolchain.cpp_compiler()}
