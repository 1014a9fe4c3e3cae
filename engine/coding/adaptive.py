"""Code a sparse matrix of codebook numbers bit by bit, each bit predicted from what lies around it.

A row is an output unit; columns may have a shape of their own (pixels, kernel taps), given by `width`
and `group`. One function walks the matrix for the encoder and for the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.coding.mixing import ONE, Mixer, Predictor
from engine.coding.range_coder import Coder

INPUTS = 8
LIVE_ROWS, LIVE_COLUMNS, FLAG, SIGN, SIZE = range(5)


@dataclass(frozen=True)
class Layout:
    """What the coder is told about a matrix: columns `width` apart are neighbours, every `group` belong together.

    `negative` of the `levels` centroids are below zero; `density` is the share of non-zeros in 1/65536.
    """

    rows: int
    columns: int
    width: int
    group: int
    levels: int
    negative: int
    density: int


def new_mixer() -> Mixer:
    """The mixer that all matrices of a file share."""
    return Mixer(5, INPUTS)


def pass_matrix(matrix: np.ndarray, layout: Layout, coder: Coder, mixer: Mixer) -> None:
    """Code a matrix (rows, columns) of numbers from 0 to `levels`; a decoder fills it in place."""
    predictor = Predictor(mixer, coder, max(64, min(ONE - 64, layout.density)))
    live_rows = pass_live((matrix != 0).max(1, initial=False), predictor, LIVE_ROWS, 0)
    live_columns = pass_live((matrix != 0).max(0, initial=False), predictor, LIVE_COLUMNS, layout.width)
    walk = Walk(layout, predictor, live_columns)
    for row in live_rows:
        matrix[row] = walk.row(matrix[row].tolist())


def pass_live(alive: np.ndarray, predictor: Predictor, kind: int, width: int) -> list[int]:
    """Code which rows or columns hold anything; returns their indices."""
    bits: list[int] = [0] * width + [1]
    start = len(bits)
    for each in alive.tolist():
        above = bits[-width] if width else 0
        contexts = [bits[-1] | above << 1, bits[-1] | (bits[-2] if len(bits) > start + 1 else 1) << 1 | above << 2]
        bits.append(predictor.bit(int(each), contexts, kind, ONE // 2))
    return [index for index, bit in enumerate(bits[start:]) if bit]


class Walk:
    """Goes through a matrix row by row and remembers what contexts are made of."""

    def __init__(self, layout: Layout, predictor: Predictor, live: list[int]) -> None:
        self.layout, self.predictor, self.live = layout, predictor, live
        margin = max(layout.width, 2) + 1
        self.margin = margin
        size = layout.columns + 2 * margin
        self.count = [0] * size
        self.last = [0] * size  # the number met last in a column
        self.above = [0] * size  # the two rows above, as bits
        self.members = [0] * (layout.columns // layout.group + 1)  # non-zeros in a group, over the rows above
        self.number, self.before = 0, 0

    def row(self, values: list[int]) -> list[int]:
        """Code one row that holds something; returns it."""
        layout, margin, count, above = self.layout, self.margin, self.count, self.above
        width = layout.width
        now = [0] * len(count)
        found, in_group, group = 0, 0, -1
        age = self.number.bit_length()
        density = min(15, self.before.bit_length() * 2)
        previous = 0
        for seen, column in enumerate(self.live):
            at = column + margin
            if column // layout.group != group:
                group, in_group = column // layout.group, 0
            near = count[at - 1] + count[at + 1]
            over = 0
            if width > 1:
                near += count[at - width] + count[at + width]
                over = (now[at - width] > 0) << 2 | (now[at - width + 1] > 0) << 3 | (now[at - width - 1] > 0) << 4
            beside = (now[at - 1] > 0) | (now[at - 2] > 0) << 1 | over
            own = count[at]
            place = 8 * seen // len(self.live)
            contexts = [
                min(own, 20) << 4 | age,
                (min(found, 31) << 3 | place) << 4 | density,
                beside << 2 | min(own, 3),
                (min(near, 24) << 2 | min(own, 3)) << 4 | age,
                (above[at] << 3 | min(own, 5)) << 3 | (now[at - 1] > 0) << 2 | above[at - 1] & 1,
                (column % layout.group if layout.group <= 64 else 0) << 2 | min(in_group, 3),
                (min(in_group, 7) << 3 | min(own, 7)) << 4 | density,
                min(self.members[group], 40) << 4 | age,
            ]
            value = values[column]
            if self.predictor.bit(int(value > 0), contexts, FLAG):
                value = self.value(value, at, now, previous)
                values[column] = previous = now[at] = value
                found += 1
                in_group += 1
        self.remember(now, found)
        return values

    def value(self, value: int, at: int, now: list[int], previous: int) -> int:
        """Code which centroid a non-zero has: its sign, then its place from zero outwards."""
        layout, width = self.layout, self.layout.width
        negative, levels = layout.negative, layout.levels
        up = now[at - width] if width > 1 else 0
        signs = [self.sign(each) for each in (now[at - 1], up, self.last[at], previous)]
        sign = int(value > negative)
        if 0 < negative < levels:
            contexts = [
                signs[0] * 3 + signs[1],
                signs[2],
                signs[3],
                signs[2] * 9 + signs[0] * 3 + signs[1],
                signs[2] * 3 + signs[3],
                self.sign(self.last[at - 1]) * 3 + self.sign(self.last[at + 1]),
                0,
            ]
            sign = self.predictor.bit(sign, contexts, SIGN, ONE // 2)
        else:
            sign = int(negative == 0)
        choices = levels - negative if sign else negative
        size = (value - negative - 1 if sign else negative - value) if value else 0
        reached = 0
        sizes = [min(3, self.size(each)) for each in (now[at - 1], up, self.last[at], previous)]
        while reached < choices - 1:
            base = reached << 1 | sign
            contexts = [
                base,
                base << 2 | sizes[0],
                base << 2 | sizes[2],
                base << 2 | sizes[3],
                base << 4 | min(15, self.count[at]),
                base << 4 | sizes[1] << 2 | sizes[2],
                reached,
            ]
            if not self.predictor.bit(int(size > reached), contexts, SIZE, ONE // 2):
                break
            reached += 1
        return negative + 1 + reached if sign else negative - reached

    def sign(self, value: int) -> int:
        """0 for none, 1 below zero, 2 above."""
        return 0 if not value else 1 + (value > self.layout.negative)

    def size(self, value: int) -> int:
        """0 for none, else 1 + the place from zero outwards."""
        if not value:
            return 0
        negative = self.layout.negative
        return value - negative if value > negative else negative - value + 1

    def remember(self, now: list[int], found: int) -> None:
        """Take a finished row into account."""
        for column in self.live:
            at = column + self.margin
            value = now[at]
            self.above[at] = (self.above[at] << 1 | (value > 0)) & 3
            if value:
                self.count[at] += 1
                self.members[column // self.layout.group] += 1
                self.last[at] = value
        self.number += 1
        self.before = found
