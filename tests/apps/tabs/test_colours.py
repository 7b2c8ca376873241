"""The page's colours are written once: in Python."""

import re

import pytest

from medattn.figures import colours as figures
from medattn_app.tabs.common.colours import DARK, LIGHT, colour_properties
from medattn_app.tabs.common.scripts import APP

FILES = sorted([*APP.rglob("*.js"), *APP.rglob("*.css")])
HEX = re.compile(r"#([0-9a-fA-F]{6})\b")
NUMBERS = re.compile(r"(?:rgba?\(|\[)\s*(\d{1,3})[,\s]+(\d{1,3})[,\s]+(\d{1,3})\b")
PROPERTY = re.compile(r"--colour-([a-z0-9-]+)")


def colours_in(text):
    """The colours that a text writes in numbers, as triples."""
    found = {tuple(bytes.fromhex(digits)) for digits in HEX.findall(text)}
    return found | {tuple(map(int, three)) for three in NUMBERS.findall(text)}


def test_colours_are_read_in_every_notation():
    text = "#D55E00; rgb(0 114 178); rgba(240, 228, 66, 1); data.set([86, 180, 233, 1])"
    expected = {(213, 94, 0), (0, 114, 178), (240, 228, 66), (86, 180, 233)}
    assert colours_in(text) == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APP)))
def test_no_style_and_no_script_writes_a_colour_of_the_maps_or_charts(path):
    charts = {
        tuple(bytes.fromhex(code[1:])) for code in figures.GATE_COLOURS.values()
    } - {(0, 0, 0)}
    known = charts | {*LIGHT.values(), *DARK.values()}
    assert colours_in(path.read_text("utf-8")) & known == set()


def test_every_colour_of_the_figures_is_handed_to_the_page():
    assert {figures.FOR, figures.AGAINST, figures.OUTLINE} <= set(LIGHT.values())
    assert set(DARK) <= set(LIGHT)
    assert "--colour-map-for: 213 94 0;" in colour_properties()


def test_every_colour_that_a_style_or_script_asks_for_exists_and_is_used():
    written = "\n".join(path.read_text("utf-8") for path in FILES)
    asked = set(PROPERTY.findall(written))
    asked |= set(re.findall(r'readColour\("([a-z0-9-]+)"\)', written))
    assert asked - {""} == set(LIGHT)
