"""Half precision of scripts whose outputs are more than a tensor."""

from __future__ import annotations

import torch

from engine.conversion.script_casting import cast_script
from engine.spec import ModelSpec, TensorSpec


class Named(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        scores = self.layer(x)
        return {"scores": scores, "best": scores.argmax(1)}


def test_the_values_of_a_dictionary_come_out_in_float32() -> None:
    spec = ModelSpec("named", "torchscript", (TensorSpec("x", "float32", ("batch", 6)),), ())
    module = Named().eval()
    x = torch.rand(3, 6)
    wanted = module(x)
    found = cast_script(torch.jit.script(module), spec, "float16")(x)
    assert {name: each.dtype for name, each in found.items()} == {"scores": torch.float32, "best": torch.int64}
    assert torch.allclose(found["scores"], wanted["scores"], atol=1e-2)
