"""The graph of a PyTorch module, seen in one run: which operator ran in which module, fed by what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.model_graph import ModelGraph, Operation, build
from engine.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

BATCH = 2


def module_graph(module: nn.Module, spec: ModelSpec) -> ModelGraph:
    """Run the module once at batch 2 and note every operator; `spec` says what it takes."""
    import torch

    from engine.feeds import random_feeds
    from engine.torch_bridge import flatten, positional

    feeds = random_feeds(spec, BATCH, 0)
    inputs = positional(feeds, spec)
    run = Recorder(module)
    for each, tensor in zip(spec.inputs, inputs, strict=True):
        if isinstance(tensor, torch.Tensor):
            run.note(tensor, Operation(each.name.replace(".", "_"), "Input", shape=shape_of(tensor)))
    with torch.no_grad(), run:
        outputs = flatten(module(*inputs))
    names = [each.name for each in spec.outputs]
    for index, tensor in enumerate(outputs):
        name = names[index] if index < len(names) else f"output{index}"
        if isinstance(tensor, torch.Tensor):
            after = frozenset(run.known(tensor))
            run.operations.append(Operation(name.replace(".", "_"), "Output", after, shape_of(tensor)))
    classes = {name: type(each).__name__ for name, each in module.named_modules() if name}
    return build(run.operations, classes)


def shape_of(tensor: Any) -> tuple[int | str, ...]:
    """A tensor's shape with the batch by name."""
    sizes = tuple(int(each) for each in tensor.shape)
    return ("batch", *sizes[1:]) if sizes and sizes[0] == BATCH else sizes


class Recorder:
    """Notes operators while a module runs; as a context it hooks every submodule and PyTorch's functions."""

    def __init__(self, module: nn.Module) -> None:
        from torch.utils.weak import WeakIdKeyDictionary

        self.module = module
        self.operations: list[Operation] = []
        self.makers: Any = WeakIdKeyDictionary()
        self.paths: list[str] = []
        self.calls: list[int] = []
        self.count = 0
        self.told: set[str] = set()

    def note(self, tensor: Any, operation: Operation) -> None:
        """Add an operator and remember that it made this tensor."""
        self.operations.append(operation)
        self.makers[tensor] = len(self.operations) - 1

    def known(self, value: Any) -> set[int]:
        """Which operators made the tensors somewhere inside a value."""
        import torch
        from torch.utils import _pytree as pytree

        leaves = pytree.tree_leaves(value)
        return {self.makers[each] for each in leaves if isinstance(each, torch.Tensor) and each in self.makers}

    def ran(self, function: Any, given: Any, answer: Any) -> None:
        """Take in one call of one of PyTorch's functions."""
        import torch
        from torch.utils import _pytree as pytree

        made = [each for each in pytree.tree_leaves(answer) if isinstance(each, torch.Tensor)]
        sources = self.known(given)
        if not made or not sources:
            return  # sizes and constants are no data
        path = self.paths[-1] if self.paths else ""
        weights = 0 if path in self.told else self.own_parameters(path)
        self.told.add(path)
        kind = str(getattr(function, "__name__", function)).strip("_")
        self.operations.append(
            Operation(path, kind, frozenset(sources), shape_of(made[0]), weights, self.calls[-1] if self.calls else 0)
        )
        for each in made:
            self.makers[each] = len(self.operations) - 1

    def own_parameters(self, path: str) -> int:
        """How many numbers the parameters of one module itself hold."""
        return sum(each.numel() for each in self.module.get_submodule(path).parameters(recurse=False))

    def entered(self, path: str) -> None:
        """A submodule's call begins."""
        self.count += 1
        self.paths.append(path)
        self.calls.append(self.count)

    def left(self) -> None:
        """A submodule's call is over."""
        self.paths.pop()
        self.calls.pop()

    def __enter__(self) -> Recorder:
        from torch.overrides import TorchFunctionMode

        recorder = self

        class Watch(TorchFunctionMode):
            def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                answer = function(*args, **(kwargs or {}))
                recorder.ran(function, (args, kwargs or {}), answer)
                return answer

        self.handles = []
        for name, each in self.module.named_modules():
            if name:
                self.handles.append(each.register_forward_pre_hook(lambda *_, name=name: self.entered(name)))  # type: ignore[misc]
                self.handles.append(each.register_forward_hook(lambda *_: self.left()))
        self.watch = Watch()
        self.watch.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        self.watch.__exit__(*problem)
        for each in self.handles:
            each.remove()
