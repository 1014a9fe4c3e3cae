"""An upload that is being opened can be cancelled on the page, and leaves nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from engine import intake
from engine.copying import cancelled_by_user
from tests.pages.conftest import Dashboard, Open


def test_opening_an_upload_can_be_cancelled(
    open_page: Open, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = threading.Event()

    def slow(*_: object, cancelled: Callable[[], bool], **__: Any) -> str:
        opening.set()
        while not cancelled():
            time.sleep(0.01)
        raise cancelled_by_user()

    monkeypatch.setattr(intake, "inspect_upload", slow)
    at = open_page("models", add="upload")
    at.file_uploader(key="model_file").upload("net.onnx", b"bytes").run()
    assert opening.wait(10)
    (button,) = [each for each in at.button if str(each.key).startswith("cancel_")]
    button.click().run()
    deadline = time.monotonic() + 10
    while (said := " ".join(each.value for each in at.info)) and time.monotonic() < deadline:
        if "nothing of it was kept." in said:
            break
        at.run()
    assert "nothing of it was kept." in said
    assert not at.error
    assert not list(dashboard.settings.uploads.glob("browser-*"))
