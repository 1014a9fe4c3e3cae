"""From raw pixels to what an image model takes."""

from __future__ import annotations

import numpy as np

from engine.data.images import decode
from engine.data.raw import RawData
from engine.errors import BadInput
from engine.feeds import numpy_dtype
from engine.spec import ModelSpec, Preprocessing, TensorSpec

CHANNELS = (1, 3, 4)
STRAY = 0.01
"""How far beyond 0 to 1 rounding may take a pixel."""


def image_input(spec: ModelSpec) -> TensorSpec:
    """The one input that takes images; raises BadInput when there is none."""
    tensors = spec.tensor_inputs
    if len(tensors) != 1 or len(tensors[0].shape) not in (3, 4):
        listed = ", ".join(f"{each.name} {'×'.join(map(str, each.shape))}" for each in tensors)
        raise BadInput(f"The data set holds images, and the model takes {listed}.", "Give the inputs as a .npz file.")
    return tensors[0]


def geometry(spec: ModelSpec) -> tuple[int, tuple[int, int], bool]:
    """Channels, (height, width), and whether channels come last, of the model's image input."""
    tensor = image_input(spec)
    sizes: list[int | None] = [
        each if isinstance(each, int) else spec.sizes.get(each)
        for each in tensor.shape[1 if len(tensor.shape) == 4 else 0 :]
    ]
    if len(tensor.shape) == 3:
        sizes = [1, *sizes[1:]]
    last = sizes[0] not in CHANNELS and sizes[-1] in CHANNELS
    channels, height, width = (sizes[2], sizes[0], sizes[1]) if last else (sizes[0], sizes[1], sizes[2])
    resize = spec.preprocessing.resize
    if resize:
        height, width = height or resize[0], width or resize[1]
    if not channels or not height or not width:
        raise BadInput(
            f"The size of the model's image input {tensor.name} is not known.",
            f"Give one, for example --shape {tensor.name}=1x3x224x224.",
        )
    return channels, (height, width), last


def from_files(raw: RawData, indices: np.ndarray, spec: ModelSpec) -> np.ndarray:
    """Decode, crop, resize and normalise image files: (samples, ...) in the model's layout."""
    assert raw.images is not None
    channels, size, _ = geometry(spec)
    tensor = image_input(spec)
    pixels = np.empty((len(indices), *size, channels), dtype=np.uint8)
    for position, image in enumerate(raw.images.decode(indices, size, channels)):
        pixels[position] = image
    return arrange(pixels, spec, tensor)


def from_array(raw: RawData, array: np.ndarray, indices: np.ndarray, spec: ModelSpec) -> np.ndarray:
    """Normalise an array of uint8 pixels: (n, h, w), (n, h, w, c) or (n, c, h, w), resized when needed."""
    channels, size, _ = geometry(spec)
    pixels = array[indices]
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    elif pixels.shape[-1] not in CHANNELS and pixels.shape[1] in CHANNELS:
        pixels = pixels.transpose(0, 2, 3, 1)
    if pixels.shape[1:3] != size:
        pixels = np.stack([resize(each, size) for each in pixels])
    if pixels.shape[-1] == 1 and channels == 3:
        pixels = np.repeat(pixels, 3, axis=-1)
    if pixels.shape[-1] != channels:
        raise BadInput(
            f"{raw.name} has images of {pixels.shape[-1]} channels, and the model takes {channels}.",
            "Convert the images first.",
        )
    return arrange(pixels, spec, image_input(spec))


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize one uint8 image (h, w, c) to (height, width)."""
    from PIL import Image

    planes = [
        np.asarray(Image.fromarray(image[..., each]).resize((size[1], size[0]), Image.Resampling.BILINEAR))
        for each in range(image.shape[-1])
    ]
    return np.stack(planes, axis=-1)


def arrange(pixels: np.ndarray, spec: ModelSpec, tensor: TensorSpec) -> np.ndarray:
    """uint8 (n, h, w, c) to the model's dtype and layout, normalised when it takes floats."""
    channels, _, last = geometry(spec)
    floating = tensor.dtype.startswith(("float", "bfloat"))
    values = normalise(pixels, spec.preprocessing, channels) if floating else pixels
    ordered = values if last else values.transpose(0, 3, 1, 2)
    if len(tensor.shape) == 3:
        ordered = ordered.reshape(len(ordered), *ordered.shape[2:] if not last else ordered.shape[1:3])
    return np.ascontiguousarray(ordered.astype(numpy_dtype(tensor.dtype), copy=False))


def normalise(pixels: np.ndarray, preprocessing: Preprocessing, channels: int) -> np.ndarray:
    """Scale 0..255 to 0..`scale` and apply (x - mean) / std for each channel."""
    for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
        if len(values) not in (0, 1, channels):
            raise BadInput(
                f"The preprocessing has {len(values)} values of {name} for {channels} channels.", "Give one each."
            )
    scaled = pixels.astype(np.float32) * np.float32(preprocessing.scale / 255.0)
    if preprocessing.mean:
        scaled -= np.asarray(preprocessing.mean, np.float32)
    if preprocessing.std:
        scaled /= np.asarray(preprocessing.std, np.float32)
    return scaled


def one_image(content: bytes, name: str, spec: ModelSpec) -> np.ndarray:
    """One image file as a batch of one, as the demo needs it."""
    channels, size, _ = geometry(spec)
    return arrange(decode(content, name, size, channels)[None], spec, image_input(spec))


def picture(values: np.ndarray, spec: ModelSpec) -> np.ndarray:
    """The first sample of an image input as uint8 (height, width, channels), as the model sees it.

    Undoes `arrange`; what was normalised elsewhere is stretched from its smallest to its largest value.
    """
    _, _, last = geometry(spec)
    image = values[0] if last else values[0].transpose(1, 2, 0) if values.ndim == 4 else values[0][..., None]
    if image.dtype == np.uint8:
        return np.asarray(image)
    image = image.astype(np.float32)
    preprocessing = spec.preprocessing
    if preprocessing.std:
        image = image * np.asarray(preprocessing.std, np.float32)
    if preprocessing.mean:
        image = image + np.asarray(preprocessing.mean, np.float32)
    image = image / (preprocessing.scale or 1.0)
    low, high = float(image.min(initial=0.0)), float(image.max(initial=0.0))
    if low < -STRAY or high > 1 + STRAY:
        image = (image - low) / max(high - low, 1e-12)
    return np.asarray(np.rint(image.clip(0.0, 1.0) * 255.0), np.uint8)
