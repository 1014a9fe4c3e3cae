"""Models, comparisons, import and deletion, on SQLite and where a URL is given on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.document import dump, parse
from engine.errors import BadInput
from engine.settings import Settings
from engine.spec import Workload
from engine.store import Store, open_store
from tests.schedule.made import SPEC, comparison, variants


def test_a_model_comes_back_as_it_was_added(store: Store, home: Settings) -> None:
    id = store.add_model(SPEC, home.uploads / "tiny")
    assert store.model(id).spec == SPEC
    store.update_model(id, replace(SPEC, name="renamed", sizes={"time": 7}))
    assert [each.name for each in store.models()] == ["renamed"]
    assert store.model(id).spec.sizes == {"time": 7}


def test_deleting_a_model_removes_its_files_and_keeps_its_comparisons(store: Store, home: Settings) -> None:
    id = comparison(store, "onnxruntime")
    model = store.comparison(id).model_id
    assert model is not None
    folder = home.uploads / "tiny"
    folder.mkdir()
    with pytest.raises(BadInput, match="being measured"):
        store.delete_model(model)
    store.cancel(id)
    store.delete_model(model)
    assert not folder.exists()
    assert store.comparison(id).model_id is None


def test_nothing_outside_the_home_folder_is_ever_removed(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    store.delete_model(store.add_model(SPEC, outside))
    assert outside.exists()


def test_a_comparison_needs_variants_and_one_baseline(store: Store, home: Settings) -> None:
    model = store.add_model(SPEC, home.uploads / "tiny")
    with pytest.raises(BadInput, match="no variant"):
        store.create_comparison("empty", model, Workload(), [])
    with pytest.raises(BadInput, match="exactly one baseline"):
        store.create_comparison("two", model, Workload(), [*variants("onnxruntime"), *variants("onnxruntime")])
    assert store.comparisons() == []


def test_a_batch_size_the_model_does_not_have_is_refused(store: Store, home: Settings) -> None:
    fixed = replace(SPEC, inputs=(replace(SPEC.inputs[0], shape=(1, 4)),))
    model = store.add_model(fixed, home.uploads / "tiny")
    with pytest.raises(BadInput, match="fixed at 1"):
        store.create_comparison("fixed", model, Workload(batch_sizes=(1, 8)), variants("onnxruntime"))


def test_a_document_survives_export_and_import(store: Store) -> None:
    document = store.document(comparison(store, "onnxruntime", "onnxruntime(graph_optimization=basic)"))
    imported = store.import_document(parse(dump(document)), origin="recorded")
    assert store.document(imported) == document
    assert store.comparison(imported).origin == "recorded"
    assert [each.label for each in store.progress(imported)] == [each.label for each in document.variants]
    with pytest.raises(BadInput, match="imported"):
        store.retry(imported, document.variants[0].id)


def test_renaming_and_deleting(store: Store) -> None:
    id = comparison(store, "onnxruntime")
    before = store.comparison(id).revision
    store.rename(id, "  Another  ")
    assert store.comparison(id).name == "Another"
    assert store.comparison(id).revision > before
    with pytest.raises(BadInput):
        store.rename(id, "  ")
    store.delete_comparison(id)
    with pytest.raises(BadInput, match="no comparison"):
        store.comparison(id)


def test_two_stores_write_the_same_database(home: Settings) -> None:
    first, second = open_store(home), open_store(home)
    id = comparison(first, "onnxruntime")
    second.rename(id, "from the second")
    assert first.comparison(id).name == "from the second"


def test_a_bad_url_is_one_sentence(home: Settings) -> None:
    with pytest.raises(BadInput, match="not a database URL"):
        open_store(replace(home, database_url="nonsense"))
    with pytest.raises(BadInput, match="can't be opened"):
        open_store(replace(home, database_url="sqlite:////proc/no/such/place.db"))
