from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.data import prepared
from engine.formats import torch_module
from engine.training.loop import Epoch, Trainer
from engine.training.objective import Classification
from engine.training.plan import Plan
from engine.training.tensors import Tensors, tensors_of
from engine.worker.protocol import read_events
from tests.compression.conftest import Bench, accuracy


def test_wins_back_what_pruning_lost_and_keeps_zeros(bench: Bench) -> None:
    test = bench.data().split("test")
    pruned = torch_module.load(bench.ok("prune-magnitude(amount=0.9)").path)
    tuned = torch_module.load(bench.ok("prune-magnitude(amount=0.9) > finetune(epochs=4)").path)
    assert accuracy(tuned, test, bench.spec) > accuracy(pruned, test, bench.spec) + 0.05
    for name, weight in pruned.named_parameters():
        if weight.ndim >= 2:
            assert (tuned.get_parameter(name)[weight == 0] == 0).all()


def test_same_seed_same_weights(bench: Bench) -> None:
    route = "prune-magnitude(amount=0.9) > finetune(epochs=1, augmentation=shift)"
    states = [
        torch_module.load(bench.ok(route, seed=seed, store=f"store{number}").path).state_dict()
        for number, seed in enumerate((3, 3, 4))
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_no_data_set(bench: Bench) -> None:
    reason, hint = bench.fails("finetune(epochs=1)", dataset=False)
    assert "needs a data set" in reason
    assert "Choose one" in hint


def test_no_labels(bench: Bench, tmp_path: Path) -> None:
    prepared.write(tmp_path / "unlabelled", replace(bench.data(), labels=None))
    bench.prepared = tmp_path / "unlabelled"
    reason, hint = bench.fails("finetune(epochs=1)")
    assert "needs labels" in reason
    assert "distillation" in hint


def test_divergence_keeps_the_last_good_weights(bench: Bench) -> None:
    before = torch_module.load(bench.model / "module").state_dict()
    artifact = bench.ok("finetune(epochs=3, learning_rate=10, optimizer=sgd, schedule=constant)")
    after = torch_module.load(artifact.path).state_dict()
    assert all(each.isfinite().all() for each in after.values() if each.is_floating_point())
    assert accuracy(torch_module.load(artifact.path), bench.data().split("test"), bench.spec) > 0.9
    assert before.keys() == after.keys()


def test_half_precision_is_refused(bench: Bench) -> None:
    trainer_input = torch_module.load(bench.model / "module").half()
    from engine.errors import Unsupported
    from engine.training.modes import require_full_precision

    with pytest.raises(Unsupported, match="float16"):
        require_full_precision(trainer_input, "Fine-tuning")


@pytest.fixture
def splits(bench: Bench) -> tuple[Tensors, Tensors]:
    data: Any = bench.data()
    return tensors_of(data.split("train"), bench.spec), tensors_of(data.split("validation"), bench.spec)


def trainer(bench: Bench, splits: tuple[Tensors, Tensors], epochs: int, **options: object) -> Trainer:
    module = torch_module.load(bench.model / "module")
    plan = Plan(epochs=epochs, learning_rate=1e-2)
    return Trainer(module, splits[0], splits[1], Classification(), plan, **options)  # type: ignore[arg-type]


def test_nan_loss_stops_and_warns(bench: Bench, splits: tuple[Tensors, Tensors]) -> None:
    run = trainer(bench, splits, 3)
    healthy = run.objective
    calls: list[int] = []

    def breaks(module: torch.nn.Module, batch: object) -> torch.Tensor:
        calls.append(1)
        loss = healthy(module, batch)  # type: ignore[arg-type]
        return loss * float("nan") if len(calls) == 30 else loss

    run.objective = breaks
    history = run.run()
    assert "diverged in epoch 2" in run.warning
    assert [point.epoch for point in history] == [0, 1]
    assert all(each.isfinite().all() for each in run.module.parameters())


def test_going_on_after_an_interruption_gives_the_same_weights(
    bench: Bench, splits: tuple[Tensors, Tensors], tmp_path: Path
) -> None:
    whole = trainer(bench, splits, 4)
    whole.run()
    broken = trainer(bench, splits, 4, checkpoint=tmp_path / "training.pt")
    broken.cancelled = lambda: len(broken.history) == 3
    broken.run()
    resumed = trainer(bench, splits, 4, checkpoint=tmp_path / "training.pt")
    assert [point.epoch for point in resumed.run()] == [0, 1, 2, 3, 4]
    assert whole.history == resumed.history
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, resumed.module.state_dict()[name])


def test_cancelled_in_mid_training_goes_on_where_it_was(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    route = "finetune(epochs=3, learning_rate=0.01)"
    whole = torch_module.load(bench.ok(route, store="whole").path).state_dict()
    record = Trainer.record

    def cancel_after_two(self: Trainer, point: Epoch) -> None:
        record(self, point)
        if point.epoch == 2:
            (bench.place / "cancel").touch()

    monkeypatch.setattr(Trainer, "record", cancel_after_two)
    assert bench.fails(route)[0] == "Cancelled."
    monkeypatch.undo()
    (bench.place / "cancel").unlink()
    resumed = torch_module.load(bench.ok(route).path).state_dict()
    assert "Going on after an interruption" in [event.text for event in read_events(bench.place)]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_early_stopping(bench: Bench, splits: tuple[Tensors, Tensors]) -> None:
    run = trainer(bench, splits, 50)
    run.plan = replace(run.plan, patience=2, learning_rate=1e-8)
    assert len(run.run()) < 10
