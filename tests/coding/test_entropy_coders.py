from __future__ import annotations

import numpy as np
import pytest

from engine.coding import huffman, rans
from engine.coding.mixing import LIMIT, tables
from engine.coding.range_coder import Decoder, Encoder
from engine.coding.relative import from_gaps, gaps_of
from engine.errors import BadInput


def skewed(count: int, alphabet: int) -> np.ndarray:
    return np.minimum(np.random.default_rng(count).geometric(0.3, count) - 1, alphabet - 1)


def entropy(symbols: np.ndarray) -> float:
    share = np.bincount(symbols) / len(symbols)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) * len(symbols) / 8


@pytest.mark.parametrize("count", [0, 1, 2, 4096, 4097, 50_000])
def test_huffman_gives_back_what_it_took(count: int) -> None:
    symbols = skewed(count, 32)
    lengths = huffman.code_lengths(np.bincount(symbols, minlength=32))
    data, starts = huffman.encode(symbols, lengths)
    assert np.array_equal(huffman.decode(data, starts, count, lengths), symbols)
    assert count < 4096 or len(data) < 1.05 * entropy(symbols) + 1


def test_huffman_codes_of_wild_counts_stay_short() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    lengths = huffman.code_lengths(np.array(fibonacci))
    assert lengths.max() == huffman.LONGEST
    assert (0.5 ** lengths.astype(float)).sum() <= 1.0


@pytest.mark.parametrize("count", [0, 1, 2047, 2048, 100_003])
def test_rans_gives_back_what_it_took(count: int) -> None:
    symbols = skewed(count, 256)
    table = rans.frequencies(np.bincount(symbols, minlength=256))
    data = rans.encode(symbols, table)
    assert np.array_equal(rans.decode(data, count, table), symbols)
    assert count < 100_000 or len(data) < 1.02 * entropy(symbols)


def test_rans_of_one_symbol_costs_nothing() -> None:
    symbols = np.full(10_000, 3)
    table = rans.frequencies(np.bincount(symbols, minlength=5))
    data = rans.encode(symbols, table)
    assert len(data) == 4 * rans.lanes_for(10_000)
    assert (rans.decode(data, 10_000, table) == 3).all()


def test_rans_notices_a_missing_end() -> None:
    symbols = skewed(5000, 16)
    table = rans.frequencies(np.bincount(symbols, minlength=16))
    with pytest.raises(BadInput, match="too short"):
        rans.decode(rans.encode(symbols, table)[:-40], 5000, table)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.03, 0.5, 1.0])
def test_range_coder_is_close_to_the_entropy(share: float) -> None:
    bits = (np.random.default_rng(1).random(4000) < share).astype(int).tolist()
    one = min(65_000, max(24, round(share * 65536)))
    encoder = Encoder()
    for bit in bits:
        encoder.code(bit, one)
    data = encoder.finish()
    decoder = Decoder(data)
    assert [decoder.code(0, one) for _ in bits] == bits
    assert len(data) < entropy(np.array(bits)) * 1.05 + 8


@pytest.mark.parametrize("span", [3, 31, 255])
def test_gaps_give_back_the_positions(span: int) -> None:
    numbers = np.zeros((40, 50), dtype=np.int64)
    numbers.reshape(-1)[[0, 5, 6, 700, 1999]] = [1, 2, 3, 4, 5]
    gaps, values = gaps_of(numbers, span)
    assert gaps.max() <= span
    assert np.array_equal(from_gaps(gaps, values, numbers.size), numbers.reshape(-1))


def test_tables_are_each_other_s_inverse() -> None:
    stretch, squash = tables()
    assert squash[LIMIT] == 32768
    assert stretch[2048] == 0
    assert all(abs(stretch[squash[value + LIMIT] >> 4] - value) <= 40 for value in range(-1200, 1200))
