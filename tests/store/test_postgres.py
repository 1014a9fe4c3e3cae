"""The same store on PostgreSQL, where its programs are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from engine.document import dump, parse
from engine.schedule.plan import wanted
from engine.settings import Settings
from engine.spec import Workload
from engine.store import Store, open_store
from engine.store.database import stamped
from engine.store.queue import Queue
from engine.store.schema import REVISION
from tests.schedule.made import comparison, fine, work_through

pytest.importorskip("psycopg")
A, B = "onnxruntime", "onnxruntime(graph_optimization=basic)"


def as_server(*command: str) -> None:
    """PostgreSQL refuses to run as root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    subprocess.run([*prefix, *command], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if not shutil.which("initdb") or not shutil.which("pg_ctl"):
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="optibench-postgres-"))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
    data = str(folder / "data")
    as_server("initdb", "-D", data, "-A", "trust", "-U", "postgres")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    as_server("pg_ctl", "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        as_server("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def postgres(url: str, home: Settings) -> Iterator[Store]:
    store = open_store(replace(home, database_url=url))
    yield store
    for each in store.comparisons():
        store.delete_comparison(each.id)
    store.close()


def test_a_comparison_from_queue_to_document(postgres: Store) -> None:
    id = comparison(postgres, A, B, workload=Workload(batch_sizes=(1, 8), rounds=2))
    assert len(work_through(postgres, id, fine)) == 11
    postgres.retry(id, postgres.variants(id)[0].id)
    postgres.retry(id, postgres.variants(id)[1].id)
    work_through(postgres, id, fine)
    found = postgres.document(id)
    assert [each.status for variant in found.variants for each in variant.results] == ["ok"] * 4
    assert found.variants[1].results[0].samples_ns["resident"]
    imported = postgres.import_document(parse(dump(found)))
    assert postgres.document(imported) == found


def test_of_many_claims_one_wins(postgres: Store) -> None:
    id = comparison(postgres, A)
    planned = next(wanted(postgres.state(id)))
    queues = [Queue(postgres, "here", f"here:{each}:0.0") for each in range(8)]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda queue: queue.claim(id, planned, "cpu", postgres.settings.jobs), queues))
    assert sum(each is not None for each in claims) == 1


def test_many_that_open_it_at_once_migrate_it_once(url: str, home: Settings) -> None:
    subprocess.run(["psql", "-q", url, "-c", "CREATE DATABASE fresh"], check=True, timeout=60)
    fresh = replace(home, database_url=url.replace("/postgres?", "/fresh?"))
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_store(fresh), range(4)))
    assert stamped(stores[0].engine) == REVISION
    for each in stores:
        each.close()
