"""A small BERT with a classification head, in plain PyTorch: sentences to negative or positive."""

from __future__ import annotations

import math

import torch
from torch import nn


class Embeddings(nn.Module):
    """Token, position and segment embeddings, added and normalised."""

    def __init__(self, vocabulary: int, hidden: int, positions: int, dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, hidden, padding_idx=0)
        self.positions = nn.Embedding(positions, hidden)
        self.segments = nn.Embedding(2, hidden)
        self.norm = nn.LayerNorm(hidden, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        summed = self.tokens(input_ids) + self.positions(positions)[None] + self.segments(token_type_ids)
        embedded: torch.Tensor = self.dropout(self.norm(summed))
        return embedded


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product attention; `mask` is added to the scores."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def split(self, states: torch.Tensor) -> torch.Tensor:
        """(batch, length, hidden) to (batch, heads, length, hidden / heads)."""
        return states.reshape(states.shape[0], states.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = self.split(self.query(states)), self.split(self.key(states)), self.split(self.value(states))
        scores = query @ key.transpose(-1, -2) / math.sqrt(float(query.shape[-1])) + mask
        mixed = self.dropout(scores.softmax(-1)) @ value
        attended: torch.Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return attended


class Layer(nn.Module):
    """One encoder layer: attention and feed-forward, each with a residual and a norm after it."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = SelfAttention(hidden, heads, dropout)
        self.attention_norm = nn.LayerNorm(hidden, eps=1e-12)
        self.expand = nn.Linear(hidden, 4 * hidden)
        self.contract = nn.Linear(4 * hidden, hidden)
        self.norm = nn.LayerNorm(hidden, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.attention_norm(states + self.dropout(self.attention(states, mask)))
        fed = self.contract(nn.functional.gelu(self.expand(states)))
        finished: torch.Tensor = self.norm(states + self.dropout(fed))
        return finished


class SentenceClassifier(nn.Module):
    """Encoder, pooling of the first token, linear head: (batch, length) tokens to (batch, 2) scores."""

    def __init__(
        self, vocabulary: int, hidden: int, layers: int, heads: int, positions: int, classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.embeddings = Embeddings(vocabulary, hidden, positions, dropout)
        self.layers = nn.ModuleList([Layer(hidden, heads, dropout) for _ in range(layers)])
        self.pooler = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, classes)
        self.apply(initialise)

    def encode(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """The last layer's states, (batch, length, hidden)."""
        states: torch.Tensor = self.embeddings(input_ids, token_type_ids)
        mask = (1.0 - attention_mask[:, None, None].to(states.dtype)) * -10000.0
        for layer in self.layers:
            states = layer(states, mask)
        return states

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        states = self.encode(input_ids, attention_mask, token_type_ids)
        pooled = torch.tanh(self.pooler(states[:, 0]))
        scores: torch.Tensor = self.classifier(self.dropout(pooled))
        return scores


def initialise(module: nn.Module) -> None:
    """Small normal weights, as BERT starts from."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)


def build(
    vocabulary: int = 4000,
    hidden: int = 128,
    layers: int = 2,
    heads: int = 2,
    positions: int = 64,
    classes: int = 2,
    dropout: float = 0.2,
) -> nn.Module:
    """BERT's architecture (Devlin et al. 2018) in its tiny size."""
    return SentenceClassifier(vocabulary, hidden, layers, heads, positions, classes, dropout)
