from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.artifact import write_manifest
from engine.catalog.random_weights import settled
from engine.formats import torch_module
from engine.steps.quantize_weights import QuantizeWeights
from engine.torch_bridge import flatten, positional
from tests.compression.conftest import Bench, sample_model, sample_spec


@pytest.fixture
def sentences(tmp_path: Path) -> Bench:
    return Bench(
        sample_spec("movie_sentences"), sample_model("movie_sentences", tmp_path / "model"), tmp_path, tmp_path
    )


def answers(module: object, bench: Bench) -> np.ndarray:
    from engine.feeds import random_feeds

    found: np.ndarray = flatten(module(*positional(random_feeds(bench.spec, 8, 0), bench.spec)))[0].detach().numpy()  # type: ignore[operator]
    return found


def test_file_shrinks_and_answers_stay(sentences: Bench) -> None:
    whole = torch_module.load(sentences.model / "module")
    artifact = sentences.ok("quantize-weights", dataset=False)
    assert artifact.size_bytes() * 3.5 < sum(each.stat().st_size for each in (sentences.model / "module").iterdir())
    assert artifact.precision == "int8"
    assert max(row["relative_l2"] for row in artifact.details["report"]) < 0.02
    reloaded = torch_module.load(artifact.path)
    expected = answers(whole, sentences)
    error = np.linalg.norm(answers(reloaded, sentences) - expected) / np.linalg.norm(expected)
    assert 0 < error < 0.05


def test_kept_layers_stay_whole(sentences: Bench) -> None:
    artifact = sentences.ok("quantize-weights(keep=classifier, embeddings=false)", dataset=False)
    layers = [row["layer"] for row in artifact.details["report"]]
    assert "classifier" not in layers
    assert not any("embeddings" in each for each in layers)


def test_goes_on_to_onnx(sentences: Bench) -> None:
    artifact = sentences.ok("quantize-weights > onnx", dataset=False)
    assert artifact.size_bytes() < 1_500_000


def test_four_bits_need_a_gpu() -> None:
    reason = QuantizeWeights(bits="4").check(sample_spec("movie_sentences"), "cpu")
    assert reason
    assert "NVIDIA" in reason


def test_convolutions_are_named_as_skipped(bench: Bench) -> None:
    artifact = bench.ok("quantize-weights", dataset=False)
    assert artifact.details["skipped"] == ["features.0", "features.3", "features.7"]
    assert [row["layer"] for row in artifact.details["report"]] == ["classifier"]


WHISPER = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 64,
    "max_source_positions": 20, "pad_token_id": 0,
}  # fmt: skip


def test_a_table_that_a_class_reads_itself_stays_whole(sentences: Bench, tmp_path: Path) -> None:
    """Whisper indexes its table of positions, which torchao's tensors don't allow."""
    whisper = settled(tmp_path / "whisper", "transformers.WhisperModel", WHISPER, 0)
    write_manifest(tmp_path / "whisper", whisper)
    bench = Bench(replace(sentences.spec, name="whisper"), tmp_path / "whisper", tmp_path, tmp_path)
    artifact = bench.ok("quantize-weights", dataset=False)
    layers = [row["layer"] for row in artifact.details["report"]]
    assert "model.decoder.embed_tokens" in layers
    assert "model.decoder.embed_positions" not in layers
    sound, tokens = torch.rand(1, 80, 40), torch.ones(1, 4, dtype=torch.int64)
    with torch.inference_mode():
        assert torch_module.load(artifact.path)(sound, tokens)
