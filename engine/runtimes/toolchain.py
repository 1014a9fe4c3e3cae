"""What compiling needs: a C++ compiler and, for PyTorch's compilers, Python's headers."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

from engine.errors import MissingDependency

INSTALL = "sudo apt-get install g++ python3-dev"


def cpp_compiler() -> str | None:
    """The path of the C++ compiler, `$CXX` first."""
    return next(
        (path for name in (os.environ.get("CXX"), "g++", "clang++") if name and (path := shutil.which(name))), None
    )


def c_compiler() -> str | None:
    """The path of the C compiler, `$CC` first."""
    return next(
        (path for name in (os.environ.get("CC"), "gcc", "clang", "cc") if name and (path := shutil.which(name))), None
    )


def python_headers() -> Path | None:
    """The folder of this interpreter's Python.h, or None."""
    for name in ("include", "platinclude"):
        folder = Path(sysconfig.get_paths()[name])
        if (folder / "Python.h").exists():
            return folder
    return None


def missing_compiler(title: str, *, headers: bool = True) -> MissingDependency | None:
    """What a plugin that compiles lacks here, with the line that installs it, or None."""
    if cpp_compiler() is None:
        return MissingDependency(f"{title} needs a C++ compiler, and none is installed.", f"Run: {INSTALL}")
    if headers and c_compiler() is None:
        return MissingDependency(f"{title} needs a C compiler, and none is installed.", f"Run: {INSTALL}")
    if headers and python_headers() is None:
        return MissingDependency(
            f"{title} needs Python's header files (Python.h), which are not installed.", f"Run: {INSTALL}"
        )
    return None
