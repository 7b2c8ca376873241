"""The colours of maps, regions and charts, for Python, the style and the scripts.

The style reads one as `rgb(var(--colour-map-for))`, a script by `readColour("map-for")`
of `colours.js`; neither writes its numbers again.
"""

from medattn.figures import AGAINST, FOR, OUTLINE, ZERO, Colour

LEARNER: Colour = (86, 180, 233)  # Okabe and Ito's sky blue: the learner's own region
MARK: Colour = (64, 224, 170)  # a planted mark: seen on black; the evidence is yellow
BAR_ZERO: Colour = tuple(round(255 * level) for level in ZERO)  # type: ignore[assignment]
# By name. Of a chart's lines, colour, dash and marker each distinguish them alone.
LIGHT: dict[str, Colour] = {
    "map-for": FOR,
    "map-against": AGAINST,
    "map-zero": BAR_ZERO,
    "map-outline": OUTLINE,
    "region-learner": LEARNER,
    "contour-for": (255, 122, 30),
    "contour-against": (64, 170, 235),
    "for": FOR,
    "against": AGAINST,
    "line-0": FOR,
    "line-1": AGAINST,
    "line-2": (0, 122, 90),
    "line-3": (168, 80, 138),
    "line-4": (122, 106, 0),
    "line-5": (77, 77, 77),
}
# What differs on a dark page.
DARK: dict[str, Colour] = {
    "for": (233, 114, 20),
    "against": (64, 156, 214),
    "line-0": (255, 138, 61),
    "line-1": LEARNER,
    "line-2": (46, 199, 155),
    "line-3": (227, 154, 196),
    "line-4": (229, 208, 58),
    "line-5": (201, 201, 201),
}


def colour_properties() -> str:
    """Writes the colours as custom properties of the page's style."""
    return "\n".join(
        f"{selector} {{ {_properties(colours)} }}"
        for selector, colours in ((":root", LIGHT), (".dark", DARK))
    )


def _properties(colours: dict[str, Colour]) -> str:
    return " ".join(
        f"--colour-{name}: {red} {green} {blue};"
        for name, (red, green, blue) in colours.items()
    )
