from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.artifact import Artifact
from engine.coding import container
from engine.formats import torch_module
from engine.store.artifacts import sizes
from tests.compression.conftest import Bench, accuracy

FAST = "prune_epochs=3, share_epochs=2, tune_epochs=1"


@pytest.fixture(scope="module")
def better(tmp_path_factory: pytest.TempPathFactory, digits_data: Path) -> tuple[Bench, Artifact]:
    from tests.compression.conftest import sample_model, sample_spec

    place = tmp_path_factory.mktemp("better")
    bench = Bench(sample_spec("digits"), sample_model("digits", place / "model"), digits_data, place)
    return bench, bench.ok(f"deep-compression(amount=0.85, {FAST})")


def test_the_file_is_small_and_the_network_still_right(better: tuple[Bench, Artifact]) -> None:
    bench, artifact = better
    before = sizes(Artifact("torch-module", bench.model / "module"))
    after = sizes(artifact)
    assert before.parameters
    assert after.parameters
    assert before.parameters / after.parameters > 15
    assert after.parameters == (artifact.path / torch_module.COMPRESSED).stat().st_size
    assert not (artifact.path / torch_module.WEIGHTS).exists()
    test = bench.data().split("test")
    old = accuracy(torch_module.load(bench.model / "module"), test, bench.spec)
    assert accuracy(torch_module.load(artifact.path), test, bench.spec) > old - 0.05


def test_layers_are_reported(better: tuple[Bench, Artifact]) -> None:
    _, artifact = better
    rows = artifact.details["report"]
    weights = sum(row["weights"] for row in rows)
    assert sum(row["sparsity"] * row["weights"] for row in rows) / weights == pytest.approx(0.85, abs=0.01)
    assert all(row["bits"] <= 5 and row["bytes"] > 0 for row in rows)
    assert "on purpose" in artifact.details["lossy"]
    assert len(artifact.details["training"][-1]) == 6


def test_a_fresh_process_decodes_the_same_weights(better: tuple[Bench, Artifact]) -> None:
    _, artifact = better
    code = (
        "import sys; from pathlib import Path; from engine.formats import torch_module;"
        "print(sum(float(each.double().sum()) for each in torch_module.load(Path(sys.argv[1])).state_dict().values()))"
    )
    shown = subprocess.run([sys.executable, "-c", code, str(artifact.path)], capture_output=True, text=True, check=True)
    here = sum(float(each.double().sum()) for each in torch_module.load(artifact.path).state_dict().values())
    assert float(shown.stdout) == here


def test_other_steps_go_on_from_it(better: tuple[Bench, Artifact]) -> None:
    bench, _ = better
    artifact = bench.ok(f"deep-compression(amount=0.85, {FAST}) > half")
    module = torch_module.load(artifact.path)
    assert {each.dtype for each in module.parameters()} == {torch.float16}
    assert (artifact.path / torch_module.WEIGHTS).exists()
    assert not (artifact.path / torch_module.COMPRESSED).exists()


def test_same_seed_same_file(bench: Bench) -> None:
    route = "deep-compression(amount=0.8, prune_epochs=1, share_epochs=1, tune_epochs=1)"
    files = [
        (bench.ok(route, seed=seed, store=f"store{number}").path / torch_module.COMPRESSED).read_bytes()
        for number, seed in enumerate((1, 1, 2))
    ]
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_the_paper_s_way(bench: Bench) -> None:
    artifact = bench.ok(f"deep-compression(amount=0.8, method=paper, coding=huffman, levels=32, {FAST})")
    tensors = container.read(artifact.path / torch_module.COMPRESSED).tensors
    shared = [each for each in tensors if hasattr(each, "numbers")]
    assert all(len(each.codebook) <= 32 for each in shared)
    assert all(each.name.endswith("weight") for each in shared)
    assert accuracy(torch_module.load(artifact.path), bench.data().split("test"), bench.spec) > 0.85


def test_kept_layers_stay_as_they_are(bench: Bench) -> None:
    before = torch_module.load(bench.model / "module")
    artifact = bench.ok(f"deep-compression(amount=0.8, keep=classifier, {FAST})")
    after = torch_module.load(artifact.path)
    assert (after.get_parameter("classifier.weight") != 0).all()
    assert after.get_parameter("classifier.weight").shape == before.get_parameter("classifier.weight").shape


def test_no_data_set(bench: Bench) -> None:
    reason, hint = bench.fails("deep-compression", dataset=False)
    assert "needs a data set" in reason
    assert hint


def test_half_precision_is_refused(bench: Bench) -> None:
    reason, hint = bench.fails("half > deep-compression")
    assert "float32" in reason
    assert "before" in hint


def test_a_damaged_file_is_one_clear_error(better: tuple[Bench, Artifact], tmp_path: Path) -> None:
    import shutil

    from engine.errors import BadInput

    shutil.copytree(better[1].path, tmp_path / "module")
    file = tmp_path / "module" / torch_module.COMPRESSED
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(BadInput, match="damaged"):
        torch_module.load(tmp_path / "module")
