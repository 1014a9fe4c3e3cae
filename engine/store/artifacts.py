"""The artifact store: what a step built is kept under a key and never built twice.

    <root>/<first two digits>/<key>/artifact.json   manifest: format, payload, details, record, digest
                                    payload/        what the step wrote
                                    sizes.json      the four sizes, counted once
    <root>/.building/               unfinished builds
    <root>/.checkpoints/<key>/      what an interrupted training goes on from
    <root>/.locks/<key>             held by the one process that builds a key
    <root>/caches/<key>/            compiler caches of runtimes that compile

The key says how an artifact came about; the digest in the manifest is for integrity only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock

from engine.artifact import MANIFEST, Artifact, read_manifest, write_manifest
from engine.measurement import Sizes
from engine.plugin import Plugin
from engine.spec import from_json, to_json

PAYLOAD, SIZES = "payload", "sizes.json"
CHUNK = 1 << 20
STALE_S = 24 * 3600.0
COMPRESSION_LEVEL = 3


def key_of(plugin: Plugin, *, format: str, source: str, uses: Mapping[str, Any]) -> str:
    """The cache key of what a step makes of the artifact `source`, which has this format.

    `uses` holds a digest of everything the step declares that it reads.
    """
    facts = {
        "plugin": plugin.name,
        "version": plugin.version,
        "options": plugin.options(),
        "format": format,
        "source": source,
        "uses": dict(uses),
        "libraries": plugin.library_versions(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:40]


def content_digest(artifact: Artifact) -> str:
    """A hash of every byte of an artifact and of its files' names."""
    digest = hashlib.blake2b(digest_size=20)
    for each in artifact.files():
        name = each.name if artifact.path.is_file() else each.relative_to(artifact.path).as_posix()
        if name == MANIFEST:
            continue
        digest.update(f"{name}\0{each.stat().st_size}\0".encode())
        with each.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


class ArtifactStore:
    """Built artifacts in one folder, shared by every worker on this host."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.caches = root / "caches"
        for each in (".building", ".checkpoints", ".locks", "caches"):
            (root / each).mkdir(parents=True, exist_ok=True)

    def folder(self, key: str) -> Path:
        """Where the artifact with this key lies, whether it is there or not."""
        return self.root / key[:2] / key

    def manifest(self, key: str) -> dict[str, Any] | None:
        """The manifest of a built artifact, or None. Its payload is not looked at."""
        try:
            found = json.loads((self.folder(key) / MANIFEST).read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"format", "payload", "digest"} <= found.keys() else None

    def get(self, key: str) -> Artifact | None:
        """The built artifact, or None when it is absent or no longer what was written."""
        manifest = self.manifest(key)
        if manifest is None:
            return None
        artifact = read_manifest(self.folder(key))
        try:
            intact = content_digest(artifact) == manifest["digest"]
        except OSError:
            intact = False
        return artifact if intact else None

    def new_build(self, key: str) -> Path:
        """A fresh folder to build in; its `payload` folder, which is empty, is the step's."""
        self.sweep()
        folder = self.root / ".building" / f"{key}-{uuid.uuid4().hex[:8]}"
        (folder / PAYLOAD).mkdir(parents=True)
        return folder

    def put(self, key: str, build: Path, artifact: Artifact, record: Mapping[str, Any] | None = None) -> Artifact:
        """Move a finished build into the store by one rename and return the artifact there.

        When another process was faster and its artifact is intact, that one is returned and this
        build is dropped. `record` is what the step's run is remembered by.
        """
        artifact = replace(artifact, key=key)
        write_manifest(build, artifact, digest=content_digest(artifact), record=dict(record or {}))
        target = self.folder(key)
        target.parent.mkdir(exist_ok=True)
        try:
            build.rename(target)
        except OSError:
            existing = self.get(key)
            if existing is not None:
                shutil.rmtree(build, ignore_errors=True)
                return existing
            self.discard(key)
            build.rename(target)
        shutil.rmtree(self.root / ".checkpoints" / key, ignore_errors=True)
        return read_manifest(target)

    def discard(self, key: str) -> None:
        """Take an artifact out of the store."""
        doomed = self.root / ".building" / f"{key}-{uuid.uuid4().hex[:8]}-discarded"
        try:
            self.folder(key).rename(doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed, ignore_errors=True)

    def checkpoint(self, key: str) -> Path:
        """A folder that outlives an interrupted build of this key."""
        folder = self.root / ".checkpoints" / key
        folder.mkdir(exist_ok=True)
        return folder

    def lock(self, key: str) -> filelock.BaseFileLock:
        """The lock that the one builder of this key holds; the kernel frees it when the builder dies."""
        return filelock.FileLock(self.root / ".locks" / key)

    def sweep(self) -> None:
        """Remove builds that were abandoned more than a day ago."""
        for each in (self.root / ".building").iterdir():
            try:
                if time.time() - each.stat().st_mtime > STALE_S:
                    shutil.rmtree(each, ignore_errors=True)
            except FileNotFoundError:
                continue

    def sizes(self, artifact: Artifact) -> Sizes:
        """The sizes of a stored artifact, counted once and kept beside it."""
        kept = self.folder(artifact.key) / SIZES if artifact.key else None
        if kept is not None and kept.exists():
            return from_json(Sizes, json.loads(kept.read_text()))
        counted = sizes(artifact)
        if kept is not None and kept.parent.exists():
            partial = kept.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps(to_json(counted)))
            partial.replace(kept)
        return counted


def sizes(artifact: Artifact) -> Sizes:
    """Bytes on disk, compressed with zstd, of stored weights, and of weights that are not zero.

    The last two are None where the format can't tell. A step that packs weights in its own way
    says `parameter_bytes` and `nonzero_bytes` in the artifact's details.
    """
    from engine.store.weights import count

    counted = count(artifact)
    return Sizes(
        file=artifact.size_bytes(),
        compressed=compressed_bytes(artifact),
        parameters=artifact.details.get("parameter_bytes", counted and counted.total),
        nonzero=artifact.details.get("nonzero_bytes", counted and counted.nonzero),
    )


def compressed_bytes(artifact: Artifact) -> int:
    """Bytes of all files as one zstd stream at its ordinary level."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compressobj()
    total = 0
    for each in artifact.files():
        with each.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                total += len(compressor.compress(chunk))
    return total + len(compressor.flush())
