"""Zip archives and copies, read with suspicion: nothing is extracted that could hurt."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from engine.errors import BadInput

RATIO = 200
LIMIT_MEMBERS = 20_000
CHUNK = 1 << 20


def members(path: Path) -> list[str]:
    """The names inside a zip archive; an empty list when the file is no readable zip."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeDecodeError):
        return []


def place(source: Path, target: Path) -> Path:
    """Copy one file into the artifact's folder; never a link, because the source may change."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target


def unpack(path: Path, folder: Path, limit_bytes: int) -> list[Path]:
    """Extract a user's zip into `folder`; returns the files.

    Raises BadInput for names that leave the folder, links, encryption, more than `limit_bytes` in
    all, or a compression ratio that only a bomb has.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [each for each in archive.infolist() if not each.is_dir()]
            check_entries(path.name, entries, limit_bytes)
            return [extract(archive, each, folder) for each in entries if not is_clutter(each.filename)]
    except (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeDecodeError, zipfile.LargeZipFile) as error:
        raise BadInput(f"{path.name} is a damaged zip archive.", "Zip the files again and upload it again.") from error


def check_entries(name: str, entries: list[zipfile.ZipInfo], limit_bytes: int) -> None:
    """Refuse an archive that could hurt, before anything is written."""
    if len(entries) > LIMIT_MEMBERS:
        raise BadInput(f"{name} holds {len(entries):,} files.", "Zip only the model's own files.")
    total = 0
    for each in entries:
        parts = PurePosixPath(each.filename.replace("\\", "/")).parts
        if ".." in parts or each.filename.startswith(("/", "\\")) or (parts and ":" in parts[0]):
            raise BadInput(
                f"{name} holds the path {each.filename!r}, which leads out of the archive.",
                "Zip the model's folder itself, with relative paths.",
            )
        if (each.external_attr >> 16) & 0o170000 == 0o120000:
            raise BadInput(f"{name} holds the link {each.filename!r}.", "Zip the files themselves, not links to them.")
        if each.flag_bits & 1:
            raise BadInput(f"{name} is encrypted.", "Zip the files without a password.")
        if each.file_size > CHUNK and each.file_size > RATIO * max(1, each.compress_size):
            raise BadInput(
                f"{name} unpacks {each.filename!r} to over {RATIO} times its size, as zip bombs do.",
                "Upload the model file itself.",
            )
        total += each.file_size
    if total > limit_bytes:
        raise BadInput(
            f"{name} unpacks to {total / 1e6:,.0f} MB, and the limit is {limit_bytes / 1e6:,.0f} MB.",
            "Upload a smaller model, or raise OPTIBENCH_UPLOAD_LIMIT_MB.",
        )


def is_clutter(name: str) -> bool:
    """Whether a member is something an operating system adds by itself."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in (".DS_Store", "Thumbs.db")


def extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> Path:
    """Write one member, and never more of it than its header says."""
    target = folder / PurePosixPath(entry.filename.replace("\\", "/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as source, target.open("wb") as sink:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise BadInput(f"{entry.filename!r} is larger than its archive says.", "Zip the files again.")
            sink.write(chunk)
    return target
