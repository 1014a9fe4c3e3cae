"""What inspection finds out about scripts, which carry no shapes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Opener
from torch import nn

from engine.errors import BadInput, Unsupported

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")


class Image(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.conv(image)).mean((2, 3)))  # type: ignore[no-any-return]


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(70, 8)
        self.recurrent = nn.LSTM(8, 6, batch_first=True)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.recurrent(self.table(tokens) * mask.unsqueeze(-1).float())[0]
        return hidden[:, -1]  # type: ignore[no-any-return]


class Sound(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 16, stride=8)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        return self.conv(wave.unsqueeze(1)).mean(-1)  # type: ignore[no-any-return]


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        for layer in self.layers:
            x = layer(x)
        if x.dim() != 2:
            raise ValueError("two dimensions")
        if bool(x.sum() > 0):
            x = x * 2
        steps = 0
        while steps < int(x.abs().sum()) % 5:
            steps += 1
        return x, {"steps": x + steps}


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen = torch.jit.Attribute(0, int)
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += 1  # type: ignore[operator]
        return self.layer(x) * self.seen  # type: ignore


class Values(nn.Module):
    def forward(self, x: torch.Tensor, rate: int, double: bool, note: str = "") -> torch.Tensor:
        return x * (rate / 16000) * (2.0 if double else 1.0)


class Named(nn.Module):
    def forward(self, x: dict[str, torch.Tensor]) -> torch.Tensor:
        return x["image"]


class Detector(nn.Module):
    """Takes pictures and gives what it found on each, as torchvision's detectors do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(
        self, images: list[torch.Tensor], targets: list[dict[str, torch.Tensor]] | None = None
    ) -> tuple[dict[str, torch.Tensor], list[dict[str, torch.Tensor]]]:
        losses: dict[str, torch.Tensor] = {}
        found = [{"boxes": self.conv(each.unsqueeze(0)).mean((0, 3))} for each in images]
        return losses, found


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]  # type: ignore[no-any-return]


class Picky(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 2 or x.shape[1] != 37:
            raise ValueError("wrong size")
        return x * 2


class Fixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 48, 5))
        self.embed = nn.Linear(7, 5)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.embed(frames) + self.position  # type: ignore[no-any-return]


def script(path: Path, module: nn.Module, example: tuple[Any, ...] | None = None, *, freeze: bool = False) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = module.eval()
        made = torch.jit.trace(module, example) if example else torch.jit.script(module)
        torch.jit.save(torch.jit.freeze(made) if freeze else made, str(path))
    return path


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("trace", [False, True])
def test_an_image_model_is_found_from_its_first_convolution(
    tmp_path: Path, opened: Opener, trace: bool, freeze: bool
) -> None:
    example = (torch.randn(2, 3, 32, 32),) if trace else None
    spec = opened(script(tmp_path / "m.pt", Image(), example, freeze=freeze))
    assert spec.inputs[0].shape == ("batch", 3, "height", "width")
    assert spec.sizes == {"height": 224, "width": 224}
    assert spec.outputs[0].shape == ("batch", 5)
    assert (spec.task, spec.state, spec.control_flow) == ("classification", "none", 0)
    assert {"input image" if not trace else f"input {spec.inputs[0].name}", "task", "preprocessing"} <= set(
        spec.guessed
    )
    assert spec.parameters >= 137, "a frozen script's constants count"


def test_a_half_precision_script_takes_half_precision(tmp_path: Path, opened: Opener) -> None:
    path = script(tmp_path / "m.pt", Image().half(), (torch.randn(2, 3, 32, 32).half(),))
    assert opened(path).inputs[0].dtype == "float16"


def test_tokens_and_their_mask(tmp_path: Path, opened: Opener) -> None:
    spec = opened(script(tmp_path / "m.pt", Text()))
    assert [(each.dtype, each.shape, each.low, each.high) for each in spec.inputs] == [
        ("int64", ("batch", "sequence"), 0, 70),
        ("int64", ("batch", "sequence"), 1, 2),
    ]
    assert spec.outputs[0].shape == ("batch", 6)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (Sound(), ("batch", "samples")),
        (Flat(), ("batch", 1, 28, 28)),
        (Branches(), ("batch", 8)),
        (Recurrent(), ("sequence", "batch", 5)),
        (nn.LayerNorm(12), ("batch", 12)),
    ],
)
def test_other_first_layers(tmp_path: Path, opened: Opener, module: nn.Module, shape: tuple[Any, ...]) -> None:
    assert opened(script(tmp_path / "m.pt", module)).inputs[0].shape == shape


