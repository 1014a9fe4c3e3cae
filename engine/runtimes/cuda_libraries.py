"""CUDA's libraries without PyTorch: find and load them, and wait for the device."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

from engine.errors import MissingDependency

# In an order in which each finds what it needs already loaded.
LIBRARIES = (
    "libcudart.so",
    "libnvJitLink.so",
    "libnvrtc.so",
    "libcublasLt.so",
    "libcublas.so",
    "libcurand.so",
    "libcufft.so",
    "libcudnn.so",
)
DRIVER = "libcuda.so.1"


def folders() -> list[Path]:
    """Where the wheels of NVIDIA's libraries and PyTorch keep shared libraries; imports neither."""
    found: list[Path] = []
    for package, pattern in (("nvidia", "*/lib"), ("torch", "lib")):
        spec = importlib.util.find_spec(package)
        for each in (spec.submodule_search_locations or ()) if spec else ():
            found.extend(sorted(Path(each).glob(pattern)))
    return found


def preload() -> None:
    """Load the CUDA libraries that ONNX Runtime links against, wherever their wheels lie.

    ONNX Runtime looks only beside its own folder and on the default path. What is not found here
    is left to the default path.
    """
    import onnxruntime

    major = str(getattr(onnxruntime, "cuda_version", "") or "").partition(".")[0]
    for name in LIBRARIES:
        for folder in folders():
            exact = folder / f"{name}.{major}"
            path = exact if exact.exists() else next(iter(sorted(folder.glob(f"{name}.[0-9]*"))), None)
            if path is not None:
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
                break
    onnxruntime.preload_dlls(directory="")


class DeviceWait:
    """Waits until everything enqueued on one GPU is over, whichever library enqueued it.

    The driver's own call waits for every stream of the device's primary context, which is the one
    that each CUDA runtime in the process shares; so it does not matter which runtime a library
    links, or whether its streams are reachable. Raises MissingDependency where there is no driver
    or no such GPU.
    """

    def __init__(self, index: int) -> None:
        try:
            self.driver = ctypes.CDLL(DRIVER)
        except OSError as error:
            raise MissingDependency(
                "There is no NVIDIA driver on this machine.", "Check it with nvidia-smi, or choose the CPU."
            ) from error
        self.context = ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), index)

    def call(self, name: str, *arguments: object) -> None:
        """Call one function of the driver; raises when it reports an error."""
        code = getattr(self.driver, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self.driver.cuGetErrorString(code, ctypes.byref(text))
            reason = text.value.decode() if text.value else f"error {code}"
            if name in ("cuInit", "cuDevicePrimaryCtxRetain"):
                raise MissingDependency(
                    f"The NVIDIA driver can't use this GPU: {reason}.", "Check it with nvidia-smi, or choose the CPU."
                )
            raise RuntimeError(f"{name}: {reason}")

    def __call__(self) -> None:
        self.call("cuCtxSetCurrent", self.context)
        self.call("cuCtxSynchronize")
