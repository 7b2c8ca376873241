"""The controls by which several tabs choose an image and a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from medattn_app.domain.cases import Case
from medattn_app.domain.cells import shortcut_key
from medattn_app.domain.constants import (
    ATTENTION,
    BACKBONES,
    INITIALISATIONS,
    REGIMES,
    SHORTCUTS,
)
from medattn_app.domain.labels import attention_title, case_name
from medattn_app.domain.state import read_question
from medattn_app.domain.texts import Words
from medattn_app.service.context import Context
from medattn_app.service.networks import NetworkService
from medattn_app.tabs.common.overlays import png_uri
from medattn_app.tabs.common.scripts import compose_script
from medattn_app.tabs.common.selection import PLAIN, kind_key

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Chooser:
    """The controls, in the order in which events take them.

    Attributes:
        dataset, backbone, attention, regime: Radios whose values are those of
            `medattn_app.domain.state.Question`.
        kind: How the network was trained, as of `selection.kind_key`.
        image: State, the index of the image in its strip.
        strip: The images as buttons; None where the tab chooses the image itself.
    """

    dataset: Any
    backbone: Any
    attention: Any
    regime: Any
    kind: Any
    image: Any
    strip: Any = None

    @property
    def network(self) -> list[Any]:
        """The five that name a network."""
        return [self.dataset, self.backbone, self.attention, self.regime, self.kind]

    @property
    def inputs(self) -> list[Any]:
        """The network's five and the index of the image."""
        return [*self.network, self.image]


def build_chooser(context: Context, name: str, *, images: bool = True) -> Chooser:
    """Adds the controls where it is called.

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
    cells = [cell for dataset in datasets for cell in service.networks(dataset)]
    backbones = [b for b in BACKBONES if any(c.backbone == b for c in cells)]
    blocks = [a for a in ATTENTION if any(c.attention == a for c in cells)]
    regimes = [r for r in REGIMES if any(c.regime == r for c in cells)]
    kinds = _kinds(service, words)

    def radio(key: str, choices: list, value: object, **options: Any) -> gr.Radio:
        options.setdefault("elem_id", f"ma-{name}-{key}")
        label = words(f"chooser.{key}")
        return gr.Radio(choices, value=value, label=label, **options)

    titles = [(words(f"dataset.{key}"), key) for key in datasets]
    several = len(datasets) > 1
    dataset = radio("dataset", titles, datasets[0], visible=several)
    image, strip = gr.State(0), None
    if images:
        strip = gr.HTML(
            strip_html(service.cases(datasets[0]), 0, words),
            js_on_load=compose_script(HERE / "strip.js"),
            elem_id=f"ma-{name}-strip",
        )
    several = len(backbones) > 1
    backbone = radio("backbone", backbones, backbones[0], visible=several)
    titles = [(attention_title(block, words), block) for block in blocks]
    attention = radio("attention", titles, blocks[-1])
    titles_of_regimes = [(REGIMES[regime], regime) for regime in regimes]
    regime = radio("regime", titles_of_regimes, regimes[-1])
    several, element = len(kinds) > 1, f"ma-{name}-trained"
    kind = radio("kind", kinds, PLAIN, visible=several, elem_id=element)
    return Chooser(dataset, backbone, attention, regime, kind, image, strip)


def follow_question(context: Context, chooser: Chooser) -> None:
    """Makes the controls follow the question that is asked in Explore.

    Args:
        context: The page's `Context`, with its `"question"`.
        chooser: The controls.
    """
    import gradio as gr

    question = context.shared.get("question")
    if question is None:
        return
    service, words = context.service, context.words
    outputs = [*chooser.inputs] + ([chooser.strip] if chooser.strip else [])

    def follow(question: dict[str, Any] | None) -> list[Any]:
        asked = read_question(question or {})
        if asked.dataset not in service.datasets():
            return [gr.skip()] * len(outputs)
        cases = service.cases(asked.dataset)
        index = asked.image if asked.image < len(cases) else 0
        attention = asked.attention if asked.attention in ATTENTION else "none"
        kind = kind_key(asked.initialisation, asked.shortcut)
        found = [asked.dataset, asked.backbone, attention, asked.regime, kind, index]
        if chooser.strip is not None:
            found.append(strip_html(cases, index, words))
        return found

    question.change(
        follow,
        question,
        outputs,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def strip_html(cases: Sequence[Case], chosen: int, words: Words) -> str:
    """Writes the images as buttons; `chosen` is an index among them."""
    buttons = "".join(
        f'<button type="button" data-index="{index}" '
        f'aria-pressed="{"true" if index == chosen else "false"}" '
        f'aria-label="{escape(case_name(case, words))}">'
        f'<img src="{png_uri(case.picture[::4, ::4])}" alt=""></button>'
        for index, case in enumerate(cases)
    )
    return f'<div class="ma-strip">{buttons}</div>'


def _kinds(service: NetworkService, words: Words) -> list[tuple[str, str]]:
    """Lists the kinds of training that networks had, as pairs of title and key."""
    shipped = {
        kind_key(cell.initialisation, shortcut_key(cell.shortcut))
        for dataset in service.datasets()
        for cell in service.networks(dataset, plain=False)
    }
    kinds = [(words("chooser.plain"), PLAIN)]
    for initialisation in INITIALISATIONS:
        for shortcut in SHORTCUTS:
            key = kind_key(initialisation, shortcut)
            if key not in shipped or key == PLAIN:
                continue
            parts = []
            if initialisation != "random":
                parts.append(words(f"explore.start_{initialisation}"))
            if shortcut != "none":
                parts.append(words("explore.taught", rho=shortcut))
            kinds.append((", ".join(parts), key))
    return kinds
