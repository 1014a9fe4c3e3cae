"""Cores, quotas and pinning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.measure import cores


def test_a_quota_is_rounded_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(cores, "QUOTAS", (quota, tmp_path / "none"))
    quota.write_text("150000 100000")
    assert cores.quota() == 2
    quota.write_text("max 100000")
    assert cores.quota() is None
    quota.write_text("what?")
    assert cores.quota() is None


def test_threads_are_what_is_wanted_or_all_cores() -> None:
    assert cores.threads_for(3) == 3
    assert cores.threads_for(0) == len(cores.physical()) >= 1


def test_pinning_binds_to_cores_and_leaves_too_many_threads_alone() -> None:
    before = os.sched_getaffinity(0)
    assert cores.pin(10_000) == []
    assert os.sched_getaffinity(0) == before
    assert cores.pin(1) == cores.allowed()
    assert len(os.sched_getaffinity(0)) == 1


def test_siblings_are_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cpu, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        (tmp_path / str(cpu)).write_text(siblings)
    monkeypatch.setattr(cores, "TOPOLOGY", str(tmp_path / "{cpu}"))
    monkeypatch.setattr(cores, "allowed", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(cores, "quota", lambda: None)
    assert cores.physical() == [0, 1]
