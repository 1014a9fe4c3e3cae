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
