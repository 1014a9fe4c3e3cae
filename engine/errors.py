"""Every error the engine raises on purpose.

    OptibenchError               what happened, and a hint: what to do next
    ├── BadInput                 a file, shape, option or data set that can't be used
    │   ├── BadOption            an option's value is out of bounds or of the wrong type
    │   └── RefusedFile          a file that is not opened because opening it could run code
    ├── Unsupported              nothing is broken: this combination does not exist here
    │   └── MissingDependency    a distribution, compiler or device is not installed
    ├── OutOfMemory              host or device memory ran out
    ├── StepFailed               a conversion or compression could not be carried out
    └── PhaseFailed              a worker process died, hung or was cancelled

`status` is what a result is marked with when the error ends it.
"""

from __future__ import annotations


class OptibenchError(Exception):
    """Something that has a clear sentence for the user and a next step.

    `reason` is one sentence; `hint` says what to do next, or is empty.
    """

    status = "failed"

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.reason} {self.hint}".strip()


class BadInput(OptibenchError):
    """A file, shape, option or data set that can't be used as it is."""


class BadOption(BadInput):
    """An option's value is out of its bounds or of the wrong type."""


class RefusedFile(BadInput):
    """A file that is not opened, because opening it could run code."""


class Unsupported(OptibenchError):
    """This combination of model, steps, runtime and machine does not exist."""

    status = "unsupported"


class MissingDependency(Unsupported):
    """A distribution, a compiler or a device is not there; the hint is the install command."""


class OutOfMemory(OptibenchError):
    """Host or device memory ran out."""

    status = "oom"


class StepFailed(OptibenchError):
    """A conversion or compression could not be carried out."""


class PhaseFailed(OptibenchError):
    """A worker process died, hung or was cancelled; `status` says which."""

    def __init__(self, status: str, reason: str, hint: str = "") -> None:
        super().__init__(reason, hint)
        self.status = status


def first_line(error: BaseException) -> str:
    """The first line of a message that says something, at most 300 characters, without its full stop."""
    lines = [each.strip() for each in str(error).splitlines() if each.strip()]
    return (lines[0] if lines else type(error).__name__)[:300].rstrip(".")
