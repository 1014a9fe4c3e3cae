"""What a user reads when a library raises something that nobody translated."""

from __future__ import annotations

import pytest

from engine.worker.explaining import explain


@pytest.mark.parametrize(
    ("raised", "status", "said", "hinted"),
    [
        (MemoryError(), "oom", "Memory ran out", "smaller batch"),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
            "oom",
            "Tried to allocate 2 GiB",
            "smaller batch",
        ),
        (RuntimeError("cuCtxSynchronize: an illegal memory access was encountered"), "failed", "kernel", "CUDA graph"),
        (RuntimeError("CUDA error: device-side assert triggered\nmore"), "failed", "out of range", "range"),
        (RuntimeError("Unable to determine the device handle: GPU is lost."), "failed", "stopped answering", "kept"),
        (ValueError("\n\nnothing known\nmore"), "failed", "ValueError: nothing known", "log"),
    ],
)
def test_an_exception_becomes_one_sentence_and_a_next_step(
    raised: Exception, status: str, said: str, hinted: str
) -> None:
    outcome = explain(raised)
    assert outcome.status == status
    assert said in outcome.reason
    assert "\n" not in outcome.reason
    assert hinted in outcome.hint
