"""What a visitor sends: read once, stripped to its pixels, its file deleted at once."""

import importlib.util
import os
import tempfile
import time
from pathlib import Path

from medattn_app.domain.cases import Case
from medattn_app.service.arrivals import PREFIX, Arrivals
from medattn_app.service.decoder import Arrays, Decoder

MAX_UPLOAD_BYTES = 100 * 10**6  # of one file; a host may allow less
UPLOAD_SECONDS = 600  # for which an image is kept while the page is open
ORPHAN_SECONDS = 120  # after which a file that nobody asked about is deleted
MAX_NAME_CHARACTERS = 40
MAX_SENTENCE_CHARACTERS = 300
UNITS = {"b": 1, "kb": 10**3, "mb": 10**6}
arrivals, decoder = Arrivals(), Decoder()


def receive_file(content: bytes, name: str, visitor: str) -> bytes:
    """Decodes a file that has just come.

    What is kept are pixels: no name, location, camera or patient from a file's EXIF,
    XMP or DICOM header.

    Args:
        content: The file's bytes.
        name: What its sender calls it.
        visitor: Who sent it.

    Returns:
        What stands for it, the content of a small file that `read_upload` reads.
    """
    try:
        return arrivals.add(_decode(content, name), visitor)
    except ValueError as error:
        return arrivals.add(str(error), visitor)


def read_upload(path: str | Path, dataset: str = "fundus") -> Case:
    """Reads a visitor's file into a `Case`, and deletes the file, whatever it holds.

    Args:
        path: Where Gradio put it.
        dataset: The data set that the page showed when it came.

    Raises:
        ValueError: In one plain sentence without markup or paths that says what is
            wrong with the file.
    """
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise ValueError("No file came. Expected one image.")
    try:
        content = Path(path).read_bytes()
    except OSError:
        raise ValueError("No file came. Expected one image.") from None
    finally:
        delete_upload(path)
    if content.startswith(PREFIX):
        pixels, picture = arrivals.take(content)
    else:
        pixels, picture = _decode(content, Path(path).name)
    return Case(pixels, picture, dataset=dataset)


def delete_orphans() -> None:
    """Deletes what came and was not asked about: pixels, and files in the folder."""
    arrivals.sweep()
    folder, now = upload_folder(), time.time()
    if "GRADIO_TEMP_DIR" not in os.environ:
        return  # it is not ours alone
    for file in list(folder.rglob("*")):
        try:
            if file.is_file() and now - file.stat().st_mtime > ORPHAN_SECONDS:
                delete_upload(file)
        except OSError:
            pass  # another thread deleted it


def _decode(content: bytes, name: str) -> Arrays:
    try:
        return decoder.decode(content)
    except ValueError as error:
        raise ValueError(harmless_sentence(str(error), "The file", name)) from None


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


def harmless_sentence(sentence: str, called: str, name: str) -> str:
    """Makes a sentence about a file harmless: no markup, no path, not too long.

    Args:
        sentence: About the file.
        called: What the sentence calls it.
        name: What its sender calls it, and the page does.
    """
    short = "".join(
        sign if sign.isalnum() or sign in " ._-" else "_" for sign in name
    ).strip()
    if len(short) > MAX_NAME_CHARACTERS:
        short = f"{short[: MAX_NAME_CHARACTERS - 1]}…"
    if sentence.startswith(called):
        sentence = (short or called) + sentence.removeprefix(called)
    sentence = " ".join(sentence.split())
    for sign, word in (("<", "‹"), (">", "›"), ("&", "+")):
        sentence = sentence.replace(sign, word)
    return sentence[:MAX_SENTENCE_CHARACTERS]


def reads_dicom() -> bool:
    """Whether pydicom is installed."""
    return importlib.util.find_spec("pydicom") is not None
