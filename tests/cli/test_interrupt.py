"""Ctrl-C in the middle of a comparison."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from engine import document
from engine.worker.launch import ROOT
from tests.worker.test_launch import gone


def test_an_interrupt_cancels_and_keeps_what_is_finished(tiny: Path, tmp_path: Path, home: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "engine.cli", "compare", str(tiny), "--device", "cpu", "--out", str(out)]
    command += ["--recipe", "onnxruntime", "--recipe", "onnxruntime(graph_optimization=basic)"]
    command += ["--seconds", "10"]  # on a busy machine the line below comes late
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "running measure" in line:
            break
    time.sleep(1.0)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Cancelling" in said
    assert "Traceback" not in said
    assert {each.status for each in document.read(out).variants[1].results} == {"cancelled"}
    assert gone(*(each.pid for each in children))
    assert list((home / "jobs").iterdir()) == []
