"""What comes in is kept whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engine import intake
from engine.errors import BadInput, PhaseFailed
from engine.settings import Settings
from engine.store import Store
from engine.worker.protocol import Event
from tests.schedule.made import tiny_onnx


def left(home: Settings) -> list[Path]:
    return [each for folder in (home.uploads, home.jobs, home.datasets) for each in folder.iterdir()]


def test_an_upload_becomes_a_model_and_the_original_is_not_needed(store: Store, home: Settings, tmp_path: Path) -> None:
    path = tiny_onnx(tmp_path / "net.onnx")
    said: list[str] = []
    id = intake.inspect_upload(home, path, name="Net", store=store, on_event=lambda event: said.append(event.text))
    path.unlink()
    row = store.model(id)
    assert (row.name, row.spec.format, row.origin) == ("Net", "onnx", "upload")
    assert row.folder == home.uploads / id
    assert (row.folder / "artifact.json").exists()
    assert said
    store.delete_model(id)
    assert left(home) == []


def test_a_bad_upload_leaves_nothing(store: Store, home: Settings, tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\x08\x07" + b"garbage" * 100)
    with pytest.raises(BadInput):
        intake.inspect_upload(home, bad, store=store)
    with pytest.raises(BadInput, match="can't be read"):
        intake.inspect_upload(home, tmp_path / "missing.onnx", store=store)
    assert left(home) == []
    assert store.models() == []


def test_an_upload_over_the_limit_is_refused_before_it_is_copied(store: Store, home: Settings, tmp_path: Path) -> None:
    large = tmp_path / "large.onnx"
    with large.open("wb") as stream:
        stream.truncate(2_000_001)
    with pytest.raises(BadInput, match="limit is 2 MB") as caught:
        intake.inspect_upload(replace(home, upload_limit_mb=2), large, store=store)
    assert "OPTIBENCH_UPLOAD_LIMIT_MB" in caught.value.hint
    with pytest.raises(BadInput, match="not a file"):
        intake.inspect_upload(home, Path("/dev/zero"), store=store)
    assert left(home) == []


def test_a_data_set_is_copied_and_forgotten_with_its_files(store: Store, home: Settings, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("text,label\nfine,1\n")
    id = intake.add_dataset(home, store, table, columns={"label": "label"})
    row = store.dataset(id)
    assert row.path.read_text() == table.read_text()
    assert row.facts["columns"] == {"label": "label"}
    store.delete_dataset(id)
    assert left(home) == []
    assert store.datasets() == []


def test_a_sample_is_added_once(store: Store, home: Settings) -> None:
    first = intake.add_sample(home, store, "digits")
    assert intake.add_sample(home, store, "digits") == first
    assert intake.sample_dataset(store.model(first).origin) == "sample:digits"
    with pytest.raises(BadInput, match="no sample model"):
        intake.add_sample(home, store, "nonsense")


def test_a_cancelled_upload_leaves_nothing(store: Store, home: Settings, tmp_path: Path) -> None:
    path = tiny_onnx(tmp_path / "net.onnx")
    workers: list[list[psutil.Process]] = []

    def started(event: Event) -> None:
        workers.append(psutil.Process().children(recursive=True))

    with pytest.raises(PhaseFailed, match="nothing of it was kept"):
        intake.inspect_upload(home, path, store=store, on_event=started, cancelled=lambda: bool(workers))
    assert workers[0]
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in workers[0])
    with pytest.raises(PhaseFailed, match="nothing of it was kept"):
        intake.inspect_upload(home, path, store=store, cancelled=lambda: True)
    assert left(home) == []
    assert store.models() == []
