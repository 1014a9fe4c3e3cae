"""What compiling needs: a C++ compiler and, for PyTorch's compilers, Python's headers."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from engine.errors import MissingDependency

INSTALL = "sudo apt-get install g++ python3-dev"


def cpp_compiler() -> str | None:
    """The path of the C++ compiler, `$CXX` first; one that has the shared standard library is preferred.

    PyTorch loads the shared one. A program or kernel with a second, static copy in it crashes in
    whatever both of them use: locales, streams, regular expressions.
    """
    wanted = os.environ.get("CXX")
    first = shutil.which(wanted) if wanted else None
    found = [first] if first else []
    for name in ("g++", "clang++"):
        found += [path for folder in os.get_exec_path() if (path := shutil.which(name, path=folder))]
    return next((each for each in found if has_shared_library(each)), found[0] if found else None)


@functools.cache
def has_shared_library(compiler: str) -> bool:
    """Whether a compiler links the C++ standard library as a shared one."""
    if sys.platform != "linux":
        return True
    ask = [compiler, "-print-file-name=libstdc++.so"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return False
    return Path(answer).is_absolute() and Path(answer).exists()


def chosen_environment() -> dict[str, str]:
    """What makes PyTorch's own compilers use what `cpp_compiler` chose; empty where they do already."""
    chosen = cpp_compiler()
    return {"CXX": chosen} if chosen and chosen != shutil.which(os.environ.get("CXX") or "g++") else {}


def settle() -> None:
    """Let PyTorch's own compilers in this process use what `cpp_compiler` chose.

    Inductor reads the environment when its settings are imported, which exporting may have done already.
    """
    environment = chosen_environment()
    os.environ.update(environment)
    settings = sys.modules.get("torch._inductor.config")
    if environment and settings is not None:
        settings.cpp.cxx = (None, environment["CXX"])  # type: ignore[attr-defined]


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
