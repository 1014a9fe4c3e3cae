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


def program(device: str, fallback: Path) -> Path:
    """The compiled program for a device; compiled now when it is not yet there, which takes half a minute.

    It is kept under the home folder for every model, or in `fallback` where that can't be written.
    Raises MissingDependency without a compiler and StepFailed when the compiler refuses.
    """
    missing = missing_compiler("The C++ program", headers=False)
    cuda = device != "cpu"
    folder = cache_folder(fallback)
    path = folder / f"runner-{digest(cuda)}"
    if path.exists():
        return path
    if missing:
        raise missing
    with FileLock(f"{path}.lock"):
        if not path.exists():
            partial = path.with_suffix(f".{os.getpid()}")
            compile_program(partial, cuda)
            partial.replace(path)
    return path


def cache_folder(fallback: Path) -> Path:
    """A folder that can be written, shared by all models where possible."""
    for folder in (load_settings().home / "cache" / "libtorch", fallback / "libtorch"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise StepFailed(f"There is no folder to keep the C++ program in: {fallback} can't be written.", "Free some space.")


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
        *("-std=c++20", "-O2"),
        *(f"-I{torch / 'include'}", f"-I{torch / 'include/torch/csrc/api/include'}"),
        *("-o", str(path), str(HERE / "main.cpp")),
        *(f"-L{torch / 'lib'}", f"-Wl,-rpath,{torch / 'lib'}", "-Wl,--allow-shlib-undefined"),
        *libraries,
    ]
