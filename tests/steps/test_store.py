"""The artifact store, the build phase and what a step may read."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engine.artifact import Artifact
from engine.runtimes.base import Runtime, Session, Site
from engine.spec import ModelSpec, Use, Workload
from engine.steps import step_for
from engine.steps.base import Context, Step
from engine.store.artifacts import PAYLOAD, ArtifactStore, key_of
from engine.worker import compiling
from engine.worker.phases import build
from tests.steps.conftest import Model


def write(store: ArtifactStore, key: str, text: str) -> Artifact:
    folder = store.new_build(key)
    (folder / PAYLOAD / "weights").write_text(text)
    return store.put(key, folder, Artifact("onnx", folder / PAYLOAD / "weights", details={"precision": "fp16"}))


def test_what_is_put_is_got_with_its_details(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    write(store, "ab12", "bytes")
    found = store.get("ab12")
    assert found is not None
    assert (found.path.read_text(), found.precision, found.key) == ("bytes", "fp16", "ab12")
    assert store.get("cd34") is None


def test_a_corrupted_artifact_is_ignored_and_replaced(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    write(store, "ab12", "bytes").path.write_text("other")
    assert store.get("ab12") is None
    assert write(store, "ab12", "bytes").path.read_text() == "bytes"
    assert store.get("ab12") is not None


def test_the_first_of_two_concurrent_builds_stays(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    threads = [threading.Thread(target=write, args=(store, "ab12", "bytes")) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert store.get("ab12") is not None
    assert list((tmp_path / ".building").iterdir()) == []


def test_the_key_changes_with_options_source_and_uses() -> None:
    step = step_for("onnx", "torch-module")
    assert step is not None
    base: dict[str, Any] = {"format": "torch-module", "source": "a", "uses": {}}
    keys = {
        key_of(step(), **base),
        key_of(step.from_options({"opset": 17}), **base),
        key_of(step(), **{**base, "source": "b"}),
        key_of(step(), **{**base, "uses": {"examples": 1}}),
    }
    assert len(keys) == 4


def test_sizes_count_weights_and_zeros(digits: Model) -> None:
    result, artifact = digits.build("trace > freeze > half")
    assert artifact is not None
    assert result.sizes is not None
    parameters = sum(each.numel() for each in weights(digits))
    assert result.sizes.file == artifact.size_bytes()
    assert result.sizes.compressed < result.sizes.file
    assert 1.5 * parameters < (result.sizes.parameters or 0) < 2.1 * parameters
    assert (result.sizes.nonzero or 0) <= (result.sizes.parameters or 0)


def weights(model: Model) -> list[Any]:
    from engine.formats import torch_module

    return list(torch_module.load(model.artifact.path).parameters())


def test_routes_share_what_they_have_in_common(digits: Model, tmp_path: Path) -> None:
    first, _ = digits.build("trace > freeze", tmp_path)
    again, _ = digits.build("trace > freeze", tmp_path)
    other, _ = digits.build("trace > half", tmp_path)
    assert [each["cached"] for each in first.steps] == [False, False]
    assert again.cached
    assert again.build_s == pytest.approx(first.build_s)
    assert [each["cached"] for each in other.steps] == [True, False]


def test_a_static_batch_is_another_artifact(digits: Model) -> None:
    assert digits.made("export").key != digits.made("export", batch_size=4).key
    assert digits.made("export", batch_size=4).details["batch_size"] == 4


def test_a_failing_step_is_named_with_a_reason(sequence: Model) -> None:
    result, _ = sequence.build("export")
    assert (result.status, result.failing_step) == ("unsupported", "export")
    assert "branches or loops on its data" in result.reason
    assert "script" in result.hint


@dataclass(frozen=True)
class Nosy(Step):
    """Reads the device without saying so."""

    name = "nosy"
    formats = {"torch-module": "torch-module"}

    def apply(self, source: Artifact, context: Context) -> Artifact:
        return source.derive(source.format, source.path, device=context.device)


def test_an_undeclared_read_is_refused(digits: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "step_for", lambda name, format: Nosy)
    result, _ = digits.build("half", tmp_path)
    assert (result.status, result.failing_step) == ("failed", "nosy")
    assert "'device' without declaring it" in result.reason


class Compiled(Session):
    def __init__(self, site: Site) -> None:
        super().__init__()
        (site.cache / f"kernel-{site.batch_size}").touch()

    def bind(self, feeds: Any) -> None: ...
    def run(self) -> None: ...
    def fetch(self) -> list[Any]:
        return []


@dataclass(frozen=True)
class Compiler(Runtime):
    """Compiles on first use, but not for batch size 2."""

    name, formats, compiles = "compiler", ("torch-module",), True

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        if site.batch_size == 2:
            raise RuntimeError("no kernel for 2")
        return Compiled(site)


def test_a_compiling_runtime_fills_the_cache_once(
    digits: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "all_runtimes", lambda: {"compiler": Compiler})
    workload = Workload(batch_sizes=(1, 2, 4))
    first, _ = digits.build("", tmp_path, runtime=Use("compiler"), workload=workload)
    cache = Path(first.details["cache"])
    assert {each.name for each in cache.glob("kernel-*")} == {"kernel-1", "kernel-4"}
    assert set(first.details["compile_s"]) == {"1", "4"}
    assert "no kernel for 2" in first.steps[-1]["warnings"][0]
    only_two, _ = digits.build("", tmp_path, runtime=Use("compiler"), workload=replace(workload, batch_sizes=(2,)))
    assert (only_two.status, only_two.failing_step) == ("failed", "compiler")
    again, _ = digits.build("", tmp_path, runtime=Use("compiler"), workload=replace(workload, batch_sizes=(1, 4)))
    assert again.steps[-1]["cached"]
    assert again.build_s == pytest.approx(first.build_s)
