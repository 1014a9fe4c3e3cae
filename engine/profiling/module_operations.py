"""Operations of a PyTorch module, counted without computing anything."""

from __future__ import annotations

from engine.artifact import Artifact
from engine.errors import Unsupported, first_line
from engine.spec import ModelSpec


def count_module(artifact: Artifact, spec: ModelSpec, batch_size: int) -> tuple[float, float]:
    """Floating-point operations of one call (a multiply-add is two) and the number of weights.

    Runs the module on fake tensors. Raises Unsupported for a module whose path depends on data.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from engine.feeds import random_feeds
    from engine.runtimes.eager import load_module
    from engine.torch_bridge import positional

    module = load_module(artifact, "cpu")
    arguments = positional(random_feeds(spec, batch_size, 0), spec)
    weights = sum(each.numel() for each in module.parameters())
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not know the fused attention operator
    try:
        # Plain attention is made of products that the counter knows; the CPU's fused one is not.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), mode, FlopCounterMode(display=False) as counter:
            module(*(mode.from_tensor(each) if isinstance(each, torch.Tensor) else each for each in arguments))
    except Exception as error:  # a model's own code raises whatever it likes on tensors without values
        raise Unsupported(f"The operations of this model can't be counted: {first_line(error)}.") from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return float(counter.get_total_flops()), float(weights)
