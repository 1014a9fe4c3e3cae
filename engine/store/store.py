"""The one door to what is kept: every method is one transaction."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from engine.settings import Settings
from engine.spec import ModelSpec, Variant, Workload
from engine.store import comparison_rows, comparisons, models, results
from engine.store.database import WRITES
from engine.store.rows import (
    BuildRow,
    ComparisonRow,
    ComparisonState,
    DatasetRow,
    MeasurementRow,
    ModelRow,
    ProfileRow,
    VariantProgress,
    VariantRow,
)

if TYPE_CHECKING:
    from engine.document import ComparisonDocument


class Store:
    """Everything the dashboard, the command line and the scheduler read and write."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.settings = settings
        self.engine = engine
        self.readers = sessionmaker(engine)
        self.writers = sessionmaker(engine.execution_options(**{WRITES: True}))

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction that is kept as a whole or not at all."""
        with self.writers.begin() as session:
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    # Models and data sets

    def add_model(self, spec: ModelSpec, folder: Path, *, origin: str = "upload", id: str = "") -> str:
        """Add an admitted model; `folder` holds its artifact. Returns its id."""
        with self.write() as session:
            return models.add_model(session, spec, folder, origin, id)

    def models(self) -> list[ModelRow]:
        """All models, the newest first."""
        with self.readers() as session:
            return models.models(session)

    def model(self, id: str) -> ModelRow:
        """One model; raises BadInput when there is none."""
        with self.readers() as session:
            return models.model_row(models.find_model(session, id))

    def update_model(self, id: str, spec: ModelSpec) -> None:
        """Replace what is known about a model."""
        with self.write() as session:
            models.update_model(session, id, spec)

    def delete_model(self, id: str) -> None:
        """Forget a model and remove its files; comparisons of it stay."""
        with self.write() as session:
            folder = models.delete_model(session, id)
        self.remove(folder)

    def add_dataset(self, name: str, path: Path, facts: Mapping[str, Any], *, id: str = "") -> str:
        """Add a data set and give its id."""
        with self.write() as session:
            return models.add_dataset(session, name, path, dict(facts), id)

    def datasets(self) -> list[DatasetRow]:
        """All data sets, the newest first."""
        with self.readers() as session:
            return models.datasets(session)

    def dataset(self, id: str) -> DatasetRow:
        """One data set; raises BadInput when there is none."""
        with self.readers() as session:
            return models.dataset_row(models.find_dataset(session, id))

    def delete_dataset(self, id: str) -> None:
        """Forget a data set and remove its files."""
        with self.write() as session:
            row = models.find_dataset(session, id)
            path = Path(row.path)
            session.delete(row)
        self.remove(path.parent if path.parent.name == id else path)

    # Comparisons

    def create_comparison(
        self, name: str, model_id: str, workload: Workload, variants: Sequence[Variant], *, command: str = ""
    ) -> str:
        """Queue a comparison with exactly one baseline among its variants; returns its id."""
        with self.write() as session:
            return comparisons.create(session, name, model_id, workload, variants, command)

    def comparisons(self) -> list[ComparisonRow]:
        """All comparisons, the newest first."""
        with self.readers() as session:
            return comparison_rows.every(session)

    def comparison(self, id: str) -> ComparisonRow:
        """One comparison; raises BadInput when there is none."""
        with self.readers() as session:
            return comparison_rows.comparison_row(session, comparisons.find(session, id))

    def pulse(self, id: str) -> tuple[str, int]:
        """The state and the revision of a comparison: cheap enough to ask often."""
        with self.readers() as session:
            return comparisons.pulse(session, id)

    def variants(self, id: str) -> list[VariantRow]:
        """The variants of a comparison in their order."""
        with self.readers() as session:
            return comparison_rows.variants(session, id)

    def document(self, id: str) -> ComparisonDocument:
        """The comparison as one document, with whatever is finished so far."""
        from engine.summary import summarise

        with self.readers() as session:
            stored = comparisons.stored_document(session, id)
        return stored if stored is not None else summarise(self, id)

    def import_document(self, document: ComparisonDocument, *, origin: str = "imported") -> str:
        """Keep a comparison that was measured elsewhere; returns its id."""
        with self.write() as session:
            return comparisons.import_document(session, document, origin)

    def progress(self, id: str) -> list[VariantProgress]:
        """How far each variant is, in the order of the comparison."""
        from engine.schedule.progress import progress

        with self.readers() as session:
            stored = comparisons.stored_document(session, id)
        return progress(self, id, stored)

    def cancel(self, id: str, variant: str | None = None) -> None:
        """Cancel one variant by its id, or all of them."""
        with self.write() as session:
            comparisons.cancel(session, id, variant)

    def retry(self, id: str, variant: str) -> None:
        """Queue one variant again."""
        with self.write() as session:
            results.retry(session, id, variant)

    def request_profile(self, id: str, variant: str) -> None:
        """Ask for a profile of one variant."""
        with self.write() as session:
            results.request_profile(session, id, variant)

    def rename(self, id: str, name: str) -> None:
        """Give a comparison another name."""
        with self.write() as session:
            comparisons.rename(session, id, name)

    def delete_comparison(self, id: str) -> None:
        """Delete a comparison, its results and its job folders."""
        with self.write() as session:
            folders = comparisons.remove(session, id)
        for each in folders:
            self.remove(each)

    def state(self, id: str) -> ComparisonState:
        """What the planner needs to know about one comparison."""
        with self.readers() as session:
            return results.state(session, id)

    def builds(self, id: str) -> list[BuildRow]:
        """Every build of a comparison."""
        with self.readers() as session:
            return results.builds(session, id)

    def measurements(self, id: str) -> list[MeasurementRow]:
        """Every measurement of a comparison with its raw samples."""
        with self.readers() as session:
            return results.measurements(session, id)

    def marks(self, id: str) -> list[MeasurementRow]:
        """Every measurement of a comparison without its raw samples."""
        with self.readers() as session:
            return results.marks(session, id)

    def profiles(self, id: str) -> list[ProfileRow]:
        """Every profile of a comparison."""
        with self.readers() as session:
            return results.profiles(session, id)

    def remove(self, path: Path) -> None:
        """Remove a file or folder, if it lies inside the home folder."""
        if path.resolve().is_relative_to(self.settings.home.resolve()) and path.resolve() != self.settings.home:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
