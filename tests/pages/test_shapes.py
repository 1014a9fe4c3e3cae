"""A script whose inputs can't be guessed is asked for their shapes, and its file is not sent again."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from engine import intake
from pages.ui import tasks
from tests.pages.conftest import Dashboard, Open


class WithState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(4, 6)

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return self.recurrent(x, (h, c))[0]  # type: ignore[no-any-return]


def test_shapes_are_asked_for_on_the_models_page(open_page: Open, dashboard: Dashboard, tmp_path: Path) -> None:
    torch.jit.script(WithState()).save(str(tmp_path / "lstm.pt"))
    id = intake.inspect_upload(dashboard.settings, tmp_path / "lstm.pt", store=dashboard.store)
    assert "on the Models page" in dashboard.store.model(id).spec.notes[-1]
    at = open_page("models", model=id)
    at.text_input(key=f"shapes_{id}").input("x=5x2x4, h=oops")
    submit = next(each for each in at.button if each.label == "Inspect it with these shapes")
    assert "'h=oops' is not the shape of an input" in submit.click().run().error[0].value
    at.text_input(key=f"shapes_{id}").input("x=5x2x4, h=1x2x6, c=1x2x6")
    next(each for each in at.button if each.label == "Inspect it with these shapes").click().run()
    assert tasks.wait("".join(at.query_params["adding"]), 60)
    at.run()
    spec = dashboard.store.model(id).spec
    assert [each.shape for each in spec.outputs] == [(5, 2, 6)]
    assert spec.source == ("lstm.pt", "--shape", "x=5x2x4", "--shape", "h=1x2x6", "--shape", "c=1x2x6")
    assert not at.error
    assert not [each for each in at.text_input if each.key == f"shapes_{id}"]
    dashboard.store.delete_model(id)
