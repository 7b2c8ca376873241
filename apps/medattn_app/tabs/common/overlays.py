"""Pictures for the page: layers over one another, each with a description."""

import base64
from html import escape

import numpy as np

from medattn.figures import (
    OUTLINE,
    Colour,
    colour_scale,
    grey,
    outline_rgba,
    png_bytes,
    relevance_rgba,
)
from medattn_app.domain.cases import Case, cached_per_case

Picture = np.ndarray | str  # pixels, or the address of a PNG
Layer = tuple[str, Picture]  # its name, and an RGBA picture


def png_uri(pixels: np.ndarray) -> str:
    """Writes an array as the address of a PNG that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()


def pile(ground: Picture, *layers: Layer, alt: str, kind: str = "") -> str:
    """Lays pictures over one another.

    Args:
        ground: The lowest, `(height, width, 3)`, or its address.
        *layers: `(name, pixels)` each, RGBA or an address; the name becomes its class,
            `ma-<name>`.
        alt: All of it in a sentence.
        kind: A further class of the element.

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


def map_layer(relevance: np.ndarray, scale: float | None = None) -> Layer:
    """Colours a map for `pile`; its own scale unless one is given."""
    scale = colour_scale(relevance) if scale is None else scale
    return "heat", relevance_rgba(relevance, scale)


def outline_layer(
    mask: np.ndarray, name: str = "evidence", colour: Colour = OUTLINE
) -> Layer:
    """Outlines a region for `pile`; in the evidence's colour unless one is given."""
    return name, outline_rgba(mask, colour=colour)


def evidence_layers(case: Case) -> list[Layer]:
    """Outlines a case's evidence for `pile`; empty without evidence."""
    return [("evidence", _evidence_uri(case))] if case.has_evidence else []


def _address(picture: Picture) -> str:
    return picture if isinstance(picture, str) else png_uri(picture)


# A case's own pictures are encoded once, whatever is laid over them.
@cached_per_case
def photo(case: Case) -> str:
    """Gives the address of a case's picture."""
    return png_uri(case.picture)


@cached_per_case
def grey_photo(case: Case) -> str:
    """Gives the address of a case's picture in pale grey: colour belongs to the map."""
    return png_uri(grey(case.picture))


@cached_per_case
def thumbnail(case: Case) -> str:
    """Gives the address of a case's picture at a quarter of its height and width."""
    return png_uri(case.picture[::4, ::4])


@cached_per_case
def _evidence_uri(case: Case) -> str:
    assert case.evidence is not None
    return png_uri(outline_rgba(case.evidence))
