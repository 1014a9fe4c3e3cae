"""Make a safe copy of an uploaded exported program, or refuse it.

`torch.export.load` reads pickles safely first and then, when that fails, without any care, so a
tampered file would run code. Every pickle is therefore read here with `weights_only`, the graph is
checked word by word, and only what was checked goes into a new archive: two zip readers may see
different files in one crafted archive, and PyTorch is given no other than ours.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

from engine.admission.archives import CHUNK, RATIO
from engine.admission.program_graph import INSTEAD, checked, parsed
from engine.errors import BadInput, RefusedFile

LABELS = re.compile(
    r"^(archive_format|archive_version|byteorder|version|\.format_version|\.data/(version|serialization_id))$"
)
GRAPH = re.compile(r"^(models/[\w\-]+\.json|serialized_exported_program\.json)$")
LIST = re.compile(r"^data/(weights|constants)/[\w\-]+_(weights|constants)_config\.json$")
TENSORS = re.compile(r"^data/(weights/weight|constants/tensor)_\d+$")
PICKLES = re.compile(
    r"^(data/(sample_inputs|weights|constants)/[\w\-]+\.pt|serialized_(state_dict|constants|example_inputs)\.pt)$"
)
IGNORED = re.compile(r"^extra/")
NATIVE = re.compile(r"(^|/)aotinductor/|\.(so|cubin|ptx|cpp|cu|o|dll|pyd|py|hsaco|spv)$")
SMALL = 200_000_000


def safe_copy(path: Path, target: Path) -> Path:
    """Write what was checked of an exported program to `target`; raises RefusedFile or BadInput."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
            entries = archive.infolist()
            check_names(entries)
            for entry in entries:
                copy_member(archive, entry, copy)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise BadInput("The exported program is damaged or incomplete.", INSTEAD) from error
    return target


def check_names(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse native code, torchbind objects, names given twice, and bombs."""
    names = [each.filename for each in entries]
    if len(set(names)) != len(names):
        raise RefusedFile("The exported program holds two files of the same name.", INSTEAD)
    for each in entries:
        if NATIVE.search(each.filename):
            raise RefusedFile(f"The exported program carries native code ({each.filename}).", INSTEAD)
        if "custom_obj" in each.filename or "opaque_obj" in each.filename:
            raise RefusedFile("The exported program carries torchbind objects, which are not opened.", INSTEAD)
        if each.file_size > CHUNK and each.file_size > RATIO * max(1, each.compress_size):
            raise BadInput("The exported program unpacks like a zip bomb.", INSTEAD)


def copy_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, copy: zipfile.ZipFile) -> None:
    """Check one member by its place in the archive and write it to the copy."""
    name = entry.filename
    inner = name if name.startswith("serialized_") or "/" not in name else name.partition("/")[2]
    if IGNORED.match(inner) or entry.is_dir():
        return
    if TENSORS.match(inner):
        with archive.open(entry) as source, copy.open(zipfile.ZipInfo(name), "w", force_zip64=True) as sink:
            while chunk := source.read(CHUNK):
                sink.write(chunk)
        return
    if entry.file_size > SMALL and not PICKLES.match(inner):
        raise BadInput(f"The exported program's {name} is larger than any graph.", INSTEAD)
    data = archive.read(entry)
    if GRAPH.match(inner):
        data = json.dumps(checked(mapping(data, name))).encode()
    elif LIST.match(inner):
        check_list(mapping(data, name))
    elif PICKLES.match(inner):
        check_pickle(data, name)
    elif not LABELS.match(inner) or len(data) > 1000:
        raise RefusedFile(f"The exported program holds a file of an unknown kind ({name}).", INSTEAD)
    copy.writestr(zipfile.ZipInfo(name), data)


def mapping(data: bytes, name: str) -> dict[str, Any]:
    """A JSON member that has to be an object."""
    value = parsed(data, name)
    if not isinstance(value, dict):
        raise BadInput(f"The exported program is damaged at {name!r}.", INSTEAD)
    return value


def check_list(config: dict[str, Any]) -> None:
    """Refuse weights and constants that are kept as pickles or as objects."""
    entries = config.get("config")
    if not isinstance(entries, dict):
        raise BadInput("The exported program's list of weights is damaged.", INSTEAD)
    for name, facts in entries.items():
        if not isinstance(facts, dict) or facts.get("use_pickle", True) is not False:
            raise RefusedFile(f"The exported program keeps {name!r} as a pickle, which is not opened.", INSTEAD)
        if not re.match(r"^(weight|tensor)_\d+$", str(facts.get("path_name", ""))):
            raise RefusedFile(f"The exported program keeps {name!r} as an object, which is not opened.", INSTEAD)
    checked(config)


def check_pickle(data: bytes, name: str) -> None:
    """Load one pickle with `weights_only`; raises RefusedFile when it holds more than tensors."""
    import torch

    if not data:
        return
    try:
        torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise RefusedFile(f"The exported program's {name} pickles more than tensors.", INSTEAD) from error
    except Exception as error:  # whatever else a crafted pickle provokes is refused alike
        raise RefusedFile(f"The exported program's {name} can't be read safely.", INSTEAD) from error
