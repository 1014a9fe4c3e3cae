"""Compile the C++ program against the installed PyTorch, once for each version."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
from pathlib import Path

from filelock import FileLock

from engine.errors import MissingDependency, StepFailed, Unsupported
from engine.plugin import installed_version
from engine.runtimes.toolchain import cpp_compiler, missing_compiler
from engine.settings import load as load_settings

SOURCES = ("main.cpp", "model.h", "wire.h")
HERE = Path(__file__).parent


def torch_folder() -> Path:
    """Where PyTorch is installed; does not import it."""
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency("PyTorch is not installed.", "Run: pip install torch")
    return Path(spec.submodule_search_locations[0])


def program(device: str, cache: Path) -> Path:
    """The compiled program for a device; compiled now when it is not yet there, which takes half a minute.

    One program serves every model, so it is looked for in all folders that could hold it. `cache` is
    the one of this artifact. Raises MissingDependency without a compiler and StepFailed when the
    compiler refuses.
    """
    cuda = device != "cpu"
    name = f"runner-{digest(cuda)}"
    folders = places(cache)
    found = next((folder / name for folder in folders if (folder / name).exists()), None)
    if found:
        return found
    missing = missing_compiler("The C++ program", headers=False)
    if missing:
        raise missing
    path = writable(folders) / name
    with FileLock(f"{path}.lock"):
        if not path.exists():
            partial = path.with_suffix(f".{os.getpid()}")
            compile_program(partial, cuda)
            partial.replace(path)
    return path


def places(cache: Path) -> list[Path]:
    """Where the program may lie: for all models in the home folder or beside their caches, or in this cache.

    A worker in a sandbox can write to the caches but not to the home folder.
    """
    return [load_settings().home / "cache" / "libtorch", cache.parent / "libtorch", cache / "libtorch"]


def writable(folders: list[Path]) -> Path:
    """The first folder that can be written."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise StepFailed(f"The C++ program has no folder to lie in: {folders[-1]} can't be written.", "Free some space.")


def digest(cuda: bool) -> str:
    """What the compiled program depends on, as a short hash."""
    found = hashlib.sha256(f"{installed_version('torch')} {torch_folder()} {cpp_compiler()} {cuda}".encode())
    for name in SOURCES:
        found.update((HERE / name).read_bytes())
    return found.hexdigest()[:16]


def compile_program(path: Path, cuda: bool) -> None:
    """Compile and link `path`."""
    result = subprocess.run(command(path, cuda), capture_output=True, text=True, check=False)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if "error" in line or "undefined" in line]
        raise StepFailed(
            f"The C++ program can't be compiled: {(errors or [result.stderr.strip() or 'no message'])[0][:300]}",
            f"It is {HERE / 'main.cpp'}; the log has the compiler's words.",
        )


def command(path: Path, cuda: bool) -> list[str]:
    """The compiler's command line: PyTorch's wheel is all it needs, without CMake or a CUDA toolkit."""
    torch = torch_folder()
    libraries = ["-ltorch_cpu", "-ltorch", "-lc10"]
    if cuda:
        if not (torch / "lib" / "libtorch_cuda.so").exists():
            raise Unsupported("This PyTorch is built without CUDA.", "Install PyTorch's CUDA build.")
        # Nothing in the program names CUDA's library, which registers itself when it is loaded.
        libraries = ["-Wl,--no-as-needed", "-ltorch_cuda", *libraries]
    return [
        cpp_compiler() or "g++",
        *("-std=c++20", "-O1"),
        *(f"-I{torch / 'include'}", f"-I{torch / 'include/torch/csrc/api/include'}"),
        *("-o", str(path), str(HERE / "main.cpp")),
        *(f"-L{torch / 'lib'}", f"-Wl,-rpath,{torch / 'lib'}", "-Wl,--allow-shlib-undefined"),
        *libraries,
    ]
