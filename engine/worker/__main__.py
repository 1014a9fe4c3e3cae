"""`python -m engine.worker JOB_DIR`: carry out one phase and leave its result in the folder."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from engine.errors import OptibenchError
from engine.worker.explaining import explain
from engine.worker.protocol import Outcome, Reporter, read_job, write_result

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        expected = os.environ.get("OPTIBENCH_PARENT")
        if expected and os.getppid() != int(expected) and os.getppid() == 1:
            os._exit(1)


def main(folder: Path) -> int:
    """Run the phase; every way it can end is an Outcome."""
    die_with_parent()
    report = Reporter(folder)
    try:
        job = read_job(folder)
        phase = importlib.import_module(f"engine.worker.phases.{job.phase}")
        value: dict[str, Any] = phase.run(job, report)
        outcome = Outcome("ok", value)
    except OptibenchError as error:
        traceback.print_exc()
        outcome = Outcome(error.status, {}, error.reason, error.hint)  # type: ignore[arg-type]
    except Exception as error:  # the border of the process: nothing may leave it unexplained
        traceback.print_exc()
        outcome = explain(error)
    seconds = time.monotonic() - report.began
    write_result(folder, Outcome(outcome.status, outcome.value, outcome.reason, outcome.hint, seconds))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # libraries that crash while they unload must not spoil a finished result


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
