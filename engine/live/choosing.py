"""Which artifact a variant of a comparison left here, and the job that keeps it open."""

from __future__ import annotations

from engine.document import ComparisonDocument
from engine.errors import BadInput, Unsupported
from engine.schedule.plan import shared
from engine.schedule.work import artifact_of
from engine.spec import Status
from engine.store import Store
from engine.store.rows import DYNAMIC, ComparisonState
from engine.worker.jobs import ServeJob

RAN: tuple[Status, ...] = ("ok", "suspect")


def ran(document: ComparisonDocument, variant_id: str) -> list[int]:
    """The batch sizes at which a variant ran, the smallest first."""
    variant = next(each for each in document.variants if each.id == variant_id)
    return sorted(each.batch_size for each in variant.results if each.status in RAN)


def common_batch(document: ComparisonDocument, variant_ids: tuple[str, ...]) -> int:
    """The smallest batch size at which all of these variants ran; raises Unsupported without one."""
    sizes = set.intersection(*(set(ran(document, each)) for each in variant_ids))
    if not sizes:
        raise Unsupported("These two variants never ran at the same batch size.", "Choose another pair.")
    return min(sizes)


def prepared_folder(state: ComparisonState) -> str:
    """Where the comparison's data set lies as inputs of the model, or nothing."""
    done = shared(state, "prepare")
    if done is None or done.status != "ok" or not (done.folder / "prepare").exists():
        return ""
    return str(done.folder / "prepare")


def serve_job(store: Store, state: ComparisonState, variant_id: str, batch_size: int) -> ServeJob:
    """The job that opens one variant; raises BadInput when what was built for it is gone."""
    row = next((each for each in state.variants if each.id == variant_id), None)
    if row is None:
        raise BadInput("This variant was measured on another machine.", "Compare the model on this one.")
    build = state.builds.get((row.id, batch_size)) or state.builds.get((row.id, DYNAMIC))
    if build is None:
        raise BadInput("Nothing was built for this variant here.", "Retry it on the Runs page.")
    return ServeJob(
        spec=state.comparison.spec,
        artifact=artifact_of(build),
        runtime=row.variant.recipe.runtime,
        workload=state.comparison.workload,
        batch_size=batch_size,
        model=str(state.comparison.model_folder),
        prepared=prepared_folder(state),
        cache=str(build.details.get("cache", "")),
    )
