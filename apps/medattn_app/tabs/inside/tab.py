"""Look inside: the network's own attention, beside the map made afterwards."""

from collections import OrderedDict

from medattn_app.domain.constants import SELF_ATTENTION
from medattn_app.domain.labels import sentence_of
from medattn_app.domain.state import read_question
from medattn_app.gradio_private import event_field
from medattn_app.tabs.common.chooser import (
    build_chooser,
    chosen_case,
    chosen_cell,
    kind_of,
)
from medattn_app.tabs.doubt.tab import follow_question
from medattn_app.tabs.inside import view as inside_view

POST = "lrp.epsilon"  # the map that is made afterwards
TOKENS = ("attention.rollout", "attention.transformer")
READERS = 12  # compiled readers that are kept
LOOKS = 64  # looks that are remembered


class Inside:
    """Reads the attention of shipped networks; each architecture is compiled once.

    Args:
        service: The page's `NetworkService`.
    """

    def __init__(self, service):
        self.service = service
        self._readers, self._looks = OrderedDict(), OrderedDict()

    def look(self, case, cell):
        """Reads everything that a network's attention says about an image.

        Args:
            case: A `Case`.
            cell: A `Cell`.

        Returns:
            A dict: `answer`, the `Answer` of LRP-epsilon; and what the network has of
            `spatial` and `channel` (from a gate's name to its scores, see
            `medattn.explain.gate_maps`), `heads` (layers, heads, height, width) and
            `tokens` (from an analyzer's name to its `Answer`).
        """
        key = case.key, cell
        if key in self._looks:
            return self._looks[key]
        found = {"answer": self.service.answer(case, cell, POST)}
        batch = case.pixels[None]
        if cell.attention == SELF_ATTENTION:
            with self.service.loaded(cell) as model:
                found["heads"] = self._reader(cell, model, "heads")(batch)[0]
            found["tokens"] = {
                name: self.service.answer(case, cell, name) for name in TOKENS
            }
        for kind in {"SE": ["channel"], "CBAM": ["spatial", "channel"]}.get(
            cell.attention, []
        ):
            with self.service.loaded(cell) as model:
                scores = self._reader(cell, model, kind)(batch)
            found[kind] = {name: values[0] for name, values in scores.items()}
        self._looks[key] = found
        while len(self._looks) > LOOKS:
            self._looks.popitem(last=False)
        return found

    def _reader(self, cell, model, kind):
        from medattn.explain import class_token_reader, gate_reader

        key = cell.model_name, kind
        if key not in self._readers:
            self._readers[key] = (
                class_token_reader(model)
                if kind == "heads"
                else gate_reader(model, kind=kind)
            )
            while len(self._readers) > READERS:
                self._readers.popitem(last=False)
        return self._readers[key]


def build(context):
    """Adds the tab's components and events where it is called.

    Args:
        context: The page's `Context`.
    """
    import gradio as gr

    words, inside = context.words, Inside(context.service)
    context.shared["inside"] = inside
    gr.HTML(inside_view.lead(words))
    with gr.Row(elem_classes="ma-page"):
        with gr.Column(scale=1, min_width=264, elem_classes="ma-controls"):
            chooser = build_chooser(context, "inside")
        with gr.Column(scale=4, min_width=320):
            view = gr.HTML(
                f"<p class='ma-wait'>{words('page.compiling')}</p>",
                elem_id="ma-inside-view",
                elem_classes="ma-tests-view",
            )

    def show(dataset, backbone, attention, regime, kind, place):
        try:
            cell = chosen_cell(
                context.service, dataset, backbone, attention, regime, kind
            )
            case = chosen_case(context.service, dataset, place)
        except ValueError as error:
            return inside_view.sentence(sentence_of(error, words))
        return inside_view.page(case, cell, inside.look(case, cell), words)

    quiet = dict(
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="always_last",
        concurrency_id="networks",
    )
    for knob in chooser.network:
        knob.input(show, chooser.inputs, view, **quiet)

    def pick(dataset, backbone, attention, regime, kind, event: gr.EventData):
        place = event_field(event, "place")
        from medattn_app.tabs.common.chooser import strip_html

        chosen_case(context.service, dataset, place)
        strip = strip_html(context.service.cases(dataset), place, words)
        drawn = show(dataset, backbone, attention, regime, kind, place)
        return place, strip, drawn

    chooser.strip.click(
        pick, chooser.network, [chooser.place, chooser.strip, view], **quiet
    )
    follow_question(context, chooser)
    looked = gr.State(False)

    def follow(asked, looked):
        """Draws what Explore asks, once the tab has been looked at."""
        if not looked:
            return gr.skip()
        asked = read_question(asked or {})
        kind = kind_of(asked.initialisation, asked.shortcut)
        where = asked.dataset, asked.backbone, asked.attention, asked.regime, kind
        place = min(asked.image, len(context.service.cases(asked.dataset)) - 1)
        return show(*where, place)

    question = context.shared["question"]
    question.change(follow, [question, looked], view, **quiet)
    context.shared["tab_inside"] = (
        lambda *chosen: (show(*chosen), True),
        chooser.inputs,
        [view, looked],
    )


def opened(context, tab):
    """Draws the tab when it is opened.

    Args:
        context: The page's `Context`, after `build`.
        tab: The `gr.Tab`.
    """
    show, inputs, outputs = context.shared["tab_inside"]
    tab.select(
        show,
        inputs,
        outputs,
        show_progress="hidden",
        api_visibility="private",
        concurrency_id="networks",
    )
