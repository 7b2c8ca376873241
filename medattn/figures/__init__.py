"""Figures from arrays: maps, charts and their colours."""

from medattn.figures.colours import AGAINST, FOR, OUTLINE, ZERO, Colour
from medattn.figures.maps import (
    PERCENTILE,
    colour_scale,
    contact_sheet,
    explanation_figure,
    explanation_grid,
    grey,
    outline_rgba,
    pixel_relevance,
    png_bytes,
    relevance_rgba,
)

__all__ = [
    "AGAINST",
    "FOR",
    "OUTLINE",
    "PERCENTILE",
    "ZERO",
    "Colour",
    "colour_scale",
    "contact_sheet",
    "explanation_figure",
    "explanation_grid",
    "grey",
    "outline_rgba",
    "pixel_relevance",
    "png_bytes",
    "relevance_rgba",
]
