"""One dashboard home for all page tests, with two imported comparisons and one sample model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from engine import settings as engine_settings
from engine.artifact import Artifact, write_manifest
from engine.settings import Settings
from engine.spec import ModelSpec, Preprocessing, TensorSpec
from engine.store import Store, open_store
from tests.documents import gpu_document, quick_document

ROOT = Path(__file__).resolve().parents[2]
PROBE = {
    "devices": [{"id": "cpu", "kind": "cpu", "name": "Test CPU", "cores": 2, "memory_bytes": 8_000_000_000}],
    "no_gpu_reason": "There is no NVIDIA driver here.",
    "platform": "Linux",
    "python": "3.11",
    "libraries": {"torch": "2.14.1", "tensorrt": None},
    "runtimes": {
        "eager": {"ready": True, "reason": "", "hint": "", "title": "PyTorch eager", "versions": {"torch": "2.14.1"}},
        "tensorrt": {
            "ready": False,
            "reason": "TensorRT needs tensorrt, which is not installed.",
            "hint": "Run: pip install tensorrt",
            "title": "TensorRT",
            "versions": {},
        },
    },
    "steps": {},
    "formats": {},
    "broken_plugins": {"theirs": "ImportError: nothing"},
    "tools": {},
}


@dataclass(frozen=True)
class Dashboard:
    """What the page tests look at."""

    store: Store
    settings: Settings
    recorded: str
    quick: str
    model: str


def onnx_model(folder: Path) -> ModelSpec:
    """A model as the store keeps it; its file is never opened by a page."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"not opened by the server")
    write_manifest(folder, Artifact("onnx", folder / "model.onnx", key="k"))
    return ModelSpec(
        name="tiny",
        format="onnx",
        inputs=(
            TensorSpec("ids", "int64", ("batch", "length"), 0, 100),
            TensorSpec("rate", "int64", (), constant=16000),
        ),
        outputs=(TensorSpec("scores", "float32", ("batch", 3)),),
        parameters=1234,
        size_bytes=5678,
        opset=17,
        operators={"MatMul": 2, "Add": 2},
        task="classification",
        preprocessing=Preprocessing(labels=("a", "b", "c")),
        sizes={"length": 16},
        guessed=("task",),
        layers=(("fc", "Linear", 1000),),
    )


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    patch = pytest.MonkeyPatch()
    patch.setenv("OPTIBENCH_HOME", str(tmp_path_factory.mktemp("home")))
    patch.delenv("OPTIBENCH_DATABASE_URL", raising=False)
    patch.chdir(ROOT)
    st.cache_resource.clear()
    st.cache_data.clear()
    known = engine_settings.load()
    (known.home / "probe.json").write_text(json.dumps(PROBE))
    (known.home / "catalog.json").write_text(json.dumps({"architectures": {"torchvision": ["torchvision.resnet18"]}}))
    store = open_store(known)
    folder = known.uploads / "tiny"
    spec = onnx_model(folder)
    yield Dashboard(
        store,
        known,
        recorded=store.import_document(gpu_document(), origin="recorded"),
        quick=store.import_document(quick_document()),
        model=store.add_model(spec, folder),
    )
    store.close()
    st.cache_resource.clear()
    patch.undo()


Open = Callable[..., AppTest]


@pytest.fixture
def open_page(dashboard: Dashboard) -> Open:
    """Open a page by its name with query parameters, and fail on any exception it shows."""

    def open(name: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
        for key, value in query.items():
            at.query_params[key] = value
        at.switch_page(f"pages/{name}.py").run()
        assert not at.exception, at.exception
        return at

    return open
