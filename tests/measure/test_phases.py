"""Reference and measure phases over awkward models, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import OutOfMemory, PhaseFailed, Unsupported
from engine.measure import reference_file
from engine.measure.opening import closing
from engine.measure.sequence import call_size
from engine.measurement import Measurement
from engine.runtimes.ort_session import OrtSession
from engine.spec import ModelSpec, Use
from engine.worker.jobs import MeasureJob
from engine.worker.phases import measure
from engine.worker.protocol import CANCEL, Reporter
from tests.measure import models
from tests.measure.conftest import WORKLOAD
from tests.measure.sessions import Sleeper

Refer = Callable[..., dict[str, Any]]
Bench = Callable[..., list[Measurement]]


def test_a_correct_model_is_verified_and_timed(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = models.classifier(tmp_path / "m")
    facts = refer(made)
    assert (facts["evidence"], facts["stochastic"], facts["spread"]) == ("random", False, 0.0)
    found = bench(made, extras=("parity", "memory"))
    assert [each.batch_size for each in found] == [1, 4]
    for each in found:
        assert each.status == "ok"
        assert each.parity is not None
        assert (each.parity.passed, each.parity.samples, each.parity.top1_agreement) == (True, 32, 1.0)
        assert each.resident is not None
        assert each.end_to_end is not None
        assert len(each.resident.samples_ns) == each.resident.count >= 5
        assert each.throughput is not None
        assert each.throughput.mode == "single-stream"
        assert each.host_memory_bytes is not None
        assert each.host_memory_bytes > 1e6
        assert (each.device_memory_bytes, each.energy_j) == (None, None)
        assert None not in (each.load_s, each.import_s, each.first_call_s)
        assert each.environment["threads"] == 1
        assert len(each.environment["pinned_cpus"]) == 1


def test_a_wrong_model_is_suspect(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    refer(models.classifier(tmp_path / "m"))
    found = bench(models.classifier(tmp_path / "wrong", scale="1.5"))
    assert {each.status for each in found} == {"suspect"}
    assert "relative L2" in found[0].reason
    assert found[0].resident is not None


def test_nan_is_suspect(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    refer(models.classifier(tmp_path / "m"))
    found = bench(models.classifier(tmp_path / "wrong", scale="nan"), batch_sizes=(4,))
    assert found[0].status == "suspect"
    assert "NaN" in found[0].reason


def test_an_artifact_can_ask_to_be_suspected(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    refer(models.classifier(tmp_path / "m"))
    found = bench(models.classifier(tmp_path / "v", suspect_reason="A branch was recorded."), batch_sizes=(1,))
    assert (found[0].status, found[0].reason) == ("suspect", "A branch was recorded.")


def test_outputs_that_are_meant_to_differ_are_ok(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    refer(models.classifier(tmp_path / "m"))
    found = bench(models.classifier(tmp_path / "v", scale="1.5", lossy="Weights were pruned."), batch_sizes=(1,))
    assert found[0].status == "ok"
    assert found[0].parity is not None
    assert found[0].parity.passed is None


def test_a_fixed_batch_runs_and_other_sizes_say_why_not(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = models.classifier(tmp_path / "m", batch=4)
    facts = refer(made)
    assert list(facts["batches"]) == ["4"]
    one, four = bench(made)
    assert one.status == "unsupported"
    assert "fixed batch of 4" in one.reason
    assert four.status == "ok"


def test_a_leading_dimension_that_is_no_batch_is_one_sample() -> None:
    sequence = models.tensor("x", "frames", 8)
    assert call_size(ModelSpec("s", "onnx", (sequence,), ()), 1) == 1
    state = models.tensor("h", 2, 1, 8)
    spec = ModelSpec("s", "onnx", (state, models.tensor("x", 3, 8)), (), state_pairs=(("hn", "h"),))
    assert call_size(spec, 3) == 3
    with pytest.raises(Unsupported):
        call_size(spec, 2)


@pytest.mark.parametrize(
    ("taken", "given", "size"),
    [
        ((3, 320, 320), ("found", 4), 1),  # a detector of a lone picture
        ((3, "height", "width"), (), 1),
        ((3, 64, 64), (3, 64, 64), 1),
        ((3, 64, 64), (3, 10), 3),
        ((4, 8), (4, 2), 4),
        ((4, 8), (40, 2), 4),
        ((4, 8), (), 4),
        ((3, 8), ("found", 2), 1),
    ],
)
def test_a_fixed_leading_dimension_is_a_batch_where_the_outputs_share_it(
    taken: tuple[int | str, ...], given: tuple[int | str, ...], size: int
) -> None:
    outputs = (models.tensor("y", *given),) if given else ()
    assert ModelSpec("s", "onnx", (models.tensor("x", *taken),), outputs).fixed_batch == size


def test_no_batch_that_fits_is_unsupported(tmp_path: Path, refer: Refer) -> None:
    with pytest.raises(Unsupported, match="fixed batch of 4"):
        refer(models.classifier(tmp_path / "m", batch=4), batch_sizes=(1, 2))


def test_a_batch_that_fails_does_not_stop_the_others(tmp_path: Path, bench: Bench) -> None:
    found = bench(models.picky(tmp_path / "m"), batch_sizes=(1, 2, 4))
    assert [each.status for each in found] == ["failed", "ok", "failed"]
    assert "eshape" in found[0].reason


def test_a_batch_that_the_original_can_not_take_is_skipped(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = models.picky(tmp_path / "m")
    facts = refer(made, batch_sizes=(2, 4))
    assert list(facts["batches"]) == ["2"]
    assert "eshape" in facts["skipped"]["4"]
    found = bench(made, batch_sizes=(2,))
    assert found[0].parity is not None
    assert found[0].parity.passed is True


def test_running_out_of_memory_is_the_status_of_its_batch(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = OrtSession.run

    def run(session: OrtSession) -> None:
        if session.values["x"].shape()[0] == 4:
            raise OutOfMemory("The GPU's memory ran out.", "Try a smaller batch size.")
        real(session)

    monkeypatch.setattr(OrtSession, "run", run)
    found = bench(models.classifier(tmp_path / "m"), batch_sizes=(1, 4, 2))
    assert [each.status for each in found] == ["ok", "oom", "ok"]
    assert found[1].hint == "Try a smaller batch size."


def test_an_error_while_closing_hides_nothing() -> None:
    class Gone(Sleeper):
        def close(self) -> None:
            raise RuntimeError("closing failed too")

    with pytest.raises(OutOfMemory), closing(Gone()):
        raise OutOfMemory("first")
    with pytest.raises(RuntimeError, match="closing failed"), closing(Gone()):
        pass


def test_integer_inputs_stay_in_range(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = models.tokens(tmp_path / "m")
    refer(made)
    feeds, _ = reference_file.read_batch(tmp_path / "reference", made.spec, 4)
    assert feeds[0]["ids"].dtype == np.int64
    assert 2 < max(int(each["ids"].max()) for each in feeds) < 50
    found = bench(made)
    assert found[0].parity is not None
    assert found[0].parity.top1_agreement is None
    assert found[0].parity.outputs == {"vectors": 0.0, "best": 0.0}


def test_ten_outputs_and_a_scalar(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = models.ten_outputs(tmp_path / "m")
    refer(made)
    found = bench(made)
    assert found[1].parity is not None
    assert found[1].parity.passed is True
    assert len(found[1].parity.outputs) == 10


def test_labels_as_text_are_compared(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = models.named(tmp_path / "m")
    facts = refer(made)
    assert facts["batches"]["4"]["scores"] == 1
    _, outputs = reference_file.read_batch(tmp_path / "reference", made.spec, 4)
    assert {str(each) for call in outputs.calls[0] for each in call} <= {"cat", "dog", "mouse"}
    found = bench(made)
    assert found[0].parity is not None
    assert (found[0].parity.passed, found[0].parity.outputs["label"]) == (True, 0.0)


def test_shapes_that_depend_on_the_data(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = models.detector(tmp_path / "m")
    refer(made)
    _, outputs = reference_file.read_batch(tmp_path / "reference", made.spec, 4)
    assert len({each.shape for each in outputs.calls[0]}) > 1
    assert all(each.ndim == 2 for each in outputs.calls[0])
    found = bench(made)
    assert found[0].parity is not None
    assert found[0].parity.passed is True


def test_a_constant_reference_proves_nothing(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = models.constant(tmp_path / "m")
    assert refer(made)["evidence"] == "none"
    found = bench(made)
    assert found[0].status == "ok"
    assert found[0].parity is not None
    assert (found[0].parity.passed, found[0].parity.evidence) == (None, "none")


def test_explicit_state_is_fed_back(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = models.accumulator(tmp_path / "m")
    refer(made)
    feeds, outputs = reference_file.read_batch(tmp_path / "reference", made.spec, 1)
    assert np.all(feeds[0]["state"] == 0)
    assert np.array_equal(feeds[5]["state"], outputs.calls[1][4])
    found = bench(made)
    assert found[0].parity is not None
    assert found[0].parity.passed is True


def test_no_reference_means_no_parity(tmp_path: Path, bench: Bench) -> None:
    found = bench(models.classifier(tmp_path / "m"), batch_sizes=(1,))
    assert (found[0].status, found[0].parity) == ("ok", None)
    assert found[0].details["timed_on"] == "random inputs"


def test_a_cancelled_job_stops_and_says_so(tmp_path: Path) -> None:
    made = models.classifier(tmp_path / "m")
    report = Reporter(tmp_path)
    (tmp_path / CANCEL).touch()
    with pytest.raises(PhaseFailed) as caught:
        measure.run(MeasureJob(made.spec, {1: made.folder}, Use("onnxruntime"), WORKLOAD, (1,)), report)
    assert caught.value.status == "cancelled"


def test_a_sweep_needs_a_dynamic_artifact(tmp_path: Path, bench: Bench) -> None:
    swept = bench(models.classifier(tmp_path / "m", batch_range=[1, 2, 4]), extras=("sweep",))
    assert 1 <= len(swept[0].sweep) <= 3
    assert swept[0].sweep[0].status == "ok"
    assert swept[1].sweep == ()
    static = bench(models.classifier(tmp_path / "s", batch=4, batch_size=4), extras=("sweep",), batch_sizes=(4,))
    assert static[0].sweep == ()
