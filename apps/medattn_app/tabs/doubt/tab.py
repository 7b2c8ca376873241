"""Doubt it: four switches, each with the number that it should move."""

from pathlib import Path

from medattn_app.domain.constants import ATTENTION
from medattn_app.domain.labels import cell_title, sentence_of
from medattn_app.gradio_private import event_field
from medattn_app.service.experiments import experiments_for, planted_pair
from medattn_app.service.shortcut_reliance import shortcut_networks
from medattn_app.tabs.common.chooser import (
    build_chooser,
    chosen_case,
    chosen_cell,
    kind_of,
    strip_html,
)
from medattn_app.tabs.doubt.planted_view import fallen_html, planted_html
from medattn_app.tabs.doubt.view import compared_html, deleted_html, randomised_html

HERE = Path(__file__).parent
SWITCHES = ("randomise", "reference", "plant", "delete")
WATCHED = (
    "lrp.epsilon",
    "deep_lift.rescale",
    "integrated_gradients",
    "gradient",
    "input_t_gradient",
    "guided_backprop",
    "gradcam",
)
FIRST_WATCHED = ["lrp.epsilon", "gradient", "input_t_gradient", "guided_backprop"]
ORDERING = ("lrp.epsilon", "deep_lift.rescale", "input_t_gradient", "gradient")
REFERENCES = ("zeros", "mean", "blur", "grey")
LARGE = 320  # pixels of a planted image on the page


