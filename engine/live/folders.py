"""The job folders of live workers: named after their server, so that a later one can clear up."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

from engine.store.models import new_id

PREFIX = "live-"


def new_folder(jobs: Path) -> Path:
    """A fresh folder for one worker of this process."""
    folder = jobs / f"{PREFIX}{os.getpid()}-{new_id()}"
    folder.mkdir(parents=True)
    return folder


def sweep(jobs: Path) -> None:
    """Remove what processes that are gone left behind."""
    for each in jobs.glob(f"{PREFIX}*"):
        owner = each.name.removeprefix(PREFIX).partition("-")[0]
        if not (owner.isdigit() and psutil.pid_exists(int(owner))):
            shutil.rmtree(each, ignore_errors=True)
