"""2:4 weights on sparse tensor cores: which layers can, and what is said when none can."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.errors import Unsupported
from engine.pruning.two_of_four import two_of_four
from engine.runtimes import all_runtimes
from engine.runtimes.sparse_weights import candidates, compress
from tests.runtimes.conftest import DIGITS


def network(width: int = 128) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, 64), nn.Linear(64, 10)).eval()


def pruned(module: nn.Module) -> nn.Module:
    for each in module.modules():
        if isinstance(each, nn.Linear):
            mask = two_of_four(each.weight.detach().numpy())
            assert mask is not None
            each.weight.data.mul_(torch.from_numpy(mask))
    return module


def test_only_layers_with_the_pattern_type_and_shape_qualify() -> None:
    assert list(candidates(pruned(network()).half())) == ["0", "2"], "the last has 10 outputs"
    assert list(candidates(pruned(network()).bfloat16())) == ["0", "2"]
    assert not candidates(pruned(network())), "not in FP32"
    assert not candidates(network().half()), "not dense weights"


def test_a_dense_model_is_told_what_to_put_before() -> None:
    with pytest.raises(Unsupported, match="2:4") as caught:
        compress(network().half())
    assert "prune-2to4" in caught.value.hint


def test_a_cpu_has_no_sparse_tensor_cores() -> None:
    assert "GPU" in str(all_runtimes()["eager"].from_options({"sparse": True}).check(DIGITS, "cpu"))


def test_sparse_kernels_get_rows_without_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.sparse.to_sparse_semi_structured", lambda weight: weight)
    module = pruned(network()).half()
    compress(module)
    given: list[bool] = []
    module[0].register_forward_pre_hook(lambda _, arguments: given.append(arguments[0].is_contiguous()))
    module(torch.randn(32, 3, 128, dtype=torch.float16)[:, 0])
    assert given == [True]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("gaps", [False, True])
def test_sparse_layers_answer_like_dense_ones(gaps: bool) -> None:
    dense = pruned(network()).half().cuda()
    rows = torch.randn(64, 5, 128, device="cuda", dtype=torch.float16)
    given = rows[:, 0] if gaps else rows[:, 0].contiguous()
    with torch.inference_mode():
        wanted = dense(given)
    assert compress(dense) == ["0", "2"]
    with torch.inference_mode():
        found = dense(given)
    assert float((found - wanted).norm() / wanted.norm()) < 1e-2
