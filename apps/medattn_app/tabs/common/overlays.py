"""Pictures for the page: layers over one another, each told in words."""

import base64
from functools import lru_cache
from html import escape

import numpy as np

from medattn.figures import colour_scale, grey, outline_rgba, png_bytes, relevance_rgba

YOURS = (86, 180, 233)  # Okabe and Ito's sky blue: the learner's own region
MAPS = (213, 94, 0)  # the region that a map names


def uri(pixels):
    """Writes an array as the address of a PNG that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()


def pile(ground, *layers, alt, kind=""):
    """Lays pictures over one another.

    Args:
        ground: The lowest, `(height, width, 3)`, or its address.
        *layers: `(name, pixels)` each, RGBA or an address; the name becomes its class,
            `ma-<name>`.
        alt: All of it in a sentence.
        kind: A further class of the whole.

    Returns:
        HTML, `alt` escaped.
    """
    above = "".join(
        f'<img class="ma-{name}" src="{_address(pixels)}" alt="">'
        for name, pixels in layers
    )
    return (
        f'<div class="ma-pile {kind}" role="img" aria-label="{escape(alt)}">'
        f'<img src="{_address(ground)}" alt="">{above}</div>'
    )


def map_layer(relevance, scale=None):
    """Colours a map for `pile`; its own scale unless one is given."""
    scale = colour_scale(relevance) if scale is None else scale
    return "heat", relevance_rgba(relevance, scale)


def outline_layer(mask, name="evidence", colour=None):
    """Outlines a region for `pile`."""
    options = {} if colour is None else {"colour": colour}
    return name, outline_rgba(mask, **options)


def _address(picture):
    return picture if isinstance(picture, str) else uri(picture)


# A case's own pictures are encoded once, whatever is laid over them.
@lru_cache(maxsize=128)
def photo(case):
    """Gives the address of a case's picture."""
    return uri(case.picture)


@lru_cache(maxsize=128)
def pale_photo(case):
    """Gives the address of a case's picture in pale grey."""
    return uri(grey(case.picture))


@lru_cache(maxsize=128)
def evidence_layer(case):
    """Outlines a case's evidence for `pile`."""
    return "evidence", uri(outline_rgba(case.evidence))


def pale(picture):
    """Turns an image grey, so that colour belongs to the map."""
    return grey(picture)


def where(relevance, words):
    """Says in a few words where a map has most of its relevance."""
    size = np.abs(np.asarray(relevance, float))
    height, width = (length // 2 for length in size.shape)
    quarters = {
        "00": size[:height, :width].sum(),
        "01": size[:height, width:].sum(),
        "10": size[height:, :width].sum(),
        "11": size[height:, width:].sum(),
    }
    total = sum(quarters.values())
    if not total:
        return words("where.none")
    place = max(quarters, key=quarters.get)
    return words(
        "where.most",
        share=f"{quarters[place] / total:.0%}",
        quarter=words(f"explore.quarter_{place}"),
    )


def number_signed(value):
    """Writes a number with its sign and two places."""
    return f"{value:+.2f}".replace("-", "−")
