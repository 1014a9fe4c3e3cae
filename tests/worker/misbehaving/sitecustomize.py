"""Put a phase that misbehaves in the probe phase's place; on a worker's path only in these tests."""

import os
import signal
import socket
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

from engine.errors import BadInput


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def memory() -> None:
    raise MemoryError("std::bad_alloc")


def traceback() -> None:
    raise ValueError("the first line\nthe second line")


def refusal() -> None:
    raise BadInput("The file is empty.", "Save it again.")


def leave() -> None:
    os._exit(7)


def sleep() -> None:
    child = subprocess.Popen(["sleep", "100"])
    Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(100)


def explore() -> dict[str, bool]:
    """What the sandbox lets a worker do."""
    return {
        "network": works(lambda: socket.create_connection((os.environ["HOST"], int(os.environ["PORT"])), 2)),
        "source": works(lambda: Path("engine/written").write_text("x")),
        "home": works(lambda: Path(os.environ["OPTIBENCH_HOME"], "written").write_text("x")),
        "tmp": works(lambda: Path("/tmp/optibench-private").write_text("x")),
        "folder": works(lambda: Path(os.environ["FOLDER"], "written").write_text("x")),
        "shared_memory": works(lambda: Path("/dev/shm/optibench-test").write_text("x")),
    }


def works(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True


if os.environ.get("MISBEHAVE"):
    phase = types.ModuleType("engine.worker.phases.probe")

    def run(job: object, report: Callable[..., None]) -> dict[str, object]:
        report(0.5, "Half way")
        return globals()[os.environ["MISBEHAVE"]]() or {}

    phase.__dict__["run"] = run
    sys.modules["engine.worker.phases.probe"] = phase
