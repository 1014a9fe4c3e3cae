"""Power, clocks and throttling of the GPU while a loop runs, from NVML."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType
from typing import Any

from engine.measure.nvml import HARMLESS, Gpu

SAMPLING_S = 0.05
SHORTEST_COUNTER_S = 0.2


@dataclass
class PowerMeter:
    """Watch a GPU over a `with` block; on a CPU it reads nothing.

    `energy_j` is the counter's difference, or the mean power times the time when the block was
    too short for the counter, which the driver refreshes about every 0.1 s.
    """

    gpu: Gpu
    seconds: float = 0.0
    energy_j: float | None = None
    power_w: float | None = None
    readings: dict[str, list[float]] = field(default_factory=dict)
    reasons: set[str] = field(default_factory=set)

    def __enter__(self) -> PowerMeter:
        self.stop = threading.Event()
        self.counter = self.gpu.energy_j()
        self.began = perf_counter()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        if self.gpu.handle is not None:
            self.thread.start()
        return self

    def follow(self) -> None:
        """Read the sensors until the block ends."""
        while True:
            self.sample()
            if self.stop.wait(SAMPLING_S):
                return

    def sample(self) -> None:
        """One reading of every sensor."""
        clocks = self.gpu.clocks_mhz() or {}
        found = {"power_w": self.gpu.power_w(), "temperature_c": self.gpu.temperature_c(), "sm_mhz": clocks.get("sm")}
        for name, value in found.items():
            if value is not None:
                self.readings.setdefault(name, []).append(float(value))
        self.reasons.update(self.gpu.throttle_reasons() or ())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        if self.thread.is_alive():
            self.thread.join()
        self.seconds = perf_counter() - self.began
        counter = self.gpu.energy_j()
        powers = self.readings.get("power_w", [])
        mean = sum(powers) / len(powers) if powers else None
        if counter is not None and self.counter is not None and self.seconds >= SHORTEST_COUNTER_S:
            self.energy_j = counter - self.counter
            self.power_w = self.energy_j / self.seconds
        elif mean is not None:
            self.energy_j = mean * self.seconds
            self.power_w = mean

    def details(self) -> dict[str, Any]:
        """Ranges of what was read, and reasons for lowered clocks that matter."""
        if self.gpu.handle is None:
            return {}
        ranges = {name: [min(values), max(values)] for name, values in self.readings.items()}
        reasons = sorted(each for each in self.reasons if each not in HARMLESS)
        return {"during_throughput": ranges, "throttle_reasons": reasons}
