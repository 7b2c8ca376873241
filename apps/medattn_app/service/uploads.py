"""What a visitor sends: read once, stripped to its pixels, its file deleted at once."""

import importlib.util
import os
import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np

from medattn_app.domain.cases import LARGE, SIZE, Case

MAX_UPLOAD_BYTES = 100 * 10**6  # of one file; a host may allow less
MAX_UPLOADED_IMAGES = 64  # that are kept in memory
UPLOAD_SECONDS = 3600  # for which one is kept
MAX_NAME_CHARACTERS = 40
MAX_SENTENCE_CHARACTERS = 300
UNITS = {"b": 1, "kb": 10**3, "mb": 10**6}


class UploadedCases:
    """The images that visitors sent, in memory for an hour, each under a secret key."""

    def __init__(self) -> None:
        self._cases: OrderedDict[str, tuple[Case, float]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, case: Case) -> str:
        """Keeps a visitor's image; returns the key that only its sender gets."""
        key, now = secrets.token_urlsafe(16), time.monotonic()
        with self._lock:
            self._cases[key] = case, now
            for old, (_, since) in list(self._cases.items()):
                expired = now - since > UPLOAD_SECONDS
                if expired or len(self._cases) > MAX_UPLOADED_IMAGES:
                    del self._cases[old]
        return key

    def find(self, key: object) -> Case | None:
        """Returns the image of a key; None if it is unknown or expired."""
        with self._lock:
            found = self._cases.get(key) if isinstance(key, str) else None
        if found is None or time.monotonic() - found[1] > UPLOAD_SECONDS:
            return None
        return found[0]


def read_upload(path: str | Path, dataset: str = "fundus") -> Case:
    """Reads a visitor's file into a `Case`, and deletes the file.

    Args:
        path: Where Gradio put it.
        dataset: The data set that the page showed when it came.

    Raises:
        ValueError: In one plain sentence that says what is wrong with the file.
    """
    from medattn.data import fit_image

    image = read_and_delete(path)
    side = min(LARGE, max(image.shape[:2]))
    return Case(fit_image(image, SIZE), fit_image(image, side), dataset=dataset)


def read_and_delete(path: str | Path) -> np.ndarray:
    """Reads a file that a visitor sent, and deletes it, whatever it holds.

    What is kept are pixels: no name, location, camera or patient from a file's EXIF,
    XMP or DICOM header.

    Args:
        path: Where Gradio put it.

    Returns:
        `(height, width, 3)`, float32 in [0, 1].

    Raises:
        ValueError: In one plain sentence without markup or paths.
    """
    from medattn.data import read_image

    if not isinstance(path, str | os.PathLike) or not str(path):
        raise ValueError("No file came. Expected one image.")
    try:
        return read_image(path)
    except ValueError as error:
        raise ValueError(harmless_sentence(str(error), Path(path).name)) from None
    finally:
        delete_upload(path)


def delete_upload(path: str | Path) -> None:
    """Deletes a visitor's file, and nothing outside the folder of uploads."""
    file = Path(path).resolve()
    if file.is_file() and file.is_relative_to(upload_folder()):
        file.unlink(missing_ok=True)
        try:
            file.parent.rmdir()  # Gradio makes a folder for each content
        except OSError:
            pass


def received_file(file: object) -> Path:
    """Finds a file that a visitor of an endpoint sent before.

    Args:
        file: A dict with its `path`, as `gradio_client.handle_file` becomes one.

    Returns:
        The path, which lies in the folder of uploads, and nowhere else.

    Raises:
        ValueError: If it is no such file.
    """
    path = file.get("path") if isinstance(file, dict) else None
    if isinstance(path, str) and path and "\0" not in path:
        resolved = Path(path).resolve()
        if resolved.is_relative_to(upload_folder()) and resolved.is_file():
            return resolved
    raise ValueError(
        "No file came. Expected one image, such as "
        'gradio_client.handle_file("eye.png").'
    )


def delete_received(file: object) -> None:
    """Deletes a file that came with a question that cannot be answered.

    Args:
        file: As in `received_file`; nothing happens if it is no such file.
    """
    try:
        delete_upload(received_file(file))
    except ValueError:
        pass


def upload_folder() -> Path:
    """The folder to which Gradio brings what visitors send."""
    usual = Path(tempfile.gettempdir()) / "gradio"
    return Path(os.environ.get("GRADIO_TEMP_DIR") or usual).resolve()


def read_size(text: str) -> int:
    """Reads the size of a file, such as `"20mb"`, in bytes.

    Raises:
        ValueError: If Gradio cannot read it, or it is above `MAX_UPLOAD_BYTES`.
    """
    size = str(text).strip().lower()
    number = size.rstrip("bkm ")
    unit = size[len(number) :].strip()
    if number.isdecimal() and unit in UNITS:
        if 0 < int(number) * UNITS[unit] <= MAX_UPLOAD_BYTES:
            return int(number) * UNITS[unit]
    raise ValueError(
        f"There is no such size of a file. Expected 1b to {MAX_UPLOAD_BYTES // 10**6}"
        f"mb, such as 20mb. Received: max_upload={str(text)[:40]!r}"
    )


def harmless_sentence(sentence: str, name: str) -> str:
    """Makes a sentence about a file harmless: no markup, no path, not too long."""
    short = "".join(
        sign if sign.isalnum() or sign in " ._-" else "_" for sign in name
    ).strip()
    if len(short) > MAX_NAME_CHARACTERS:
        short = f"{short[: MAX_NAME_CHARACTERS - 1]}…"
    sentence = sentence.replace(name, short or "The file")
    sentence = " ".join(sentence.split())
    for sign, word in (("<", "‹"), (">", "›"), ("&", "+")):
        sentence = sentence.replace(sign, word)
    return sentence[:MAX_SENTENCE_CHARACTERS]


def reads_dicom() -> bool:
    """Whether pydicom is installed."""
    return importlib.util.find_spec("pydicom") is not None
