"""Reads image files safely: the header first, then the pixels."""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from medattn.data.dicom import is_dicom, read_dicom

if TYPE_CHECKING:
    from PIL import Image

MAXIMUM_PIXELS = 16_000_000  # so that decoding fits into a small machine's memory
MAXIMUM_BYTES = 100_000_000  # 16 million pixels of 16 bits in three channels are 96 MB
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
            broken, animated, or larger than 16 million pixels. The size is checked from
            the header, before anything is decoded.
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

    The same as `fit_image(read_image(source), size)` but for rounding and the borders,
    which fall on whole pixels here, and several times as fast: 8 bits stay 8 bits, and
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
    from PIL import Image, ImageOps, UnidentifiedImageError

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

    with image:
        width, height = image.size
        if width * height > most_pixels:
            raise ValueError(
                f"{name} is too large. Expected at most {most_pixels:,} pixels. "
                f"Received: {width} x {height} = {width * height:,}"
            )
        try:
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                raise ValueError(
                    f"{name} moves or has pages. Expected one still image. "
                    f"Received: {frames} frames"
                )
            if minimum_side and image.format == "JPEG":
                image.draft(None, (minimum_side, minimum_side))  # sides no shorter
            ImageOps.exif_transpose(image, in_place=True)
            return _as_rgb(image, name)
        except (OSError, SyntaxError, TypeError, EOFError, MemoryError) as error:
            raise ValueError(
                f"{name} is damaged: its pixels cannot be decoded ({error})."
            ) from error


def fit_image(image: np.ndarray, size: int) -> np.ndarray:
    """Fits an image into a square, without changing its proportions.

    The shorter side is padded with black, then the square is averaged down (or
    interpolated up) to `size`.

    Args:
        image: `(height, width, 3)`, float32 in [0, 1].
        size: Height and width of the result in pixels.

    Returns:
        `(size, size, 3)`, float32 in [0, 1].
    """
    from PIL import Image

    height, width, _ = image.shape
    if (height, width) == (size, size):
        return image
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side, 3), np.float32)
    square[top : top + height, left : left + width] = image
    planes = [
        np.asarray(
            Image.fromarray(square[..., channel]).resize(
                (size, size), Image.Resampling.BILINEAR
            )
        )
        for channel in range(3)
    ]
    return np.clip(np.stack(planes, -1), 0, 1)


def _as_floats(image: "Image.Image | np.ndarray") -> np.ndarray:
    if isinstance(image, np.ndarray):
        return image
    return np.asarray(image, np.float32) / 255


def _bytes(source: str | Path | bytes) -> tuple[str, bytes]:
    """Returns the name of a source and its content."""
    if isinstance(source, bytes):
        return "The file", source
    path = Path(source)
    if path.is_dir():
        raise ValueError(f"{path.name} is a folder. Expected an image file.")
    try:
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
        grey = np.asarray(image, np.float64)
        if not np.isfinite(grey).all():
            raise ValueError(
                f"{name} holds pixels that are not numbers. Expected finite greys."
            )
        darkest, brightest = grey.min(), grey.max()
        grey = (grey - darkest) / max(brightest - darkest, 1e-12)
        return np.repeat(grey[..., None], 3, -1).astype(np.float32)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        ground = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
        image = Image.alpha_composite(ground, coloured)
    image.load()  # so that damage is found here
    return image if image.mode == "RGB" else image.convert("RGB")
