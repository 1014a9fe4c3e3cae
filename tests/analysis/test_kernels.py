"""Names of GPU kernels, as people can read them."""

from __future__ import annotations

import pytest

from engine.analysis.kernels import short_name
from engine.frames import layers

ADD = "at::native::CUDAFunctor_add<float>, std::array<char*, 3ul>"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("aten::convolution", "aten::convolution"),
        ("Conv_0 + Relu_1", "Conv_0 + Relu_1"),
        ("Memcpy HtoD (Pinned -> Device)", "Memcpy HtoD (Pinned -> Device)"),
        ("ampere_sgemm_128x64_tn", "ampere_sgemm_128x64_tn"),
        ("void cudnn::bn_fw_inf_1C11_kernel_NCHW<float, true>(float, float*)", "cudnn::bn_fw_inf_1C11_kernel_NCHW"),
        ("void at::native::(anonymous namespace)::max_pool_forward_nchw<float>(int)", "max_pool_forward_nchw"),
        (
            f"void at::native::vectorized_elementwise_kernel<4, {ADD}>(int, {ADD})",
            "vectorized_elementwise_kernel (CUDAFunctor_add)",
        ),
        (
            "void cutlass::Kernel2<cutlass_80_tensorop_f16_s16816gemm_nn_align8>(cutlass_80_tensorop_f16::Params)",
            "cutlass::Kernel2 (cutlass_80_tensorop_f16_s16816gemm_nn_align8)",
        ),
    ],
)
def test_a_kernel_is_named_without_its_types(name: str, short: str) -> None:
    assert short_name(name) == short


def test_all_kernels_are_shown_not_some_that_count_as_layers() -> None:
    kernels = [{"name": f"k{number}", "kind": "kernel", "ms": 1.0, "count": 1} for number in range(3)]
    assert len(layers({"kernels": kernels, "layers": kernels[:1]})) == 3
