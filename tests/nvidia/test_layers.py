"""The engine inspector's JSON, ONNX Runtime's profile and Inductor's names, read without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.analysis.fusion import fusion, inductor_origin, precisions
from engine.analysis.kernels import tensor_core_share
from engine.profiling.onnxruntime_nodes import by_provider
from engine.profiling.onnxruntime_nodes import parse as parse_nodes
from engine.profiling.tensorrt_layers import parse

HERE = Path(__file__).parent


def test_a_fused_layer_names_the_onnx_layers_it_came_from() -> None:
    layers = parse((HERE / "inspector_10.json").read_text())
    assert layers[1]["origin"] == ["/conv1/Conv", "/relu/Relu"]
    assert layers[0]["origin"] == []
    assert layers[1]["kind"] == "Convolution"


@pytest.mark.parametrize(
    ("file", "expected"), [("inspector_10.json", ["fp16", "fp16", "int8"]), ("inspector_11.json", ["bf16", "fp32"])]
)
def test_the_precision_of_each_layer_is_read_from_both_schemas(file: str, expected: list[str]) -> None:
    layers = parse((HERE / file).read_text())
    assert [each["precision"] for each in layers] == expected


def test_names_alone_are_taken_from_an_engine_without_details() -> None:
    assert [each["name"] for each in parse('{"Layers": ["a", "b"], "Bindings": []}')] == ["a", "b"]


def test_fusion_counts_before_and_after() -> None:
    found = fusion(parse((HERE / "inspector_10.json").read_text()))
    assert (found.before, found.after) == (6, 3)
    assert [len(each.origin) for each in found.groups] == [3, 2]
    assert precisions(parse((HERE / "inspector_10.json").read_text())) == {"fp16": 2, "int8": 1}


def test_an_engine_built_on_an_h100_names_what_it_fused() -> None:
    layers = parse((HERE / "inspector_rtx_1_4.json").read_text())  # TensorRT for RTX 1.4, the digits sample
    found = fusion(layers)
    assert (found.before, found.after) == (12, 9)
    assert found.groups[0].origin == ("/features/features.0/Conv", "/features/features.2/Relu")


def test_inductor_kernels_tell_what_they_fused() -> None:
    assert inductor_origin("triton_poi_fused_add_relu_3") == ("add", "relu")
    assert inductor_origin("triton_per_fused__softmax_mul_0") == ("_softmax", "mul")
    assert inductor_origin("triton_red_fused_add_native_layer_norm_12") == ("add", "native_layer_norm")
    assert inductor_origin("sm80_xmma_gemm_f16f16") == ()


def test_onnxruntime_nodes_are_summed_over_calls() -> None:
    node = {
        "cat": "Node",
        "name": "conv_kernel_time",
        "dur": 300,
        "args": {"op_name": "Conv", "provider": "CUDAExecutionProvider"},
    }
    fence = {"cat": "Node", "name": "conv_fence_before", "dur": 9999, "args": {}}
    other = {
        "cat": "Node",
        "name": "relu_kernel_time",
        "dur": 100,
        "args": {"op_name": "Relu", "provider": "CPUExecutionProvider"},
    }
    layers = parse_nodes([node, node, fence, other], calls=2)
    assert [(each["name"], each["provider"], each["ms"]) for each in layers] == [
        ("conv", "CUDA", 0.3),
        ("relu", "CPU", 0.05),
    ]
    assert by_provider(layers)["CPU"] == {"nodes": 1, "ms": 0.05}


def test_tensor_cores_are_recognised_by_kernel_names() -> None:
    dense = {"name": "ampere_sgemm_128x64_tn", "ms": 3.0}
    tensor = {"name": "sm90_xmma_gemm_f16f16_tilesize128x128_tensor64x128x16_execute", "ms": 1.0}
    assert tensor_core_share([dense, tensor, {"name": "vectorized_elementwise_kernel", "ms": 9.0}]) == 0.25
    assert tensor_core_share([{"name": "softmax", "ms": 1.0}]) is None
