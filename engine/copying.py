"""Copy what a user gives, chunk by chunk, without looking into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from engine.errors import BadInput, PhaseFailed
from engine.settings import Settings

CHUNK = 1 << 20


def cancelled_by_user() -> PhaseFailed:
    """What ends the taking in of a file that the user no longer wants."""
    return PhaseFailed("cancelled", "Cancelled: nothing of it was kept.", "Add it again whenever you like.")


def copy_upload(settings: Settings, path: Path, folder: Path, cancelled: Callable[[], bool] = lambda: False) -> Path:
    """Copy a file or a folder chunk by chunk; raises BadInput when it can't be read or is too large.

    Raises PhaseFailed when it is cancelled.
    """
    target = folder / Path(path.name).name
    try:
        path.stat()
        files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
        if not files:
            raise BadInput(f"{path} is an empty folder.", "Give a model file, or a folder with one.")
        size = sum(each.stat().st_size for each in files)
        if size > settings.upload_limit_mb * 1_000_000:
            raise BadInput(
                f"{path.name} has {size / 1e6:.0f} MB; the limit is {settings.upload_limit_mb} MB.",
                "An operator can raise it with OPTIBENCH_UPLOAD_LIMIT_MB.",
            )
        for each in files:
            copy = target / each.relative_to(path) if path.is_dir() else target
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy_file(each, copy, cancelled)
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror or error}.", "Check the path.") from error
    return target


def copy_file(source: Path, target: Path, cancelled: Callable[[], bool]) -> None:
    """Copy one regular file; raises BadInput for a pipe or a device, which may never end."""
    if not source.is_file():
        raise BadInput(f"{source.name} is not a file.", "Give the path of a file or a folder.")
    with source.open("rb") as stream:
        write_chunks(stream, target, cancelled)


def write_chunks(stream: IO[bytes], target: Path, cancelled: Callable[[], bool]) -> None:
    """Write a stream to a file chunk by chunk; raises PhaseFailed when it is cancelled on the way."""
    with target.open("wb") as copy:
        while chunk := stream.read(CHUNK):
            if cancelled():
                raise cancelled_by_user()
            copy.write(chunk)
