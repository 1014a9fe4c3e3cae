"""One GPU seen through NVML, every reading optional: what can't be read is None and says why."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

REASONS = {
    0x1: "idle",
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal (software)",
    0x40: "thermal (hardware)",
    0x80: "power brake",
    0x100: "display clocks",
}
T = TypeVar("T")
HARMLESS = ("idle", "application clocks", "display clocks")


def visible(ordinal: int) -> int | str:
    """What CUDA's device `ordinal` is for NVML: an index, or a UUID from CUDA_VISIBLE_DEVICES."""
    listed = [each.strip() for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if each.strip()]
    if ordinal < len(listed):
        return int(listed[ordinal]) if listed[ordinal].isdigit() else listed[ordinal]
    return ordinal


class Gpu:
    """Readings of one GPU. `missing` maps each reading that failed to the reason."""

    def __init__(self, device: str) -> None:
        self.missing: dict[str, str] = {}
        self.handle: Any = None
        if not device.startswith("cuda"):
            self.missing["nvml"] = "not a GPU"
            return
        which = visible(int(device.partition(":")[2] or 0))
        try:
            import pynvml

            pynvml.nvmlInit()
            find = pynvml.nvmlDeviceGetHandleByUUID if isinstance(which, str) else pynvml.nvmlDeviceGetHandleByIndex
            self.nvml = pynvml
            self.handle = find(which)
        except ImportError:
            self.missing["nvml"] = "nvidia-ml-py is not installed"
        except pynvml.NVMLError as error:
            self.missing["nvml"] = str(error)

    def read(self, name: str, reading: Callable[[Any, Any], T]) -> T | None:
        """One reading, `reading(nvml, handle)`, or None with the reason in `missing`."""
        if self.handle is None:
            return None
        try:
            return reading(self.nvml, self.handle)
        except (self.nvml.NVMLError, AttributeError, UnicodeDecodeError) as error:
            self.missing[name] = str(error) or type(error).__name__
            return None

    def memory_used(self) -> int | None:
        """Bytes in use on the device by everyone."""
        return self.read("memory", lambda nvml, handle: int(nvml.nvmlDeviceGetMemoryInfo(handle).used))

    def memory_total(self) -> int | None:
        return self.read("memory", lambda nvml, handle: int(nvml.nvmlDeviceGetMemoryInfo(handle).total))

    def processes(self) -> dict[int, int] | None:
        """Bytes by process id; in a container NVML may give the host's ids, or none at all."""
        found = self.read("processes", lambda nvml, handle: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
        return None if found is None else {int(each.pid): int(each.usedGpuMemory or 0) for each in found}

    def process_count(self) -> int | None:
        """How many processes use the device; asked before this one does, it counts the others."""
        found = self.processes()
        return None if found is None else len(found)

    def memory_of(self, process_id: int) -> int | None:
        """Bytes one process uses on the device, or None when NVML does not list it."""
        return (self.processes() or {}).get(process_id) or None

    def power_w(self) -> float | None:
        return self.read("power", lambda nvml, handle: float(nvml.nvmlDeviceGetPowerUsage(handle)) / 1000.0)

    def energy_j(self) -> float | None:
        """The energy counter since the driver was loaded, in joules."""
        return self.read(
            "energy", lambda nvml, handle: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000.0
        )

    def temperature_c(self) -> int | None:
        return self.read(
            "temperature",
            lambda nvml, handle: int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        )

    def clocks_mhz(self) -> dict[str, int] | None:
        return self.read(
            "clocks",
            lambda nvml, handle: {
                "sm": int(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
                "memory": int(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            },
        )

    def max_clocks_mhz(self) -> dict[str, int] | None:
        return self.read(
            "max clocks",
            lambda nvml, handle: {
                "sm": int(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)),
                "memory": int(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            },
        )

    def throttle_reasons(self) -> tuple[str, ...] | None:
        """Why clocks are below their maximum right now."""

        def reading(nvml: Any, handle: Any) -> int:
            current = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
            return int((current or nvml.nvmlDeviceGetCurrentClocksThrottleReasons)(handle))

        bits = self.read("throttle reasons", reading)
        return None if bits is None else tuple(name for bit, name in REASONS.items() if bits & bit)

    def facts(self) -> dict[str, Any]:
        """What never changes: name, UUID, driver, compute capability, memory, limits."""
        read = self.read

        def capability(nvml: Any, handle: Any) -> str:
            return ".".join(map(str, nvml.nvmlDeviceGetCudaComputeCapability(handle)))

        return {
            "name": text(read("name", lambda nvml, handle: nvml.nvmlDeviceGetName(handle))),
            "uuid": text(read("uuid", lambda nvml, handle: nvml.nvmlDeviceGetUUID(handle))),
            "driver": text(read("driver", lambda nvml, handle: nvml.nvmlSystemGetDriverVersion())),
            "cuda_driver": cuda_version(read("cuda", lambda nvml, handle: nvml.nvmlSystemGetCudaDriverVersion_v2())),
            "compute_capability": read("compute capability", capability),
            "memory_bytes": self.memory_total(),
            "power_limit_w": read("limit", lambda nvml, handle: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000.0),
            "max_clocks_mhz": self.max_clocks_mhz(),
            "persistence": read("persistence", lambda nvml, handle: bool(nvml.nvmlDeviceGetPersistenceMode(handle))),
        }

    def state(self) -> dict[str, Any]:
        """What changes while it works."""
        return {
            "clocks_mhz": self.clocks_mhz(),
            "power_w": self.power_w(),
            "temperature_c": self.temperature_c(),
            "throttle_reasons": self.throttle_reasons(),
            "memory_used_bytes": self.memory_used(),
        }


def text(value: Any) -> str | None:
    """NVML strings, which old bindings give as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def cuda_version(number: int | None) -> str | None:
    """13000 is 13.0."""
    return None if number is None else f"{number // 1000}.{number % 1000 // 10}"


def device_count() -> tuple[int, str]:
    """How many GPUs CUDA would see here, and why none where there are none."""
    try:
        import pynvml
    except ImportError:
        return 0, "nvidia-ml-py is not installed."
    try:
        pynvml.nvmlInit()
        count = int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError as error:
        return 0, f"There is no NVIDIA driver here ({error})."
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        listed = [each for each in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if each.strip()]
        return min(count, len(listed)), "CUDA_VISIBLE_DEVICES hides every GPU."
    return count, "This machine has no NVIDIA GPU."
