"""Which image and which network: the controls that two tabs share."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from medattn_app.domain.cells import shortcut_key
from medattn_app.domain.constants import (
    ATTENTION,
    BACKBONES,
    INITIALISATIONS,
    REGIMES,
    SHORTCUTS,
)
from medattn_app.domain.labels import attention_title, case_name
from medattn_app.tabs.common.overlays import uri

HERE = Path(__file__).parent
PLAIN = "random|none"  # the kind of training that the page opens with


@dataclass(frozen=True)
class Chooser:
    """The controls, in the order in which events take them.

    Attributes:
        dataset, backbone, attention, regime: Radios whose values are those of
            `medattn_app.domain.state.Question`.
        kind: How it was trained: start and shortcut, such as `"shapes|none"`.
        place: State, the place of the image in its strip.
        strip: The images as buttons; None where the tab chooses the image itself.
    """

    dataset: object
    backbone: object
    attention: object
    regime: object
    kind: object
    place: object
    strip: object = None

    @property
    def network(self):
        """The five that name a network."""
        return [self.dataset, self.backbone, self.attention, self.regime, self.kind]

    @property
    def inputs(self):
        """The network's five and the place of the image."""
        return [*self.network, self.place]


def build_chooser(context, name, *, images=True):
    """Adds the controls where it is called; they follow Explore's question.

    Args:
        context: The page's `Context`.
        name: Of the tab: begins the controls' ids.
        images: Whether there is a strip of images.

    Returns:
        A `Chooser`.
    """
    import gradio as gr

    service, words = context.service, context.words
    datasets = service.datasets()
    first = datasets[0]
    cells = [cell for dataset in datasets for cell in service.networks(dataset)]
    backbones = [b for b in BACKBONES if any(c.backbone == b for c in cells)]
    blocks = [a for a in ATTENTION if any(c.attention == a for c in cells)]
    regimes = [r for r in REGIMES if any(c.regime == r for c in cells)]
    dataset = gr.Radio(
        [(words(f"dataset.{key}"), key) for key in datasets],
        value=first,
        label=words("chooser.dataset"),
        elem_id=f"ma-{name}-dataset",
        visible=len(datasets) > 1,
    )
    place = gr.State(0)
    strip = None
    if images:
        strip = gr.HTML(
            strip_html(service.cases(first), 0, words),
            js_on_load=(HERE / "places.js").read_text(),
            elem_id=f"ma-{name}-strip",
        )
    backbone = gr.Radio(
        backbones,
        value=backbones[0],
        label=words("chooser.backbone"),
        elem_id=f"ma-{name}-backbone",
        visible=len(backbones) > 1,
    )
    attention = gr.Radio(
        [(attention_title(block, words), block) for block in blocks],
        value=blocks[-1],
        label=words("chooser.attention"),
        elem_id=f"ma-{name}-attention",
    )
    regime = gr.Radio(
        [(REGIMES[r], r) for r in regimes],
        value=regimes[-1],
        label=words("chooser.regime"),
        elem_id=f"ma-{name}-regime",
    )
    kinds = _kinds(service, words)
    kind = gr.Radio(
        kinds,
        value=PLAIN,
        label=words("chooser.kind"),
        elem_id=f"ma-{name}-trained",
        visible=len(kinds) > 1,
    )
    return Chooser(dataset, backbone, attention, regime, kind, place, strip)


def _kinds(service, words):
    """Lists the kinds of training there are networks of, as pairs of title and key."""
    there = {
        kind_of(cell.initialisation, shortcut_key(cell.shortcut))
        for dataset in service.datasets()
        for cell in service.networks(dataset, plain=False)
    }
    found = [(words("chooser.plain"), PLAIN)]
    for start in INITIALISATIONS:
        for shortcut in SHORTCUTS:
            key = kind_of(start, shortcut)
            if key in there and key != PLAIN:
                parts = [] if start == "random" else [words(f"explore.start_{start}")]
                if shortcut != "none":
                    parts.append(words("explore.taught", rho=shortcut))
                found.append((", ".join(parts), key))
    return found


def kind_of(initialisation, shortcut):
    """Names a kind of training by its start and the key of its shortcut."""
    return f"{initialisation}|{shortcut}"


def chosen_cell(service, dataset, backbone, attention, regime, kind=PLAIN):
    """Finds the network; a ValueError says in a sentence what is wrong."""
    if dataset not in service.datasets():
        raise ValueError(
            f"There is no such data set here. Expected one of {service.datasets()}. "
            f"Received: {str(dataset)[:40]!r}"
        )
    for name, value, known in (
        ("backbone", backbone, BACKBONES),
        ("attention", attention, ATTENTION),
        ("regime", regime, REGIMES),
    ):
        if isinstance(value, bool | list | dict) or value not in known:
            raise ValueError(
                f"There is no such {name}. Expected one of {list(known)}. "
                f"Received: {str(value)[:40]!r}"
            )
    start, _, shortcut = str(kind).partition("|")
    if start not in INITIALISATIONS or shortcut not in SHORTCUTS:
        raise ValueError(
            "There is no such kind of training. Expected a start and a shortcut, such "
            f"as {PLAIN!r}. Received: {str(kind)[:40]!r}"
        )
    return service.cell(
        dataset,
        backbone,
        attention,
        float(regime),
        initialisation=start,
        shortcut=SHORTCUTS[shortcut],
    )


def chosen_case(service, dataset, place):
    """Finds the image of the strip; a ValueError says what is wrong."""
    cases = service.cases(dataset)
    if type(place) is not int or not 0 <= place < len(cases):
        raise ValueError(
            f"There is no such image. Expected a place from 0 to {len(cases) - 1}. "
            f"Received: {str(place)[:40]!r}"
        )
    return cases[place]


def strip_html(cases, chosen, words):
    """Draws the images as buttons; `chosen` is a place among them."""
    buttons = "".join(
        f'<button type="button" data-place="{place}" '
        f'aria-pressed="{"true" if place == chosen else "false"}" '
        f'aria-label="{escape(case_name(case, words))}">'
        f'<img src="{uri(case.picture[::4, ::4])}" alt=""></button>'
        for place, case in enumerate(cases)
    )
    return f'<div class="ma-strip">{buttons}</div>'
