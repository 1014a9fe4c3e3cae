"""Open a database and bring its schema up to date."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from engine.errors import BadInput, MissingDependency
from engine.store.schema import REVISION

BUSY_TIMEOUT_MS = 30_000
WRITES = "optibench_writes"


def connect(url: str) -> Engine:
    """An engine for the URL, its schema up to date; raises BadInput when it can't be opened."""
    try:
        parsed = make_url(url)
        engine = create_engine(parsed, pool_pre_ping=not is_sqlite(parsed))
    except ArgumentError as error:
        raise BadInput(
            "OPTIBENCH_DATABASE_URL is not a database URL.", "Use sqlite:///path or postgresql://user@host/name."
        ) from error
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"This database needs {error.name}, which is not installed.", "Run: pip install 'psycopg[binary]'"
        ) from error
    try:
        if is_sqlite(parsed):
            prepare_sqlite(engine, parsed)
        upgrade(engine)
    except (OperationalError, OSError) as error:
        why = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise BadInput(
            f"The database {parsed.render_as_string()} can't be opened: {why}.", "Check OPTIBENCH_DATABASE_URL."
        ) from error
    return engine


def is_sqlite(url: URL) -> bool:
    """Whether the URL names an SQLite file."""
    return url.get_backend_name() == "sqlite"


def prepare_sqlite(engine: Engine, url: URL) -> None:
    """Write-ahead log, waiting instead of failing, foreign keys; writers lock when they begin.

    A transaction that reads first and then writes would fail at once when another one wrote in
    between, so those that write say so from the start.
    """
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
            cursor.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def upgrade(engine: Engine) -> None:
    """Run the migrations that this database has not seen; one process at a time."""
    if stamped(engine) == REVISION:
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7301915)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def stamped(engine: Engine) -> str | None:
    """The revision a database is at, or None for an empty one; raises BadInput for a newer one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and str(found) > REVISION:
        raise BadInput(
            f"The database has the schema {found}, and this version of Optibench knows {REVISION}.",
            "Upgrade Optibench, or set OPTIBENCH_HOME to another folder.",
        )
    return str(found) if found is not None else None