def build(context):
    """Adds the tab's components and events; called inside its `gr.Tab`.

    Args:
        context: The page's `Context`.
    """
    import gradio as gr
    from gradio.context import Context as Here

    service, words = context.service, context.words
    experiments = experiments_for(service)
    tab = Here.block
    gr.HTML(f'<p class="ma-lead">{words("doubt.lead")}</p>')
    with gr.Row(elem_classes="ma-page"):
        with gr.Column(scale=1, min_width=288, elem_classes="ma-controls"):
            chooser = build_chooser(context, "doubt")
        with gr.Column(scale=4, min_width=320, elem_classes="ma-tests"):
            which = gr.State(SWITCHES[0])
            views, tabs = {}, {}
            with gr.Tabs():
                for name in SWITCHES:
                    with gr.Tab(words(f"doubt.{name}"), id=name) as tabs[name]:
                        # What the artefact is, the view says, since it depends.
                        if name != "plant":
                            gr.HTML(f'<p class="ma-ask">{words(f"doubt.{name}.ask")}')
                        if name == "randomise":
                            methods, go = _randomise_controls(words)
                        if name == "reference":
                            kind, grey = _reference_controls(words)
                        if name == "delete":
                            order = _order_control(words)
                        views[name] = gr.HTML(
                            f'<p class="ma-note">{words("doubt.wait")}</p>',
                            js_on_load=(HERE / "doubt.js").read_text()
                            if name == "delete"
                            else None,
                            elem_id=f"ma-doubt-{name}",
                            elem_classes="ma-tests-view",
                        )
                        if name == "plant":
                            ask_tests, tests = _tests_controls(words)
    knobs = [methods, kind, grey, order]

    def refused(error):
        return gr.Error(sentence_of(error, words), title=words("refused.title"))

    def show(which, dataset, backbone, attention, regime, kind, place, *knobs):
        """Draws the switch that is open; the randomisation waits for its button."""
        drawn = {name: gr.skip() for name in SWITCHES}
        try:
            cell = chosen_cell(service, dataset, backbone, attention, regime, kind)
            case = chosen_case(service, dataset, place)
            drawn[which] = answer(which, case, cell, *knobs)
        except ValueError as error:
            raise refused(error) from error
        return list(drawn.values())

    def answer(which, case, cell, methods, kind, grey, order):
        if which == "randomise":
            return f'<p class="ma-note">{words("doubt.wait")}</p>'
        if which == "reference":
            return reference(case, cell, kind, grey)
        if which == "plant":
            return plant(case, cell)
        if order not in ORDERING:
            raise ValueError(
                f"Pixels cannot be ordered so. Expected one of {list(ORDERING)}. "
                f"Received: {str(order)[:40]!r}"
            )
        return deleted_html(case, experiments.delete(case, cell, order), words)

    def reference(case, cell, kind, grey):
        if kind not in REFERENCES or not isinstance(grey, int | float):
            raise ValueError(
                f"This is no reference. Expected one of {list(REFERENCES)} and a grey "
                f"from 0 to 1. Received: {str(kind)[:40]!r}, {str(grey)[:40]!r}"
            )
        grey = min(max(round(float(grey), 2), 0.0), 1.0)
        chosen = grey if kind == "grey" else kind
        at = {"grey": grey, "zeros": 0.0}.get(kind)
        compared = experiments.compare(case, cell, chosen)
        return compared_html(case, compared, experiments.greys(case, cell), at, words)

    def plant(case, cell):
        artefact = words(f"doubt.plant.{case.dataset}")
        ask = f'<p class="ma-ask">{words("doubt.plant.ask", artefact=artefact)}</p>'
        if case.position is None:
            return f'{ask}<p class="ma-note">{words("doubt.plant.own")}</p>'
        untaught = [
            other
            for other in service.networks(case.dataset, plain=False)
            if other.shortcut is None
            and (other.backbone, other.regime, other.seed, other.initialisation)
            == (cell.backbone, cell.regime, cell.seed, cell.initialisation)
        ]
        beside = in_order([*untaught, *shortcut_networks(service, cell)])
        planted = [experiments.plant(case, other) for other in beside]
        large = planted_pair(case.dataset, case.position, LARGE)[:2]
        artefact = planted_pair(case.dataset, case.position)[2]
        return ask + planted_html(case, planted, (large, artefact), words, cell)

    def ask_test_sets(
        dataset,
        backbone,
        attention,
        regime,
        kind,
        progress=gr.Progress(),  # noqa: B008
    ):
        """Asks all taught networks about test sets of ρ, 0 and -ρ."""
        try:
            cell = chosen_cell(service, dataset, backbone, attention, regime, kind)
        except ValueError as error:
            raise refused(error) from error
        taught = in_order(shortcut_networks(service, cell))
        strength = max((c.shortcut for c in taught), default=0)
        if not strength:
            return f'<p class="ma-note">{words("doubt.reliance.none")}</p>'
        fallen = []
        for at, other in enumerate(taught):
            progress((at, len(taught)), desc=cell_title(other, words))
            fallen.append(experiments.shortcut_reliance(other, strength))
        return fallen_html(fallen, words)

    def randomise(
        dataset,
        backbone,
        attention,
        regime,
        kind,
        place,
        methods,
        progress=gr.Progress(),  # noqa: B008
    ):
        try:
            cell = chosen_cell(service, dataset, backbone, attention, regime, kind)
            case = chosen_case(service, dataset, place)
            chosen = [name for name in WATCHED if name in (methods or ())]
            if not chosen:
                raise ValueError(words("refused.unwatched"))
            broken = []
            for at, name in enumerate(chosen):
                progress((at, len(chosen)), desc=words(f"method.{name}"))
                broken.append(experiments.randomise(case, cell, name))
        except ValueError as error:
            raise refused(error) from error
        return randomised_html(case, broken, words)

    def slide(which, *chosen):
        """A grey that moves is the one to compare with."""
        *seen, methods, _, grey, order = chosen
        return "grey", *show(which, *seen, methods, "grey", grey, order)

    def pick(
        which,
        dataset,
        backbone,
        attention,
        regime,
        trained,
        event: gr.EventData,
        *knobs,
    ):
        place = event_field(event, "place")
        network = dataset, backbone, attention, regime, trained
        drawn = show(which, *network, place, *knobs)
        return place, strip_html(service.cases(dataset), place, words), *drawn

    def change_dataset(which, dataset, backbone, attention, regime, kind, *knobs):
        network = dataset, backbone, attention, regime, kind
        drawn = show(which, *network, 0, *knobs)
        return 0, strip_html(service.cases(dataset), 0, words), *drawn

    shared = dict(
        concurrency_id="networks",
        trigger_mode="always_last",
        show_progress="minimal",  # a network that is new takes seconds to compile
        api_visibility="private",
    )
    seen, out = [which, *chooser.inputs, *knobs], list(views.values())
    gr.on(
        [
            chooser.backbone.input,
            chooser.attention.input,
            chooser.regime.input,
            chooser.kind.input,
            kind.input,
            order.input,
            tab.select,
        ],
        show,
        seen,
        out,
        **shared,
    )
    grey.input(slide, seen, [kind, *out], **shared | {"show_progress": "hidden"})
    moved = [chooser.place, chooser.strip, *out]
    asked = [which, *chooser.network, *knobs]
    chooser.strip.click(pick, asked, moved, **shared)
    chooser.dataset.input(change_dataset, asked, moved, **shared)
    for name, one in tabs.items():
        one.select(lambda name=name: name, None, which, queue=False, **_quiet()).then(
            show, seen, out, **shared
        )
    ask_tests.click(
        ask_test_sets,
        chooser.network,
        tests,
        concurrency_id="networks",
        api_visibility="private",
    )
    for knob in chooser.network:  # what was said is of other networks now
        knob.change(lambda: "", None, tests, queue=False, **_quiet())
    go.click(
        randomise,
        [*chooser.inputs, methods],
        views["randomise"],
        concurrency_id="networks",
        api_visibility="private",
    )
    follow_question(context, chooser)


