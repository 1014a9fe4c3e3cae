from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.coding import container
from engine.coding.bytestream import damaged
from engine.coding.tensors import Contents, Plain, Shared
from engine.errors import BadInput

BOOK = np.array([-0.5, -0.25, 0.125, 0.75], dtype=np.float16)


def sparse(shape: tuple[int, ...], density: float, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.where(generator.random(shape) < density, generator.integers(1, 5, shape), 0)


def contents() -> Contents:
    return Contents(
        (
            Shared("conv.weight", sparse((20, 3, 5, 5), 0.2), BOOK, 5, 25),
            Plain("norm.running_mean", np.linspace(0, 1, 20, dtype=np.float32)),
            Plain("norm.num_batches_tracked", np.array(7, dtype=np.int64)),
            Shared("fc.weight", sparse((30, 400), 0.03), BOOK, 20, 400),
            Shared("fc.bias", sparse((30,), 0.1), BOOK),
            Shared("empty.bias", sparse((30,), 0.0), np.zeros(0, np.float16)),
        )
    )


@pytest.mark.parametrize("coding", container.CODINGS)
def test_decoding_gives_back_every_tensor(coding: str) -> None:
    made = contents()
    found = container.decode(container.encode(made, coding)).values()
    assert list(found) == [each.name for each in made.tensors]
    for name, array in made.values().items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array)


@pytest.mark.parametrize("coding", container.CODINGS)
def test_same_contents_same_bytes_and_each_tensor_has_a_size(coding: str) -> None:
    made = contents()
    data = container.encode(made, coding)
    assert data == container.encode(contents(), coding)
    assert set(made.sizes) == {each.name for each in made.tensors}
    assert 0 < len(data) - sum(made.sizes.values()) < 250


def test_adaptive_coding_is_smaller_than_huffman() -> None:
    assert len(container.encode(contents(), "adaptive")) < len(container.encode(contents(), "huffman"))


def test_large_tensors_go_through_rans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "ADAPTIVE_LIMIT", 1000)
    made = contents()
    found = container.decode(container.encode(made)).values()
    assert np.array_equal(found["fc.weight"], made.values()["fc.weight"])


@pytest.mark.parametrize("coding", container.CODINGS)
def test_every_damaged_byte_and_every_early_end_is_one_clear_error(coding: str) -> None:
    data = container.encode(contents(), coding)
    for place in range(0, len(data), 7):
        broken = bytearray(data)
        broken[place] ^= 0x10
        with pytest.raises(BadInput):
            container.decode(bytes(broken))
    for size in range(0, len(data), 101):
        with pytest.raises(BadInput):
            container.decode(data[:size])


def test_other_files_are_refused() -> None:
    with pytest.raises(BadInput, match="no file made by"):
        container.decode(b"PK\3\4" + bytes(100))
    assert "damaged" in damaged("why").reason


def test_a_fresh_process_decodes_the_same(tmp_path: Path) -> None:
    made = contents()
    container.write(tmp_path / "weights.obdc", made)
    code = (
        "import sys, hashlib; from pathlib import Path; from engine.coding import container;"
        "values = container.read(Path(sys.argv[1])).values();"
        "found = [each.tobytes() for each in values.values()];"
        "print(hashlib.sha256(b''.join(found)).hexdigest(), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "weights.obdc")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert shown == [hashlib.sha256(b"".join(each.tobytes() for each in made.values().values())).hexdigest(), "False"]
