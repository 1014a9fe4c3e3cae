"""Read a zip of image folders: one folder a class, optionally inside `train` and `test` folders."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from engine.data.archive import check_archive
from engine.data.arrays import SPLIT_WORDS
from engine.data.raw import RawData
from engine.errors import BadInput

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
LAYOUT = "Put each class's images in a folder of its own, the folders in a zip."
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class ZippedImages:
    """Images inside a zip, decoded when they are asked for."""

    path: Path
    members: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.members)

    def take(self, indices: np.ndarray) -> ZippedImages:
        """The images at `indices`."""
        return ZippedImages(self.path, tuple(self.members[each] for each in indices.tolist()))

    def decode(self, indices: np.ndarray, size: tuple[int, int], channels: int) -> Iterator[np.ndarray]:
        """Each image as uint8 (height, width, channels), cropped in the centre to the target's shape."""
        with zipfile.ZipFile(self.path) as archive:
            for index in indices.tolist():
                member = self.members[index]
                yield decode(archive.read(member), member, size, channels)


def decode(content: bytes, name: str, size: tuple[int, int], channels: int) -> np.ndarray:
    """Decode one image, crop its centre to the aspect of `size` (height, width) and resize it.

    Raises BadInput on what is no image or has an absurd number of pixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if channels not in MODES:
        raise BadInput(
            f"The model takes {channels} channels, and image files have 1, 3 or 4.", "Give the data set as a .npz file."
        )
    try:
        with Image.open(io.BytesIO(content)) as opened:
            image = ImageOps.exif_transpose(opened).convert(MODES[channels])
            fitted = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    except Image.DecompressionBombError as error:
        raise BadInput(f"{name} has too many pixels to open: {error}.", "Shrink it first.") from error
    except UnidentifiedImageError as error:
        raise BadInput(
            f"{name} can't be read as an image: it is none, or it is damaged.", "Replace or remove it and zip again."
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise BadInput(f"{name} can't be read as an image: {error}.", "Replace or remove it and zip again.") from error
    pixels = np.asarray(fitted, dtype=np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def read(path: Path, columns: dict[str, str]) -> RawData:
    """List the images with their classes and splits; raises BadInput when there are none."""
    check_archive(path)
    with zipfile.ZipFile(path) as archive:
        names = [each.filename for each in archive.infolist() if not each.is_dir() and is_image(each.filename)]
    if not names:
        raise BadInput(f"{path.name} holds no images.", LAYOUT)
    names.sort()
    folders = strip_common([PurePosixPath(each.replace("\\", "/")).parts[:-1] for each in names])
    split: np.ndarray | None = None
    if all(each and each[0].lower() in SPLIT_WORDS for each in folders):
        split = np.array([SPLIT_WORDS[each[0].lower()] for each in folders])
        folders = [each[1:] for each in folders]
    labelled = [bool(each) for each in folders]
    if any(labelled) and not all(labelled):
        stray = names[labelled.index(False)]
        raise BadInput(f"{path.name} has class folders, and {stray} lies in none of them.", LAYOUT)
    labels = np.array([each[0] for each in folders]) if all(labelled) else None
    return RawData(path.stem, len(names), images=ZippedImages(path, tuple(names)), labels=labels, split=split)


def is_image(name: str) -> bool:
    """Whether a member is an image file, and not a file manager's leftover."""
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() in SUFFIXES and not hidden


def strip_common(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Drop the outer folder that all images share while there are folders of their own inside it."""
    while len({each[:1] for each in folders}) == 1 and all(len(each) > 1 for each in folders):
        folders = [each[1:] for each in folders]
    return folders
