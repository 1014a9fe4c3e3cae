"""NVML's readings, through a stand-in for its bindings: what can't be read says why."""

from __future__ import annotations

import os
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.measure import memory, nvml
from engine.measure.nvml import Gpu
from engine.measure.power import PowerMeter
from engine.spec import Use
from engine.worker.bench import set_up
from engine.worker.jobs import MeasureJob
from engine.worker.protocol import Reporter
from tests.measure import models
from tests.measure.conftest import WORKLOAD
from tests.measure.sessions import Sleeper


class Refused(Exception):
    """What the bindings raise."""


def bindings(**changes: Callable[..., Any]) -> Any:
    """A driver with one GPU; `changes` replaces functions."""
    counter = iter(range(1000, 10**9, 500))
    module: Any = types.ModuleType("pynvml")
    module.NVMLError = Refused
    module.NVML_TEMPERATURE_GPU, module.NVML_CLOCK_SM, module.NVML_CLOCK_MEM = 0, 1, 2
    readings: dict[str, Callable[..., Any]] = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: f"gpu {index}",
        "nvmlDeviceGetHandleByUUID": lambda uuid: f"gpu {uuid}",
        "nvmlDeviceGetName": lambda handle: b"NVIDIA H100",
        "nvmlDeviceGetUUID": lambda handle: "GPU-1",
        "nvmlSystemGetDriverVersion": lambda: "580.1",
        "nvmlSystemGetCudaDriverVersion_v2": lambda: 13010,
        "nvmlDeviceGetCudaComputeCapability": lambda handle: (9, 0),
        "nvmlDeviceGetMemoryInfo": lambda handle: types.SimpleNamespace(used=5_000, total=80_000),
        "nvmlDeviceGetEnforcedPowerLimit": lambda handle: 700_000,
        "nvmlDeviceGetPersistenceMode": lambda handle: 1,
        "nvmlDeviceGetMaxClockInfo": lambda handle, kind: 1980,
        "nvmlDeviceGetClockInfo": lambda handle, kind: 1500,
        "nvmlDeviceGetPowerUsage": lambda handle: 350_000,
        "nvmlDeviceGetTemperature": lambda handle, sensor: 55,
        "nvmlDeviceGetTotalEnergyConsumption": lambda handle: next(counter),
        "nvmlDeviceGetCurrentClocksEventReasons": lambda handle: 0x1 | 0x4,
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
            types.SimpleNamespace(pid=os.getpid(), usedGpuMemory=3_000),
            types.SimpleNamespace(pid=1, usedGpuMemory=None),
        ],
    }
    for name, function in {**readings, **changes}.items():
        setattr(module, name, function)
    return module


def refuse(*arguments: Any) -> Any:
    raise Refused("Not Supported")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return lambda **changes: monkeypatch.setitem(sys.modules, "pynvml", bindings(**changes))


def test_facts_and_state(install: Callable[..., None]) -> None:
    install()
    gpu = Gpu("cuda:0")
    facts, state = gpu.facts(), gpu.state()
    assert (facts["name"], facts["cuda_driver"], facts["compute_capability"]) == ("NVIDIA H100", "13.1", "9.0")
    assert state["clocks_mhz"] == {"sm": 1500, "memory": 1500}
    assert state["throttle_reasons"] == ("idle", "power cap")
    assert gpu.process_count() == 2
    assert gpu.missing == {}


def test_the_environment_counts_the_processes_that_were_there_before(
    install: Callable[..., None], tmp_path: Path
) -> None:
    install()
    made = models.classifier(tmp_path / "m")
    workload = replace(WORKLOAD, device="cuda:0")
    job = MeasureJob(made.spec, {1: made.folder}, Use("onnxruntime"), workload, (1,))
    bench = set_up(job, Reporter(tmp_path))
    found = bench.environment({})
    assert found["gpu"]["processes"] == 2
    assert found["gpu"]["temperature_c"] == 55
    assert found["pinned_cpus"] == []
    assert bench.used_before == 5_000
    assert found["data_transfers"] == {"resident": "off", "end_to_end": "on"}
    assert None not in found["cuda_libraries"].values()


def test_a_refused_reading_is_none_with_its_reason(install: Callable[..., None]) -> None:
    install(nvmlDeviceGetPowerUsage=refuse, nvmlDeviceGetTotalEnergyConsumption=refuse)
    gpu = Gpu("cuda:0")
    assert (gpu.power_w(), gpu.energy_j(), gpu.temperature_c()) == (None, None, 55)
    assert gpu.missing == {"power": "Not Supported", "energy": "Not Supported"}


def test_without_a_driver_everything_is_none(install: Callable[..., None]) -> None:
    install(nvmlInit=refuse)
    gpu = Gpu("cuda:0")
    assert (gpu.handle, gpu.memory_used(), gpu.throttle_reasons()) == (None, None, None)
    assert gpu.missing == {"nvml": "Not Supported"}
    assert nvml.device_count() == (0, "There is no NVIDIA driver here (Not Supported).")


def test_visible_devices_choose_the_gpu(install: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-abc")
    assert Gpu("cuda:0").handle == "gpu 3"
    assert Gpu("cuda:1").handle == "gpu GPU-abc"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert nvml.device_count()[0] == 0


def test_memory_is_the_process_s_own_where_nvml_lists_it(install: Callable[..., None]) -> None:
    install()
    found = memory.measure(Sleeper(0, 0), Gpu("cuda:0"), used_before=1_000)
    assert (found.device, found.method) == (3_000, "process")


def test_memory_is_the_growth_where_nvml_lists_other_ids(install: Callable[..., None]) -> None:
    install(nvmlDeviceGetComputeRunningProcesses=lambda handle: [])
    found = memory.measure(Sleeper(0, 0), Gpu("cuda:0"), used_before=1_000)
    assert (found.device, found.method) == (4_000, "growth of the device's use")
    assert memory.measure(Sleeper(0, 0), Gpu("cuda:0"), used_before=None).device is None


def test_energy_comes_from_the_counter(install: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    monkeypatch.setattr("engine.measure.power.SHORTEST_COUNTER_S", 0.0)
    with PowerMeter(Gpu("cuda:0")) as meter:
        pass
    assert meter.energy_j == 0.5
    assert meter.details()["throttle_reasons"] == ["power cap"]


def test_a_short_loop_or_a_missing_counter_uses_the_mean_power(install: Callable[..., None]) -> None:
    install(nvmlDeviceGetTotalEnergyConsumption=refuse)
    with PowerMeter(Gpu("cuda:0")) as meter:
        pass
    assert meter.power_w == 350.0
    assert meter.energy_j == pytest.approx(350.0 * meter.seconds)


def test_a_cpu_has_no_power() -> None:
    with PowerMeter(Gpu("cpu")) as meter:
        pass
    assert (meter.energy_j, meter.power_w, meter.details()) == (None, None, {})


def test_the_peak_is_read_while_working() -> None:
    level = [5]

    def work() -> None:
        level[0] = 50
        time.sleep(0.05)
        level[0] = 7

    assert memory.watch(lambda: level[0], work) == 50


def test_a_sweep_stops_before_the_host_s_memory_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: types.SimpleNamespace(available=10_000))
    monkeypatch.setattr(memory, "host_peak", lambda: 4_000)
    assert "are free" in memory.room_on_host(before=1_000)
    assert memory.room_on_host(before=3_000) == ""
