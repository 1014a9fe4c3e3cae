"""What every runtime owes, run on each one that this machine has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from engine.artifact import Artifact
from engine.errors import BadInput, Unsupported
from engine.feeds import random_feeds
from engine.runtimes import all_runtimes
from engine.runtimes.base import Runtime, Session, Site
from tests.runtimes.conftest import IMAGE, MAKERS

DEVICES = ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)]
Open = Callable[..., Session]


@pytest.fixture(params=sorted(all_runtimes()))
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each runtime with its default options; skipped with the reason where it can't run."""
    found = all_runtimes()[request.param]()
    missing = found.missing()
    if missing:
        pytest.skip(str(missing))
    if not set(found.formats) & set(MAKERS):
        pytest.skip(f"{found.name} opens {', '.join(found.formats)}, which is made and tested elsewhere")
    return found


@pytest.fixture(params=DEVICES)
def session(
    request: pytest.FixtureRequest, runtime: Runtime, artifacts: Callable[[str], Artifact], site: Callable[..., Site]
) -> Any:
    """An open session, closed again."""
    device = request.param
    if device != "cpu" and not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    refusal = runtime.check(IMAGE, device)
    if refusal:
        pytest.skip(refusal)
    format = next(each for each in runtime.formats if each in MAKERS)
    opened = runtime.open(artifacts(format), IMAGE, site(device))
    yield opened
    opened.close()


def answer(session: Session, feeds: dict[str, Any]) -> np.ndarray:
    session.bind(feeds)
    session.run()
    session.synchronize()
    return session.fetch()[0]


def test_session_agrees_with_the_module(session: Session, feeds: dict[str, Any], expected: np.ndarray) -> None:
    first = answer(session, feeds)
    np.testing.assert_allclose(first, expected, atol=2e-4)
    assert first.dtype == np.float32
    assert session.details

    other = {"image": feeds["image"] * 2}
    assert not np.allclose(answer(session, other), expected, atol=1e-3)
    np.testing.assert_allclose(answer(session, feeds), expected, atol=2e-4)

    session.reset()
    np.testing.assert_allclose(answer(session, feeds), expected, atol=2e-4)

    with pytest.raises(BadInput, match="image"):
        session.bind({"picture": feeds["image"]})
    with pytest.raises(BadInput, match="2x3x32x31"):
        session.bind({"image": feeds["image"][..., :31]})


def test_session_takes_another_batch_size(session: Session, module: torch.nn.Module) -> None:
    larger = random_feeds(IMAGE, 5, seed=3)
    with torch.inference_mode():
        expected = module(torch.from_numpy(larger["image"])).numpy()
    try:
        np.testing.assert_allclose(answer(session, larger), expected, atol=2e-4)
    except Unsupported as error:
        pytest.skip(str(error))


def test_options_are_described(runtime: Runtime) -> None:
    assert runtime.title
    assert runtime.about()
    for each in runtime.option_list():
        assert each.help
        assert each.kind != "text"
    assert type(runtime).from_options(runtime.options()) == runtime
