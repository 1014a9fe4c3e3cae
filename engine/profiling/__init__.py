"""What the profile phase finds out about one variant: time per layer or kernel, fusion, launches."""

from __future__ import annotations

from typing import Any

from engine.runtimes.base import Session


def profile(session: Session) -> dict[str, Any]:
    """Look at a warm session with bound inputs, by its own `profile` or by the library it runs on.

    Times are milliseconds of one inference. What comes back may hold `layers` and `kernels` (rows
    with `name`, `kind`, `ms` and what else is known), `layers_before` and `layers_after` fusion,
    `busy_ms`, `launches`, `providers` and `notes`; a session that can't be looked into gives a note.
    """
    from engine.runtimes.ort_session import OrtSession
    from engine.runtimes.torch_session import TorchSession

    own = getattr(session, "profile", None)
    if own is not None:
        found: dict[str, Any] = own()
        return found
    if isinstance(session, TorchSession):
        from engine.profiling import torch_kernels

        return torch_kernels.profile(session)
    if isinstance(session, OrtSession):
        from engine.profiling import onnxruntime_nodes

        return onnxruntime_nodes.profile(session)
    return {"notes": ["This runtime gives no look inside: it runs in a process of its own."]}
