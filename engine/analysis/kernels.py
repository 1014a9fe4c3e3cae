"""What the names of GPU kernels tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

# Matrix products and convolutions of cuBLAS, cuDNN, CUTLASS and TensorRT.
PRODUCT = re.compile(
    r"gemm|gemv|conv|xmma|cutlass|cudnn.*(fprop|nhwc|winograd)|implicit|flash|fmha|attention|nvjet", re.I
)
# Tensor-core instructions by their shapes (16816, 884, ...), names (hmma, gmma) or library tags.
TENSOR_CORE = re.compile(
    r"tensor_?op|tensor\d+x\d+|[hbsi]16816|[hs]1688|[hs]884|i8816|i16832|hmma|gmma|imma|_tf32|tf32_|nvjet|flash|fmha",
    re.IGNORECASE,
)


# Templates that run any function: the function, among the arguments, is what they do.
GENERIC = re.compile(r"elementwise_kernel|reduce_kernel|cutlass::(device_kernel|Kernel)")
FUNCTION = re.compile(r"\b(launch_\w+|\w+?Functor\w*|\w+_kernel_cuda|\w+_kernel_impl|\w+Ops|cutlass_\w+)\b")
PREFIX = re.compile(r"^(void|std::enable_if<.*?>::type)\s+")


def short_name(name: str) -> str:
    """A kernel's name without its types: `cudnn::bn_fw_inf_1C11_kernel_NCHW`; other names stay as they are.

    What a generic kernel computes follows its name: `vectorized_elementwise_kernel (launch_clamp_scalar)`.
    """
    bare = PREFIX.sub("", name.replace("(anonymous namespace)::", ""))
    if "(" not in bare or (bare == name and "<" not in bare):
        return name
    head = re.split(r"[<(]", bare, maxsplit=1)[0]
    function = FUNCTION.search(bare[len(head) :]) if GENERIC.search(head) else None
    short = head.removeprefix("at::native::")
    return f"{short} ({function[1]})" if function else short or name


def is_product(name: str) -> bool:
    """Whether a kernel multiplies matrices or convolves."""
    return bool(PRODUCT.search(name))


def uses_tensor_cores(name: str) -> bool:
    """Whether a kernel's name says that it uses tensor cores."""
    return bool(TENSOR_CORE.search(name))


def tensor_core_share(kernels: Iterable[Mapping[str, Any]]) -> float | None:
    """The share of the time in matrix products that tensor-core kernels take; None without such kernels."""
    products = [each for each in kernels if is_product(str(each.get("name", "")))]
    total = sum(float(each.get("ms") or 0.0) for each in products)
    if not total:
        return None
    return sum(float(each.get("ms") or 0.0) for each in products if uses_tensor_cores(str(each["name"]))) / total