def follow_question(context, chooser):
    """Lets the controls follow what is chosen in Explore."""
    question = context.shared.get("question")
    if question is None:
        return
    service, words = context.service, context.words

    def follow(question):
        import gradio as gr

        from medattn_app.domain.constants import ATTENTION
        from medattn_app.domain.state import read_question

        asked = read_question(question or {})
        if asked.dataset not in service.datasets():
            return [gr.skip()] * 7
        cases = service.cases(asked.dataset)
        place = asked.image if asked.image < len(cases) else 0
        attention = asked.attention if asked.attention in ATTENTION else "none"
        strip = gr.skip()
        if chooser.strip is not None:
            strip = strip_html(cases, place, words)
        kind = kind_of(asked.initialisation, asked.shortcut)
        network = asked.dataset, asked.backbone, attention, asked.regime, kind
        return *network, place, strip

    out = [*chooser.inputs] + ([chooser.strip] if chooser.strip else [])
    question.change(
        lambda question: tuple(follow(question)[: len(out)]),
        question,
        out,
        queue=False,
        **_quiet(),
    )


def in_order(cells):
    """Sorts networks: the untaught first, then by the shortcut, then by the block."""
    blocks = list(ATTENTION)
    return sorted(
        cells,
        key=lambda c: (
            -1.0 if c.shortcut is None else c.shortcut,
            blocks.index(c.attention) if c.attention in blocks else 0,
        ),
    )


def _quiet():
    return dict(show_progress="hidden", api_visibility="private")


def _randomise_controls(words):
    import gradio as gr

    methods = gr.CheckboxGroup(
        [(words(f"method.{name}"), name) for name in WATCHED],
        value=FIRST_WATCHED,
        label=words("doubt.randomise.methods"),
        elem_id="ma-doubt-methods",
    )
    go = gr.Button(
        words("doubt.randomise.go"), variant="primary", elem_id="ma-doubt-go"
    )
    return methods, go


def _reference_controls(words):
    import gradio as gr

    with gr.Row(elem_classes="ma-knobs"):
        kind = gr.Radio(
            [(words(f"doubt.reference.{name}"), name) for name in REFERENCES],
            value="zeros",
            label=words("doubt.reference.kind"),
            min_width=280,
            elem_id="ma-doubt-kind",
        )
        grey = gr.Slider(
            0,
            1,
            value=0.5,
            step=0.05,
            label=words("doubt.reference.slider"),
            min_width=280,
            elem_id="ma-doubt-grey",
        )
    return kind, grey


def _tests_controls(words):
    import gradio as gr

    gr.HTML(f'<p class="ma-ask">{words("doubt.reliance.ask")}</p>')
    ask = gr.Button(
        words("doubt.reliance.go"), variant="primary", elem_id="ma-doubt-tests-go"
    )
    return ask, gr.HTML("", elem_id="ma-doubt-tests", elem_classes="ma-tests-view")


def _order_control(words):
    import gradio as gr

    return gr.Radio(
        [(words(f"method.{name}"), name) for name in ORDERING],
        value=ORDERING[0],
        label=words("doubt.delete.method"),
        elem_id="ma-doubt-order",
    )
