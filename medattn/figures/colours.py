"""The colours of maps, charts and the app's page: the only file that defines them.

They are Okabe and Ito's, which colour-blind readers can distinguish.
"""

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255

BLACK: Colour = (0, 0, 0)
BLUE: Colour = (0, 114, 178)
GREEN: Colour = (0, 158, 115)
VERMILION: Colour = (213, 94, 0)
YELLOW: Colour = (240, 228, 66)

# Maps. In grey print the sign is given by its position on the bar.
FOR = VERMILION  # relevance that speaks for the class
AGAINST = BLUE
OUTLINE = YELLOW  # far from both ends of the scale
ZERO = (0.72, 0.72, 0.72)  # the middle of the colour bar, in [0, 1]


def hex_colour(colour: Colour) -> str:
    """Writes a colour as in CSS, such as `"#D55E00"`."""
    red, green, blue = colour
    return f"#{red:02X}{green:02X}{blue:02X}"


# Charts: one colour a gate, and greys for everything that is no measurement.
GATE_COLOURS = {
    "none": hex_colour(BLACK),
    "se": hex_colour(BLUE),
    "cbam": hex_colour(VERMILION),
    "deit": hex_colour(GREEN),
}
TRAINING, VALIDATION = hex_colour(BLACK), hex_colour(VERMILION)
MAIN, DETAIL = hex_colour(BLACK), hex_colour(BLUE)  # differences in a forest plot
REFERENCE = "#777777"  # lines to compare with
GRID = "#eeeeee"
NOTE = "#444444"
PAPER = "#fbfaf7"  # the page's background
NEGLIGIBLE = "#e9e4d4"  # the region of differences that are practically none
