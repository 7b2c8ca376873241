"""Reads image files safely: the header first, then the pixels."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from medattn.data.dicom import is_dicom, read_dicom
from medattn.data.limits import MAXIMUM_BYTES, MAXIMUM_PIXELS, check_size

if TYPE_CHECKING:
    from PIL import Image

ROWS = 256  # that are converted at once: a second copy of a large image is not made
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
Fit = Literal["pad", "stretch"]


def read_image(
    source: str | Path | bytes, *, most_pixels: int = MAXIMUM_PIXELS
) -> np.ndarray:
    """Reads one still image as RGB.

    The image is rotated by its EXIF tag; CMYK is converted; transparency is laid on
    black, like the border of a medical photograph; greys of 16 or 32 bits are stretched
    from their darkest to their brightest pixel, since the file does not give their
    range. DICOM files, with the extra `dicom`, are windowed by their own window.

    Args:
        source: Path of the file, or its bytes.
        most_pixels: Largest image that is decoded.

    Returns:
        `(height, width, 3)`, float32 in [0, 1].

    Raises:
        ValueError: In one plain sentence, if the file is missing, empty, no image,
            broken, animated, or larger than 16 million pixels or 16,384 on a side. The
            size is checked from the header, before anything is decoded.
    """
    return _as_floats(_open(source, most_pixels))


def read_square(
    source: str | Path | bytes,
    size: int,
    *,
    fit: Fit = "pad",
    most_pixels: int = MAXIMUM_PIXELS,
) -> np.ndarray:
    """Reads one still image into a square of 8 bits, the form of data sets.

    The same as `fit_image(read_image(source), size)` but for rounding, and several
    times as fast: 8 bits stay 8 bits, and
    a JPEG of more than four times the size is decoded at a half, a quarter or an
    eighth, never below twice the size.

    Args:
        source: Path of the file, or its bytes.
        size: Height and width of the result in pixels.
        fit: `"pad"` keeps proportions on black, `"stretch"` does not.
        most_pixels: Largest image that is decoded.

    Returns:
        `(size, size, 3)`, uint8.

    Raises:
        ValueError: As `read_image`.
    """
    from PIL import Image

    image = _open(source, most_pixels, minimum_side=2 * size)
    if isinstance(image, np.ndarray):
        if fit == "pad":
            return np.rint(255 * fit_image(image, size)).astype(np.uint8)
        image = Image.fromarray(np.rint(255 * image).astype(np.uint8))
    side = max(image.size)
    inner = (size, size)
    if fit == "pad":
        width, height = (max(1, round(n * size / side)) for n in image.size)
        inner = (width, height)
    if image.size != inner:
        image = image.resize(inner, Image.Resampling.BILINEAR)
    if inner != (size, size):
        square = Image.new("RGB", (size, size))
        square.paste(image, ((size - inner[0]) // 2, (size - inner[1]) // 2))
        image = square
    return np.asarray(image)


def _open(
    source: str | Path | bytes, most_pixels: int, minimum_side: int | None = None
) -> "Image.Image | np.ndarray":
    """Returns an RGB image of 8 bits as Pillow's, any other as a float array."""
    from PIL import Image, UnidentifiedImageError

    name, content = _bytes(source)
    if not content:
        raise ValueError(f"{name} is empty: 0 bytes. Expected an image file.")
    if is_dicom(content):
        return read_dicom(content, name, MAXIMUM_PIXELS)
    try:
        with warnings.catch_warnings():
            # Pillow warns of sizes that are refused below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(
            f"{name} is not an image that can be read. Expected one of "
            f"{', '.join(FORMATS)}."
        ) from None
    except Image.DecompressionBombError:
        raise ValueError(
            f"{name} is too large. Expected at most {MAXIMUM_PIXELS:,} pixels."
        ) from None
    except (OSError, ValueError, SyntaxError, TypeError, EOFError) as error:
        raise ValueError(f"{name} has a broken header ({error}).") from error
    del content  # up to 100 MB that the decoded image need not lie beside

    with image:
        check_size(name, *image.size, most_pixels=most_pixels)
        frames = _decode(image, name, minimum_side)
        if frames > 1:
            raise ValueError(
                f"{name} moves or has pages. Expected one still image. "
                f"Received: {frames} frames"
            )
    with _damage_in_a_sentence(name):
        return _as_rgb(image, name)


def _decode(image: "Image.Image", name: str, minimum_side: int | None) -> int:
    """Decodes a still image in place, upright; returns its number of frames."""
    from PIL import ImageOps

    with _damage_in_a_sentence(name):
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            return frames
        if minimum_side and image.format == "JPEG":
            image.draft(None, (minimum_side, minimum_side))  # sides no shorter
        ImageOps.exif_transpose(image, in_place=True)
        image.load()  # so that damage is found here
    return frames


