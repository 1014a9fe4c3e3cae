"""Locks of devices."""

from __future__ import annotations

from pathlib import Path

import filelock
import pytest

from engine.schedule.locks import device_lock, device_name, gpu_uuid


@pytest.mark.parametrize(
    ("visible", "index", "expected"),
    [("", 0, None), ("-1", 0, None), ("GPU-aaaa,GPU-bbbb", 1, "GPU-bbbb"), ("GPU-aaaa", 1, None)],
)
def test_hidden_gpus_are_not_there(
    visible: str, index: int, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_uuid(index) == expected


def test_a_device_is_held_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTIBENCH_LOCKS", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aaaa,GPU-bbbb")
    assert device_name("cuda:1") == "GPU-bbbb"
    with device_lock("cuda:1").acquire():
        with pytest.raises(filelock.Timeout):
            device_lock("cuda:1").acquire(timeout=0)
        with device_lock("cuda:0").acquire(timeout=0), device_lock("cpu").acquire(timeout=0):
            assert {each.name for each in tmp_path.iterdir()} == {"cpu.lock", "GPU-aaaa.lock", "GPU-bbbb.lock"}
