"""Scripts inside a trace, and traces inside a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.conversion.batchnorm import replace
from engine.errors import StepFailed, Unsupported
from engine.spec import ModelSpec


@dataclass
class Mixed:
    """The script, which submodules were scripted and which traced, and the tracer's warnings."""

    script: Any
    scripted: list[str] = field(default_factory=list)
    traced: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def own_control_flow(module: Any) -> dict[str, int]:
    """Branches and loops of each submodule's own forward that remain when it is frozen, by dotted name.

    A submodule that TorchScript can't compile is left out: it can only be traced.
    """
    import torch

    from engine.conversion.quiet import quiet_jit
    from engine.conversion.scripts import control_flow

    totals: dict[str, int] = {}
    with quiet_jit():
        for name, each in module.named_modules():
            try:
                totals[name] = sum(control_flow(torch.jit.script(each)).values())
            except Exception:  # the script compiler raises whatever it trips over
                continue
    found = {}
    for name, each in module.named_modules():
        if name not in totals:
            continue
        inner = sum(totals.get(f"{name}.{child}" if name else child, 0) for child, _ in each.named_children())
        found[name] = totals[name] - inner
    return found


def script_inside_trace(module: Any, spec: ModelSpec, feeds: Mapping[str, Any]) -> Mixed:
    """Script the topmost submodules with control flow of their own and trace the rest around them."""
    import torch

    from engine.conversion.quiet import quiet_jit
    from engine.steps.trace import trace

    counts = own_control_flow(module)
    if counts.get("", 0) > 0:
        raise Unsupported(
            "The control flow is in the model's own forward, so nothing around it is left to trace.",
            "Use mix(reverse=true), which scripts the model and traces the submodules it calls, or script.",
        )
    chosen: list[str] = []
    for name, count in counts.items():
        if count > 0 and not any(name.startswith(f"{each}.") for each in chosen):
            chosen.append(name)
    if not chosen:
        raise Unsupported(
            "No submodule with control flow was found that TorchScript can compile.", "Use trace, or script."
        )
    with quiet_jit():
        for name in chosen:
            replace(module, name, torch.jit.script(module.get_submodule(name)))
    traced, warnings = trace(module, spec, dict(feeds))
    rest = [name for name, _ in module.named_children() if name not in chosen]
    return Mixed(traced, scripted=chosen, traced=rest, warnings=warnings)


def trace_inside_script(module: Any, spec: ModelSpec, feeds: Mapping[str, Any]) -> Mixed:
    """Trace the submodules that the model calls with tensors alone, and script the model around them."""
    import torch

    from engine.conversion.quiet import quiet_jit
    from engine.conversion.scripting import script_module

    counts = own_control_flow(module)
    calls = recorded_calls(module, spec, feeds)
    traced: list[str] = []
    with quiet_jit(), torch.no_grad():
        for name, child in list(module.named_children()):
            flow = sum(count for each, count in counts.items() if each == name or each.startswith(f"{name}."))
            if name not in calls or flow > 0:
                continue
            try:
                replacement = torch.jit.trace(child, calls[name], check_trace=False)
            except (RuntimeError, TypeError, ValueError):
                continue  # what can't be traced is scripted with the rest
            replace(module, name, replacement)
            traced.append(name)
    if not traced:
        raise StepFailed(
            "The model calls no submodule that could be traced: each has control flow or takes more than tensors.",
            "Use script.",
        )
    return Mixed(script_module(module, spec, feeds), scripted=[type(module).__name__], traced=traced)


def recorded_calls(module: Any, spec: ModelSpec, feeds: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What each direct submodule was called with, for those that are called with tensors alone."""
    import torch

    from engine.torch_bridge import positional

    calls: dict[str, tuple[Any, ...]] = {}

    def hook(name: str) -> Any:
        def record(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            if not named and arguments and all(isinstance(each, torch.Tensor) for each in arguments):
                calls.setdefault(name, arguments)

        return record

    handles = [child.register_forward_pre_hook(hook(name), with_kwargs=True) for name, child in module.named_children()]
    try:
        with torch.no_grad():
            module(*positional(feeds, spec))
    finally:
        for each in handles:
            each.remove()
    return calls
