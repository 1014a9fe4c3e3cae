from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import settings
from engine.settings import Settings
from engine.store import Store, open_store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OPTIBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPTIBENCH_DATABASE_URL", raising=False)
    return settings.load()


@pytest.fixture
def store(home: Settings) -> Iterator[Store]:
    opened = open_store(home)
    yield opened
    opened.close()
