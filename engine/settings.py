"""Settings from the environment: where things are kept and what is allowed."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from engine.errors import BadInput


@dataclass(frozen=True)
class Settings:
    """What an operator can set; every field is an environment variable `OPTIBENCH_<FIELD>`."""

    home: Path
    database_url: str
    sandbox: str = "auto"
    upload_limit_mb: int = 2048
    allow_source_upload: bool = False

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"

    @property
    def uploads(self) -> Path:
        return self.home / "uploads"

    @property
    def jobs(self) -> Path:
        return self.home / "jobs"

    @property
    def datasets(self) -> Path:
        return self.home / "datasets"

    @property
    def architectures(self) -> Path:
        """Python files an operator drops here define further architectures."""
        return self.home / "architectures"


def load() -> Settings:
    """Read the settings from the environment and create the home folder.

    Raises BadInput when a variable has a value that is not allowed.
    """
    home = Path(os.environ.get("OPTIBENCH_HOME") or platformdirs.user_data_dir("optibench")).expanduser().absolute()
    sandbox = os.environ.get("OPTIBENCH_SANDBOX", "auto")
    if sandbox not in ("auto", "required", "off"):
        raise BadInput(f"OPTIBENCH_SANDBOX is {sandbox!r}.", "Use auto, required or off.")
    limit = os.environ.get("OPTIBENCH_UPLOAD_LIMIT_MB", "2048")
    if not limit.isdigit():
        raise BadInput(f"OPTIBENCH_UPLOAD_LIMIT_MB is {limit!r}.", "Use a whole number of megabytes.")
    settings = Settings(
        home=home,
        database_url=os.environ.get("OPTIBENCH_DATABASE_URL") or f"sqlite:///{home / 'optibench.db'}",
        sandbox=sandbox,
        upload_limit_mb=int(limit),
        allow_source_upload=os.environ.get("OPTIBENCH_ALLOW_SOURCE_UPLOAD", "0") == "1",
    )
    for folder in (settings.artifacts, settings.uploads, settings.jobs, settings.datasets, settings.architectures):
        folder.mkdir(parents=True, exist_ok=True)
    return settings


def command(*arguments: str) -> str:
    """Spell the shell command that runs `python -m ...` with this interpreter."""
    return " ".join([sys.executable, "-m", *arguments])
