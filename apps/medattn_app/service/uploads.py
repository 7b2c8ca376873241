"""What a visitor sends: read once, stripped to its pixels, deleted at once."""

import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from medattn.data import find_domain, read_image
from medattn_app.domain.cases import SIZE, kept_with_case
from medattn_app.domain.state import DATASETS

LONGEST_NAME = 40
NAMED = 300  # letters of a sentence about a file


def take(path):
    """Reads a file that a visitor sent, and deletes it, whatever it holds.

    What is kept are pixels: no name, place, camera or patient that a file's EXIF, XMP
    or DICOM header may tell of.

    Args:
        path: Where Gradio put it.

    Returns:
        `(height, width, 3)`, float32 in [0, 1].

    Raises:
        ValueError: In one plain sentence without markup or paths.
    """
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise ValueError("No file came. Expected one image.")
    try:
        return read_image(path)
    except ValueError as error:
        raise ValueError(plain(str(error), Path(path).name)) from None
    finally:
        forget(path)


def forget(path):
    """Deletes a visitor's file, and nothing outside the folder that files come to."""
    place = Path(path).resolve()
    if place.is_file() and place.is_relative_to(folder()):
        place.unlink(missing_ok=True)
        try:
            place.parent.rmdir()  # Gradio makes a folder for each content
        except OSError:
            pass


def received(file):
    """Finds a file that a visitor of an endpoint sent before.

    Args:
        file: A dict with its `path`, as `gradio_client.handle_file` becomes one.

    Returns:
        The path, which lies in the folder that files come to, and nowhere else.

    Raises:
        ValueError: If it is no such file.
    """
    path = file.get("path") if isinstance(file, dict) else None
    if isinstance(path, str) and path and "\0" not in path:
        place = Path(path).resolve()
        if place.is_relative_to(folder()) and place.is_file():
            return place
    raise ValueError(
        "No file came. Expected one image, such as "
        'gradio_client.handle_file("eye.png").'
    )


def refuse(file):
    """Deletes a file that came with a question that is none.

    Args:
        file: As in `received`; nothing happens if it is no such file.
    """
    try:
        forget(received(file))
    except ValueError:
        pass


def leave_no_trace(button):
    """Lets a button hand over the path of the file that came, and make no other.

    Gradio's own `gr.UploadButton` also makes an empty file for each that it hands over,
    only for its name, and never deletes it.

    Args:
        button: A `gr.UploadButton` for a single file.

    Returns:
        The button.
    """
    button.preprocess = lambda payload: getattr(payload, "path", None)
    return button


def folder():
    """The folder to which Gradio brings what visitors send."""
    usual = Path(tempfile.gettempdir()) / "gradio"
    return Path(os.environ.get("GRADIO_TEMP_DIR") or usual).resolve()


def plain(sentence, name):
    """Makes a sentence about a file harmless: no markup, no path, not too long."""
    short = "".join(
        sign if sign.isalnum() or sign in " ._-" else "_" for sign in name
    ).strip()
    if len(short) > LONGEST_NAME:
        short = f"{short[: LONGEST_NAME - 1]}…"
    sentence = sentence.replace(name, short or "The file")
    sentence = " ".join(sentence.split())
    for sign, word in (("<", "‹"), (">", "›"), ("&", "+")):
        sentence = sentence.replace(sign, word)
    return sentence[:NAMED]


def reads_dicom():
    """Whether pydicom is installed."""
    return importlib.util.find_spec("pydicom") is not None


@dataclass(frozen=True)
class Distance:
    """How far an image lies from what a network has seen.

    Attributes:
        kind: The data set.
        distance: See `medattn.data.domain_distance.Domain`.
        limit: The largest distance of drawings that were held out.
    """

    kind: str
    distance: float
    limit: float

    @property
    def outside(self):
        """Whether the image looks like nothing the network has seen."""
        return self.distance > self.limit


@kept_with_case
def measure(case, dataset):
    """Measures how far an image lies from a data set's drawings.

    Args:
        case: A `Case`.
        dataset: A drawn data set; of any other, nothing is known.

    Returns:
        A `Distance`, or None.
    """
    if dataset not in DATASETS:
        return None
    domain = find_domain(dataset, size=SIZE)
    return Distance(dataset, float(domain.distance(case.pixels[None])[0]), domain.limit)


def domain_note(case, dataset, words):
    """Says, for a visitor's image, whether it is like what the network has seen.

    Args:
        case: A `Case`.
        dataset: What the network was trained on.
        words: The page's `Words`.

    Returns:
        `(outside, sentence)`, plain text.
    """
    found = measure(case, dataset)
    if found is None:
        return False, words("own.unknown")
    values = dict(distance=f"{found.distance:.1f}", limit=f"{found.limit:.1f}")
    if found.outside:
        return True, words("own.outside", kind=words(f"own.kind.{dataset}"), **values)
    return False, words("own.inside", **values)