@contextmanager
def _damage_in_a_sentence(name: str) -> Iterator[None]:
    """Names the file where a decoder raises one of its many errors."""
    try:
        yield
    except (
        *(OSError, SyntaxError, TypeError, EOFError, MemoryError, ValueError),
        *(IndexError, KeyError, OverflowError, AttributeError, struct.error),
    ) as error:
        if isinstance(error, ValueError) and str(error).startswith(name):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{name} is damaged: its pixels cannot be decoded ({reason})."
        ) from error


def fit_image(image: np.ndarray, size: int) -> np.ndarray:
    """Fits an image into a square, without changing its proportions.

    It is averaged down (or interpolated up) until its longer side is `size`, then the
    shorter side is padded with black.

    Args:
        image: `(height, width, 3)`, float32 in [0, 1].
        size: Height and width of the result in pixels.

    Returns:
        `(size, size, 3)`, float32 in [0, 1].
    """
    height, width, channels = image.shape
    if (height, width) == (size, size):
        return image
    side = max(height, width)
    rows, columns = (max(1, round(n * size / side)) for n in (height, width))
    square = np.zeros((size, size, channels), np.float32)
    top, left = (size - rows) // 2, (size - columns) // 2
    for channel in range(channels):
        # Row by row and then column by column is what Pillow does itself, to the bit;
        # done here, no full copy of the image lies beside it.
        narrow = np.concatenate(
            [
                _resized(image[start : start + ROWS, :, channel], None, columns)
                for start in range(0, height, ROWS)
            ]
        )
        square[top : top + rows, left : left + columns, channel] = _resized(
            narrow, rows, columns
        )
    return np.clip(square, 0, 1)


def _resized(plane: np.ndarray, rows: int | None, columns: int) -> np.ndarray:
    """Resizes one channel; its rows stay as they are if `rows` is None."""
    from PIL import Image

    shown = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    size = columns, rows or plane.shape[0]
    return np.asarray(shown.resize(size, Image.Resampling.BILINEAR))


def _as_floats(image: "Image.Image | np.ndarray") -> np.ndarray:
    if isinstance(image, np.ndarray):
        return image
    floats = np.empty((image.height, image.width, 3), np.float32)
    for start, strip in _strips(image):
        np.divide(np.asarray(strip), np.float32(255), out=floats[start : start + ROWS])
    return floats


def _strips(image: "Image.Image") -> "Iterator[tuple[int, Image.Image]]":
    """Yields a decoded image in strips of rows, each with the number of its first."""
    for start in range(0, image.height, ROWS):
        end = min(start + ROWS, image.height)
        yield start, image.crop((0, start, image.width, end))


def _bytes(source: str | Path | bytes) -> tuple[str, bytes]:
    """Returns the name of a source and its content."""
    if isinstance(source, bytes):
        return "The file", source
    path = Path(source)
    if path.is_dir():
        raise ValueError(f"{path.name} is a folder. Expected an image file.")
    try:
        if path.exists() and not path.is_file():  # a pipe or a device never ends
            raise ValueError(f"{path.name} is no ordinary file. Expected an image.")
        if path.stat().st_size > MAXIMUM_BYTES:
            raise ValueError(
                f"{path.name} is too large. Expected at most {MAXIMUM_BYTES:,} bytes. "
                f"Received: {path.stat().st_size:,}"
            )
        return path.name, path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"There is no file {str(source)!r}.") from None
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read ({error.strerror}).") from error


def _as_rgb(image: "Image.Image", name: str) -> "Image.Image | np.ndarray":
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _stretched(image, name)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        laid = Image.new("RGB", image.size)
        for start, strip in _strips(image):
            strip.info = image.info  # the transparent colour
            coloured = strip.convert("RGBA")
            ground = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
            laid.paste(Image.alpha_composite(ground, coloured), (0, start))
        return laid
    return image if image.mode == "RGB" else image.convert("RGB")


def _stretched(image: "Image.Image", name: str) -> np.ndarray:
    """Stretches greys from the darkest to the brightest."""
    darkest, brightest = np.inf, -np.inf
    for _, strip in _strips(image):
        values = np.asarray(strip)
        if not np.isfinite(values).all():
            raise ValueError(
                f"{name} holds pixels that are not numbers. Expected finite greys."
            )
        darkest = min(darkest, float(values.min()))
        brightest = max(brightest, float(values.max()))
    grey = np.empty((image.height, image.width, 3), np.float32)
    for start, strip in _strips(image):
        values = np.asarray(strip).astype(np.float64) - darkest
        values /= max(brightest - darkest, 1e-12)
        grey[start : start + ROWS] = values[..., None]
    return grey
