"""The schema that migrations make is the schema that the code expects."""

from __future__ import annotations

from dataclasses import replace

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from engine.errors import BadInput
from engine.settings import Settings
from engine.store import Store, open_store
from engine.store.database import stamped
from engine.store.schema import REVISION, Base
from engine.worker.launch import ROOT

MIGRATIONS = ROOT / "engine" / "store" / "migrations"


def test_migrations_and_schema_agree(store: Store) -> None:
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert stamped(store.engine) == REVISION


def test_a_database_of_a_later_version_is_refused(store: Store, home: Settings) -> None:
    with store.engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.commit()
    with pytest.raises(BadInput, match="knows 0002") as caught:
        open_store(home)
    assert "9999" in caught.value.reason


def test_opening_again_changes_nothing(store: Store, home: Settings) -> None:
    again = open_store(replace(home))
    assert stamped(again.engine) == REVISION


def test_a_database_of_the_first_version_is_brought_up_to_date(home: Settings) -> None:
    engine = create_engine(home.database_url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    assert stamped(engine) == "0001"
    assert stamped(open_store(home).engine) == REVISION
