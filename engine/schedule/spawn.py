"""Start the scheduler as a process that outlives the one that starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from engine.schedule.locks import scheduler_is_running
from engine.settings import Settings
from engine.worker.launch import ROOT

WAIT_S = 10.0
LOG = "scheduler.log"


def spawn(settings: Settings) -> None:
    """Start `python -m engine.schedule` for these settings and wait until it holds its lock.

    Of several that are started at once, one gets the lock and the others leave.
    """
    environment = {
        **os.environ,
        "OPTIBENCH_HOME": str(settings.home),
        "OPTIBENCH_DATABASE_URL": settings.database_url,
        "OPTIBENCH_SANDBOX": settings.sandbox,
    }
    with (settings.home / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine.schedule"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and process.poll() is None and not scheduler_is_running(settings):
        time.sleep(0.05)
