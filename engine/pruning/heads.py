"""Attention layers as architectures write them: their heads, and what they call their sizes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

HEADS = ("num_attention_heads", "num_heads", "n_heads", "n_head", "nhead", "heads")
KEY_HEADS = ("num_key_value_heads", "num_kv_heads")
QUERIES = ("query", "q_proj", "q_lin", "to_q", "q")
KEYS_VALUES = ("key", "value", "k_proj", "v_proj", "k_lin", "v_lin", "to_k", "to_v", "k", "v")
FUSED = ("qkv", "in_proj", "qkv_proj", "c_attn")
HEAD_SIZE = ("attention_head_size", "head_dim", "dim_head", "head_size")
ALL_SIZE = ("all_head_size", "attn_dim", "inner_dim")


@dataclass(frozen=True)
class Attention:
    """One attention layer: the projections with their number of heads, one of them holding the queries."""

    parent: nn.Module
    query: nn.Linear
    projections: dict[nn.Module, int]
    fused: bool


def attentions(module: nn.Module) -> list[Attention]:
    """Every attention layer built of linear projections (nn.MultiheadAttention is not among them)."""
    found = []
    for parent in module.modules():
        heads = attribute(parent, HEADS)
        if heads is None or isinstance(parent, nn.MultiheadAttention):
            continue
        children = {name: each for name, each in parent.named_children() if isinstance(each, nn.Linear)}
        query = next((children[name] for name in QUERIES if name in children), None)
        fused = next((children[name] for name in FUSED if name in children), None)
        if query is not None:
            others = attribute(parent, KEY_HEADS) or heads
            projections: dict[nn.Module, int] = {query: heads}
            projections |= {children[name]: others for name in KEYS_VALUES if name in children}
            found.append(Attention(parent, query, projections, fused=False))
        elif fused is not None:
            found.append(Attention(parent, fused, {fused: heads}, fused=True))
    return found


def attribute(module: nn.Module, names: tuple[str, ...]) -> int | None:
    """The first of these attributes that the module has as a whole number."""
    for name in names:
        value = getattr(module, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def resize(attention: Attention, heads: int) -> None:
    """Write the sizes that remain after pruning into the layer's attributes."""
    width = attention.query.out_features // (3 if attention.fused else 1)
    for names, size in ((HEADS, heads), (HEAD_SIZE, width // heads), (ALL_SIZE, width)):
        for name in names:
            if attribute(attention.parent, (name,)) is not None:
                setattr(attention.parent, name, size)
