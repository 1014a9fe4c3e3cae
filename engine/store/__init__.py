"""What is kept between runs: models, data sets, comparisons, work, results, artifacts.

Importing this package is cheap, because workers import the artifact store from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.settings import Settings
from engine.store.rows import ComparisonRow, DatasetRow, ModelRow, PhaseRow, VariantProgress, VariantRow

if TYPE_CHECKING:
    from engine.store.store import Store

__all__ = [
    "ComparisonRow",
    "DatasetRow",
    "ModelRow",
    "PhaseRow",
    "Store",
    "VariantProgress",
    "VariantRow",
    "open_store",
]


def open_store(settings: Settings) -> Store:
    """Open the database of these settings, its schema brought up to date.

    Raises BadInput when it can't be opened. A store may be shared between threads.
    """
    from engine.store.database import connect
    from engine.store.store import Store

    return Store(connect(settings.database_url), settings)


def __getattr__(name: str) -> Any:
    """Load the facade, and SQLAlchemy with it, when it is first asked for."""
    if name == "Store":
        from engine.store.store import Store

        return Store
    raise AttributeError(name)
