"""Train tokenizer and classifier: `python -m sample_models.movie_sentences.train` (minutes on one core)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from engine.data import bundled
from sample_models.fitting import Split, fit, publish
from sample_models.movie_sentences.architecture import build

HERE = Path(__file__).parent
VOCABULARY, LENGTH = 4000, 64
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TOKENS: dict[str, Any] = {"dtype": "int64", "shape": ["batch", "length"], "low": 0, "high": 2}
CARD: dict[str, Any] = {
    "name": "movie_sentences",
    "title": "Movie sentences",
    "description": "A tiny BERT that tells positive from negative sentences of film reviews.",
    "task": "classification",
    "arguments": {},
    "inputs": [
        {**TOKENS, "name": "input_ids", "high": VOCABULARY},
        {**TOKENS, "name": "attention_mask", "low": 1},
        {**TOKENS, "name": "token_type_ids"},
    ],
    "outputs": ["scores"],
    "sizes": {"length": LENGTH},
    "preprocessing": {
        "tokenizer": "tokenizer.json",
        "max_length": LENGTH,
        "labels": ["negative", "positive"],
        "scores": "scores",
    },
    "dataset": "sample:movie_sentences",
    "data_licence": "sentences and sentiment scores from vaderSentiment 3.3.2 (C. Hutto, E. Gilbert, ICWSM 2014), MIT",
    "licence": "Apache-2.0",
}


def train_tokenizer(sentences: list[str]) -> Tokenizer:
    """A lower-case WordPiece tokenizer of 4,000 tokens, as BERT's."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(
        sentences, trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=list(SPECIAL))
    )
    begin, end = SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", end), ("[CLS]", begin))
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH, pad_id=0, pad_token="[PAD]")
    return tokenizer


def encode(tokenizer: Tokenizer, sentences: list[str], labels: np.ndarray) -> Split:
    """Sentences as token ids, attention mask and segment ids."""
    encoded = tokenizer.encode_batch(sentences)
    fields = ("ids", "attention_mask", "type_ids")
    return Split(
        tuple(torch.tensor([getattr(each, field) for each in encoded]) for field in fields), torch.from_numpy(labels)
    )


def drop_words(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Replace one token in ten by [UNK], so that no single word is relied on; trim the padding."""
    tokens, mask, segments = inputs
    longest = int(mask.sum(1).max())
    ordinary = tokens >= len(SPECIAL)
    dropped = torch.where(ordinary & (torch.rand(tokens.shape) < 0.1), SPECIAL.index("[UNK]"), tokens)
    return dropped[:, :longest], mask[:, :longest], segments[:, :longest]


def main() -> None:
    """Train with a fixed seed and write tokenizer, weights and card."""
    torch.manual_seed(0)
    data = bundled.movie_sentences()
    assert data.labels is not None
    assert data.split is not None
    sentences = {
        name: data.columns["sentence"][data.split == name].tolist() for name in ("train", "validation", "test")
    }
    tokenizer = train_tokenizer(sentences["train"])
    splits = {name: encode(tokenizer, texts, data.labels[data.split == name]) for name, texts in sentences.items()}
    module = build()
    fit(module, splits["train"], splits["validation"], epochs=6, learning_rate=1e-3, batch_size=64, augment=drop_words)
    tokenizer.save(str(HERE / "tokenizer.json"))
    publish(HERE, module, splits["test"], CARD)


if __name__ == "__main__":
    main()
