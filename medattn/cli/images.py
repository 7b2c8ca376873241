"""Finds and reads the images that a command line names."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = (
    ".bmp .dcm .dicom .gif .jpeg .jpg .pgm .png .pnm .ppm .tif .tiff .webp".split()
)


def find_images(given: Sequence[str]) -> list[str]:
    """Lists the images that the command line names, also in folders and patterns."""
    names = []
    for one in given:
        path = Path(one)
        if one.startswith(("fundus:", "skimage:")) or path.is_file():
            names.append(one)
        elif path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES]
            if not inside:
                raise ValueError(
                    f"{path.name} is a folder without images. Expected names that end "
                    f"in one of {', '.join(SUFFIXES)}."
                )
            names.extend(map(str, inside))
        elif any(sign in one for sign in "*?["):
            root = Path(path.anchor) if path.is_absolute() else Path()
            pattern = str(path.relative_to(root))
            inside = sorted(p for p in root.glob(pattern) if p.is_file())
            if not inside:
                raise ValueError(f"There is no file {one!r}.")
            names.extend(map(str, inside))
        else:
            names.append(one)  # reading it raises the error
    if not names:
        raise ValueError(
            "There is nothing to explain. Expected an image file, fundus:17 or "
            "skimage:retina. Received: no name"
        )
    return names


def open_image(name: str) -> "tuple[np.ndarray, np.ndarray | None]":
    """Reads an image that the command line names, and its evidence where known."""
    from medattn.data import draw_images, find_card, read_image

    if name == "skimage:retina":
        import skimage.data

        return skimage.data.retina().astype("float32") / 255, None
    if name.startswith("fundus:"):
        number = name.removeprefix("fundus:")
        last = find_card("fundus").sizes["test"] - 1
        if not number.isdecimal() or int(number) > last:
            raise ValueError(
                f"Unknown image. Expected fundus:0 to fundus:{last}. Received: {name!r}"
            )
        synthetic = draw_images("fundus", [int(number)])
        return synthetic["image"][0].astype("float32") / 255, synthetic["evidence"][0]
    return read_image(name), None
