"""What every runtime owes, run on each one that this machine has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from engine.artifact import Artifact
from engine.errors import BadInput, BadOption
from engine.feeds import random_feeds
from engine.runtimes import all_runtimes
from engine.runtimes.base import Runtime, Session, Site
from tests.runtimes.conftest import DIGITS, FORMATS

DEVICES = ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)]


@pytest.fixture(scope="module", params=sorted(all_runtimes()))
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each runtime with its default options."""
    return all_runtimes()[request.param]()


@pytest.fixture(scope="module", params=DEVICES)
def session(
    request: pytest.FixtureRequest, runtime: Runtime, artifacts: Callable[..., Artifact], site: Callable[..., Site]
) -> Iterator[Session]:
    """An open session; skipped with the reason where the runtime can't run."""
    device = request.param
    if "cpu" not in runtime.devices:
        pytest.skip(f"{runtime.name} is NVIDIA's alone and can't share a process with the others: see tests/nvidia")
    if not set(runtime.formats) & set(FORMATS):
        pytest.skip(f"{runtime.name} opens {', '.join(runtime.formats)}, which is made and tested elsewhere")
    if device != "cpu" and not torch.cuda.is_available():
        pytest.skip(f"{runtime.name} on cuda: no NVIDIA GPU")
    missing = runtime.missing()
    if missing:
        pytest.skip(str(missing))
    refusal = runtime.check(DIGITS, device)
    if refusal:
        pytest.skip(refusal)
    format = next(each for each in runtime.formats if each in FORMATS)
    opened = runtime.open(artifacts(format, device), DIGITS, site(device))
    yield opened
    opened.close()


def answer(session: Session, feeds: dict[str, Any]) -> np.ndarray:
    session.bind(feeds)
    session.run()
    session.synchronize()
    return session.fetch()[0]


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return found.shape == wanted.shape and bool(np.linalg.norm(found - wanted) < 1e-4 * np.linalg.norm(wanted))


def test_it_agrees_with_the_module(
    session: Session, feeds: dict[str, Any], expected: Callable[..., np.ndarray]
) -> None:
    found = answer(session, feeds)
    assert close(found, expected(feeds))
    assert found.dtype == np.float32
    assert session.details


def test_bound_inputs_are_replaced(
    session: Session, feeds: dict[str, Any], expected: Callable[..., np.ndarray]
) -> None:
    first = answer(session, feeds)
    other = {"pixels": 1 - feeds["pixels"]}
    assert close(answer(session, other), expected(other))
    assert close(answer(session, feeds), first)
    mine = {"pixels": feeds["pixels"].copy()}  # what is bound does not follow later changes to the array
    session.bind(mine)
    mine["pixels"][:] = 0
    session.run()
    assert close(session.fetch()[0], first)


def test_it_repeats_after_many_runs_and_a_reset(session: Session, feeds: dict[str, Any]) -> None:
    first = answer(session, feeds)
    for _ in range(20):
        session.run()
    session.synchronize()
    assert close(session.fetch()[0], first)
    session.reset()
    assert close(answer(session, feeds), first)


def test_another_batch_size_and_back(
    session: Session, feeds: dict[str, Any], expected: Callable[..., np.ndarray]
) -> None:
    larger = random_feeds(DIGITS, 5, seed=3)
    assert close(answer(session, larger), expected(larger))
    assert close(answer(session, feeds), expected(feeds))


def test_feeds_that_do_not_fit_are_refused(session: Session, feeds: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="pixels"):
        session.bind({"picture": feeds["pixels"]})
    with pytest.raises(BadInput, match="2x1x8x7"):
        session.bind({"pixels": feeds["pixels"][..., :7]})
    assert close(answer(session, feeds), answer(session, feeds))


def test_own_clock_gives_a_time_for_each_call(session: Session, feeds: dict[str, Any]) -> None:
    session.bind(feeds)
    times = session.time_calls(4)
    if times is None:
        pytest.skip("it is timed by the measuring clock")
    latencies, enqueues = times
    assert len(latencies) == len(enqueues) == 4
    assert all(0 < enqueue <= latency for latency, enqueue in zip(latencies, enqueues, strict=True))


def test_options_are_described_and_bounded(runtime: Runtime) -> None:
    assert runtime.title
    assert runtime.about()
    assert type(runtime).from_options(runtime.options()) == runtime
    for each in runtime.option_list():
        assert each.help
        with pytest.raises(BadOption):
            type(runtime).from_options({each.name: "no such value"})
    with pytest.raises(BadOption):
        type(runtime).from_options({"no_such_option": 1})


def test_what_is_missing_comes_with_the_cure(runtime: Runtime) -> None:
    missing = runtime.missing()
    if missing:
        assert missing.hint.startswith("Run: ")
