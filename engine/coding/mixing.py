"""Predict a bit from several contexts at once: adaptive counters whose votes are mixed by a small network.

The mixing of PAQ (Mahoney 2005), in integers: `stretch` is ln(p / (1 - p)) in 1/256, `squash` its inverse
in 1/65536. Their tables are computed in decimal arithmetic, which rounds alike everywhere.
"""

from __future__ import annotations

import functools
from decimal import ROUND_HALF_EVEN, Context, Decimal

from engine.coding.range_coder import Coder

LIMIT = 2047
ONE = 1 << 16
INITIAL_WEIGHT = 17_000
MIXING_SHIFT = 20


@functools.cache
def tables() -> tuple[list[int], list[int]]:
    """`stretch` by probability >> 4 and `squash` by its argument + 2047."""
    exact = Context(prec=24, rounding=ROUND_HALF_EVEN)
    stretch = []
    for step in range(4096):
        odds = exact.divide(Decimal(2 * step + 1), Decimal(8191 - 2 * step))
        stretch.append(max(-LIMIT, min(LIMIT, int((exact.ln(odds) * 256).to_integral_value(ROUND_HALF_EVEN)))))
    squash = []
    for argument in range(-LIMIT, LIMIT + 1):
        power = exact.exp(exact.divide(Decimal(-argument), Decimal(256)))
        share = exact.divide(Decimal(ONE), 1 + power)
        squash.append(max(24, min(ONE - 24, int(share.to_integral_value(ROUND_HALF_EVEN)))))
    return stretch, squash


class Mixer:
    """Weights of the votes, one set for each kind of decision; they go on learning from tensor to tensor."""

    def __init__(self, sets: int, inputs: int) -> None:
        self.weights = [[INITIAL_WEIGHT] * inputs for _ in range(sets)]
        self.seen = [0] * sets


class Predictor:
    """Counters of one tensor. A context is any number; contexts of different inputs never meet."""

    def __init__(self, mixer: Mixer, coder: Coder, initial: int) -> None:
        self.mixer, self.coder = mixer, coder
        self.stretch, self.squash = tables()
        self.initial = initial
        self.slots: dict[int, list[int]] = {}

    def bit(self, value: int, contexts: list[int], kind: int, initial: int = 0) -> int:
        """Code one bit seen in `contexts`; `kind` chooses the mixing weights. Returns the bit."""
        stretch, slots = self.stretch, self.slots
        weights = self.mixer.weights[kind]
        cells, votes, total = [], [], 0
        for number, context in enumerate(contexts):
            key = context << 8 | kind << 4 | number
            cell = slots.get(key)
            if cell is None:
                cell = slots[key] = [initial or self.initial, 0]
            vote = stretch[cell[0] >> 4]
            cells.append(cell)
            votes.append(vote)
            total += weights[number] * vote
        total >>= 16
        chance = self.squash[(LIMIT if total > LIMIT else -LIMIT if total < -LIMIT else total) + LIMIT]
        value = self.coder.code(value, chance)
        self.learn(value, chance, kind, cells, votes)
        return value

    def learn(self, value: int, chance: int, kind: int, cells: list[list[int]], votes: list[int]) -> None:
        """Move the counters and the weights of the votes towards the bit that came."""
        seen = self.mixer.seen[kind]
        self.mixer.seen[kind] = seen + 1
        error = ((ONE if value else 0) - chance) * (6 + 1600 // (seen + 100))
        weights = self.mixer.weights[kind]
        target = 65535 if value else 0
        for number, cell in enumerate(cells):
            weights[number] += votes[number] * error >> MIXING_SHIFT
            count = cell[1]
            cell[0] += (target - cell[0]) * 2 // (2 * count + 4)
            if count < 250:
                cell[1] = count + 1