def test_only_branches_and_loops_over_data_count(tmp_path: Path, opened: Opener) -> None:
    spec = opened(script(tmp_path / "m.pt", Branches()))
    assert spec.control_flow == 2
    assert len(spec.outputs) == 2


def test_a_script_that_counts_its_calls_has_hidden_state(tmp_path: Path, opened: Opener) -> None:
    assert opened(script(tmp_path / "m.pt", Counts())).state == "hidden"


def test_plain_values_become_constants_and_defaults_are_left_out(tmp_path: Path, opened: Opener) -> None:
    spec = opened(script(tmp_path / "m.pt", Values()))
    assert [(each.name, each.constant) for each in spec.inputs[1:]] == [("rate", 16000), ("double", False)]
    given = opened(tmp_path / "m.pt", constants={"rate": 8000, "double": True}, shapes={"x": (1, 3)})
    assert [each.constant for each in given.inputs[1:]] == [8000, True]
    assert given.inputs[0].shape == ("batch", 3)
    assert "input x" not in given.guessed


def test_a_size_that_the_error_mentions_is_found(tmp_path: Path, opened: Opener) -> None:
    spec = opened(script(tmp_path / "m.pt", Fixed()))
    assert spec.inputs[0].concrete(spec.sizes_at(3)) == (3, 48, 7)


def test_a_size_that_only_the_user_knows_is_asked_for_and_taken(tmp_path: Path, opened: Opener) -> None:
    path = script(tmp_path / "m.pt", Picky())
    assert "Give the shapes" in opened(path).notes[0]
    spec = opened(path, shapes={"x": (1, 37)})
    assert (spec.inputs[0].shape, spec.outputs[0].shape) == (("batch", 37), ("batch", 37))


def test_a_file_without_forward_is_bad_input(tmp_path: Path, opened: Opener) -> None:
    with pytest.raises(BadInput, match="no forward method"):
        opened(script(tmp_path / "m.pt", nn.GRU(5, 4)))


def test_a_dictionary_of_tensors_is_unsupported(tmp_path: Path, opened: Opener) -> None:
    with pytest.raises(Unsupported, match=r"Dict\[str, Tensor\]") as caught:
        opened(script(tmp_path / "m.pt", Named()))
    assert "Wrap" in caught.value.hint


def test_a_list_of_tensors_is_given_a_batch(tmp_path: Path, opened: Opener) -> None:
    spec = opened(script(tmp_path / "m.pt", Detector()))
    assert [each.name for each in spec.inputs] == ["images"]
    assert spec.inputs[0].shape[:2] == ("batch", 3)
    assert spec.batch_dimension == "batch"
    assert any("list of tensors" in each for each in spec.notes)


class Slow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.layer(x), self.layer(x)[:, :, ::7, 0]


def test_a_slow_model_is_looked_at_in_small_and_described_in_full(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = script(tmp_path / "m.pt", Slow())
    quick = opened(path)
    monkeypatch.setattr("engine.inspection.observe.SLOW_S", 0.0)
    slow = opened(path)
    assert (slow.sizes, slow.inputs) == (quick.sizes, quick.inputs)
    assert [each.shape for each in slow.outputs] == [each.shape for each in quick.outputs]
    assert slow.outputs[0].shape == ("batch", 4, "height", "width")


class WithState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(4, 6)

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return self.recurrent(x, (h, c))[0]  # type: ignore[no-any-return]


def test_shapes_that_are_given_are_taken_as_they_are(tmp_path: Path, opened: Opener) -> None:
    torch.jit.script(WithState()).save(str(tmp_path / "m.pt"))
    shapes = {"x": (5, 1, 4), "h": (1, 1, 6), "c": (1, 1, 6)}
    spec = opened(tmp_path / "m.pt", shapes=shapes)
    assert {each.name: each.shape for each in spec.inputs} == shapes
    assert spec.outputs[0].shape == (5, 1, 6)
    with pytest.raises(BadInput, match="no input 'hidden'"):
        opened(tmp_path / "m.pt", shapes={"hidden": (1, 1, 6)})


class Flattened(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(784, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.ones_like(x.view(-1, 784)) * x.view(-1, 784))  # type: ignore[no-any-return]


def test_inputs_whose_outputs_follow_the_batch_come_first(tmp_path: Path, opened: Opener) -> None:
    quantized = torch.ao.quantization.quantize_dynamic(Flattened(), {nn.Linear})
    torch.jit.script(quantized).save(str(tmp_path / "m.pt"))
    spec = opened(tmp_path / "m.pt")
    assert spec.outputs[0].shape == ("batch", 10)
