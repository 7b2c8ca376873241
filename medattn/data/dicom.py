"""DICOM files: one grey or colour image, windowed as the file says."""

import io
from typing import Any

import numpy as np

NOT_INSTALLED = (
    "is a DICOM file, and pydicom is not installed. Expected the extra: in this "
    "project's folder, `uv sync --extra dicom`."
)


def is_dicom(content: bytes) -> bool:
    """Whether bytes are a DICOM file: the prefix DICM follows 128 free bytes."""
    return content[128:132] == b"DICM"


def read_dicom(content: bytes, name: str, most_pixels: int) -> np.ndarray:
    """Reads one DICOM image as RGB.

    Greys are converted to the unit of the modality (rescale slope and intercept), then
    the file's first window is applied, or, if it has none, they are stretched from
    their darkest to their brightest pixel; MONOCHROME1 is inverted.

    Args:
        content: The file's bytes.
        name: The name that errors give it.
        most_pixels: Largest image, checked before anything is decoded.

    Returns:
        `(height, width, 3)`, float32 in [0, 1].

    Raises:
        ValueError: In one plain sentence, if it cannot be read.

    Reference:
        DICOM PS3.3, [C.11.2.1.2](https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_C.11.2.html).
    """
    try:
        import pydicom
        from pydicom.pixels import apply_modality_lut, pixel_array
    except ModuleNotFoundError:
        raise ValueError(f"{name} {NOT_INSTALLED}") from None
    try:
        file = pydicom.dcmread(io.BytesIO(content))
        rows, columns = int(file.get("Rows", 0)), int(file.get("Columns", 0))
        frames = int(file.get("NumberOfFrames", 1) or 1)
    except Exception as error:  # a broken file raises errors of many kinds
        raise ValueError(f"{name} has a broken header ({error}).") from error
    if not rows or not columns or "PixelData" not in file:
        raise ValueError(f"{name} holds no image. Expected a DICOM image.")
    if rows * columns > most_pixels:
        raise ValueError(
            f"{name} is too large. Expected at most {most_pixels:,} pixels. "
            f"Received: {columns} x {rows} = {rows * columns:,}"
        )
    if frames > 1:
        raise ValueError(
            f"{name} moves or has pages. Expected one still image. "
            f"Received: {frames} frames"
        )
    try:
        pixels = pixel_array(file)
        if pixels.ndim == 3:
            maximum = 2 ** int(file.get("BitsStored", 8)) - 1
            return (pixels[..., :3] / maximum).astype(np.float32)
        grey = np.asarray(apply_modality_lut(pixels, file), np.float64)
        grey = _windowed(grey, file)
    except Exception as error:  # decoders raise errors of many kinds
        raise ValueError(
            f"{name} is damaged or packed in a way that is not known here: its pixels "
            f"cannot be decoded ({str(error).splitlines()[0]})."
        ) from error
    if not np.isfinite(grey).all():
        raise ValueError(f"{name} holds pixels that are not numbers.")
    if file.get("PhotometricInterpretation") == "MONOCHROME1":
        grey = 1 - grey
    return np.repeat(grey[..., None], 3, -1).astype(np.float32)


def _windowed(grey: np.ndarray, file: Any) -> np.ndarray:
    """Maps measured values to [0, 1] by the file's first window."""
    centre, width = _first(file, "WindowCenter"), _first(file, "WindowWidth")
    if centre is None or width is None or width <= 0:
        darkest, brightest = grey.min(), grey.max()
        return (grey - darkest) / max(brightest - darkest, 1e-12)
    shape = file.get("VOILUTFunction", "LINEAR")
    if shape == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (grey - centre) / width))
    if shape == "LINEAR_EXACT":
        return np.clip((grey - centre) / width + 0.5, 0, 1)
    # The halves are the standard's: a window of width 1 is a step at centre - 0.5.
    return np.clip((grey - (centre - 0.5)) / max(width - 1, 1e-12) + 0.5, 0, 1)


def _first(file: Any, keyword: str) -> float | None:
    given = file.get(keyword)
    if given is None or given == "":
        return None
    return float(given[0] if hasattr(given, "__len__") and len(given) else given)
