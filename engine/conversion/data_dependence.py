"""Where a module's Python looks at the values of its data, so that its path depends on them."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.spec import ModelSpec


def lines_that_read_data(module: Any, spec: ModelSpec, feeds: Mapping[str, Any]) -> tuple[str, ...]:
    """The source lines, as `file.py:line`, that turn a tensor's values into Python numbers or conditions.

    A line counts when it does so both in an ordinary call, where sizes are plain numbers, and while it
    is traced, where libraries leave out conditions that are mere shortcuts.
    """
    from engine.torch_bridge import positional

    read = lines_read(module, positional(feeds, spec))
    warned = lines_warned_of(module, spec, feeds) if read else set()
    certain = read if warned is None else read & warned
    return tuple(sorted(f"{Path(file).name}:{line}" for file, line in certain))


def lines_read(module: Any, inputs: tuple[Any, ...]) -> set[tuple[str, int]]:
    """Where an ordinary call asks for the value of a tensor."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    found: set[tuple[str, int]] = set()
    library = str(Path(torch.__file__).parent)

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, operator: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
            if operator is torch.ops.aten._local_scalar_dense.default:
                callers = [each for each in traceback.extract_stack()[:-1] if not each.filename.startswith(library)]
                if callers and callers[-1].lineno is not None:
                    found.add((callers[-1].filename, callers[-1].lineno))
            return operator(*arguments, **(named or {}))

    with torch.no_grad(), Watch():
        module(*inputs)
    return found


def lines_warned_of(module: Any, spec: ModelSpec, feeds: Mapping[str, Any]) -> set[tuple[str, int]] | None:
    """Where the tracer warns that a value becomes a constant; None when the module can't be traced."""
    import torch
    from torch.jit._trace import TracerWarning

    from engine.conversion.modules import tensor_inputs, tensors_only
    from engine.conversion.quiet import quiet_jit

    with warnings.catch_warnings(record=True) as caught, quiet_jit(), torch.no_grad():
        warnings.simplefilter("always", TracerWarning)
        try:
            torch.jit.trace(tensors_only(module, spec), tensor_inputs(feeds, spec), check_trace=False, strict=False)
        except RuntimeError:
            return None
    return {(each.filename, each.lineno) for each in caught if issubclass(each.category, TracerWarning)}
