"""The one filter for torch.jit's warnings about its own future, which are no news to the user."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_jit() -> Iterator[None]:
    """Silence the announcements that torch.jit is deprecated; every other warning passes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\..*", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=r".*torch\.jit\..*", category=FutureWarning)
        yield
