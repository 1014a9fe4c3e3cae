"""The calls that verify a variant: from the user's data where there is some, else seeded random."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.data.prepared import Prepared
from engine.errors import BadInput
from engine.feeds import numpy_dtype, random_feeds
from engine.measure.sequence import Feeds, call_size
from engine.spec import ModelSpec


def verification_calls(spec: ModelSpec, batch_size: int, samples: int, seed: int, data: Prepared | None) -> list[Feeds]:
    """At least `samples` samples in calls of one batch size.

    A data set is shuffled, because many are sorted by class, and repeated when it is small.
    Explicit state starts at zero and is fed back later.
    """
    size = call_size(spec, batch_size)
    calls = max(1, -(-samples // size))
    if data is None:
        made = [random_feeds(spec, batch_size, seed + number) for number in range(calls)]
    else:
        order = np.resize(np.random.default_rng(seed).permutation(len(data)), calls * size)
        made = [data_call(spec, data, order[number * size : (number + 1) * size]) for number in range(calls)]
    for _, name in spec.state_pairs:
        for each in made:
            each[name] = np.zeros_like(each[name])
    return made


def data_call(spec: ModelSpec, data: Prepared, indices: np.ndarray) -> Feeds:
    """The inputs of one call from samples of a data set, in the model's dtypes.

    State that the data set does not hold starts at zero. Raises BadInput on a missing input.
    """
    feeds: dict[str, Any] = {}
    state = {name for _, name in spec.state_pairs}
    for each in spec.inputs:
        if each.constant is not None:
            feeds[each.name] = each.constant
        elif each.name in data.feeds:
            feeds[each.name] = np.ascontiguousarray(data.feeds[each.name][indices], dtype=numpy_dtype(each.dtype))
        elif each.name in state:
            shape = each.concrete(spec.sizes_at(len(indices)))
            feeds[each.name] = np.zeros(shape, dtype=numpy_dtype(each.dtype))
        else:
            raise BadInput(
                f"The data set {data.name} has nothing for the input {each.name}.",
                f"It has {', '.join(data.feeds)}; name its columns after the model's inputs.",
            )
    return feeds
