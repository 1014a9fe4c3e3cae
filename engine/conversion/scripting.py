"""Compile a module's Python into TorchScript, and say in one sentence what can't be compiled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import StepFailed, Unsupported
from engine.spec import ModelSpec

HINT = "Use trace, or mix to script only the parts with control flow; or change that line of the model."
PLACE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
POINTER = re.compile(r"^\s*~+.*<--- HERE")


def script_module(module: Any, spec: ModelSpec, feeds: Mapping[str, Any]) -> Any:
    """A script of the module that takes the model's inputs in order; run once to prove it.

    A module in half precision is compiled without the casts at its border, which are then put
    around the script. Raises Unsupported naming the construct that TorchScript can't compile.
    """
    import torch

    from engine.conversion.casting import border_dtype, without_border
    from engine.conversion.quiet import quiet_jit
    from engine.conversion.script_casting import cast_border
    from engine.torch_bridge import positional

    dtype = border_dtype(module)
    with quiet_jit():
        try:
            script = torch.jit.script(without_border(module)).eval()
        except Exception as error:  # the compiler raises its own errors, and whatever it trips over
            raise Unsupported(compile_error(error), HINT) from error
        if dtype is not None:
            script = cast_border(script, spec, dtype)
        try:
            with torch.no_grad():
                script(*positional(feeds, spec))
        except (RuntimeError, TypeError) as error:
            raise StepFailed(f"The script does not run: {last_line(error)}", HINT) from error
    return script


def compile_error(error: Exception) -> str:
    """What TorchScript could not compile, and where: the construct, file, line and source."""
    lines = [line.rstrip() for line in str(error).splitlines()]
    what = next((line.strip() for line in lines if line.strip()), type(error).__name__).rstrip(":.")
    place = next((match for line in lines if (match := PLACE.search(line))), None)
    marker = next((index for index, line in enumerate(lines) if POINTER.match(line)), None)
    where = f" in {Path(place['file']).name}, line {place['line']}" if place else ""
    code = f": `{lines[marker - 1].strip()}`" if marker else ""
    return f"TorchScript can't compile this model: {what[:200]}{where}{code[:160]}."


def last_line(error: BaseException) -> str:
    """The last line of a message, where TorchScript puts the point."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
