"""Zip files from strangers: what is looked at before anything is unpacked."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from engine.errors import BadInput, RefusedFile

MEMBERS = 500_000
UNPACKED_BYTES = 32 * 2**30
RATIO = 200
SMALL_BYTES = 64 * 2**20


def check_archive(path: Path) -> None:
    """Raise RefusedFile on traversal, links, or far more content than the file's size can hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise BadInput(
            f"{path.name} is not a zip file, or it is cut off: {error}.", "Make it again and upload it."
        ) from error
    total = sum(each.file_size for each in members)
    if (
        len(members) > MEMBERS
        or total > UNPACKED_BYTES
        or (total > SMALL_BYTES and total > RATIO * path.stat().st_size)
    ):
        raise RefusedFile(
            f"{path.name} would unpack to {total / 2**20:,.0f} MiB in {len(members):,} files.",
            "It looks like a zip bomb; upload the data in an ordinary archive.",
        )
    for each in members:
        parts = PurePosixPath(each.filename.replace("\\", "/")).parts
        if ".." in parts or each.filename.startswith(("/", "\\")) or ":" in each.filename.split("/")[0]:
            raise RefusedFile(
                f"{path.name} has a member that points outside: {each.filename[:80]}.", "Make the zip anew."
            )
        if stat.S_ISLNK(each.external_attr >> 16):
            raise RefusedFile(f"{path.name} has a link in it: {each.filename[:80]}.", "Put the file itself in the zip.")
        if each.flag_bits & 1:
            raise BadInput(f"{path.name} is encrypted.", "Upload it without a password.")
