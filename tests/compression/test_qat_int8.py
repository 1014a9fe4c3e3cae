from __future__ import annotations

import pytest

from engine.formats import exported_program
from tests.compression.conftest import Bench, accuracy


@pytest.mark.slow
def test_trained_program_is_integer_and_right(bench: Bench) -> None:
    artifact = bench.ok("qat-int8(epochs=2)")
    program = exported_program.load(artifact.path)
    assert accuracy(program.module(), bench.data().split("test"), bench.spec) > 0.97
    assert [row["bits"] for row in artifact.details["report"]] == [8, 8, 8, 8]
    assert artifact.precision == "int8"
    assert [point["epoch"] for point in bench.curves()] == [0, 1, 2]


def test_needs_labels(bench: Bench) -> None:
    assert "needs a data set" in bench.fails("qat-int8", dataset=False)[0]
