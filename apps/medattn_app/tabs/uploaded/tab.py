"""Your own: an image of a visitor, a model of the host, the same analyzers."""

import base64
from dataclasses import replace
from html import escape

import gradio as gr

from medattn.figures import colour_scale, grey, png_bytes, relevance_rgba
from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell, cell_id
from medattn_app.domain.labels import (
    audit_text,
    cell_title,
    probability_text,
    unit_text,
)
from medattn_app.domain.methods import METHODS
from medattn_app.gradio_private import pass_path_only
from medattn_app.service.answers import refusal
from medattn_app.service.distance import domain_note
from medattn_app.service.host_models import HostModels
from medattn_app.service.uploads import UPLOAD_SECONDS, read_upload, reads_dicom
from medattn_app.tabs.common.export import View, add_buttons
from medattn_app.tabs.explore.view import alternative

FULL = 1.0  # the regime of the shipped networks that are offered here


def build(context):
    """Adds the tab's components and events, inside its `gr.Tab`."""
    words, service = context.words, context.service
    host = HostModels(context.settings.own_models, service.lock)
    shipped = {
        f"{dataset}|{cell_id(cell)}": cell
        for dataset in service.datasets()
        for cell in service.networks(dataset)
        if cell.regime == FULL and cell.seed == 0
    }

    def offered():
        return {f"own|{cell.name}": cell for cell in host.cells()} | shipped

    def title(cell):
        name = cell_title(cell, words)
        if not isinstance(cell, Cell):
            return words("own.of_yours", name=name)
        return f"{words(f'dataset.{cell.dataset}')}: {name.partition(',')[0]}"

    def ask(case, network, method):
        cell = offered().get(network) if isinstance(network, str) else None
        if cell is None or not isinstance(method, str) or method not in METHODS:
            raise ValueError("There is no such network or method on this page.")
        asked = service if network in shipped else host
        return asked.answer(case, cell, method, **dict(METHODS[method].options))

    def show(case, network, method):
        if not isinstance(case, Case):
            return f"<p class='ma-wait'>{escape(words('own.wait'))}</p>"
        try:
            return page(case, ask(case, network, method), method, words)
        except ValueError as error:
            raise gr.Error(escape(str(error))) from error

    def view(case, network, method):
        if not isinstance(case, Case):
            raise ValueError(words("own.wait"))
        answer = ask(case, network, method)
        if network in shipped:
            digest = service.record(answer.cell)["weights_sha256"]
        else:
            digest = host.file_hash(answer.cell)
        return view_of_own(case, answer, method, digest, words)

    def receive(path, network, method):
        cell = offered().get(network) if isinstance(network, str) else None
        try:
            case = read_upload(path, cell.dataset if cell else "fundus")
        except ValueError as error:
            title = words("own.refused")
            raise gr.Error(escape(str(error), quote=False), title=title) from None
        return case, show(case, network, method)

    networks = [(title(cell), key) for key, cell in offered().items()]
    hint = "own.hint" if reads_dicom() else "own.hint_no_dicom"
    with gr.Row(elem_classes="ma-page"):
        with gr.Column(scale=1, min_width=288, elem_classes="ma-controls"):
            file = pass_path_only(
                gr.UploadButton(
                    words("own.choose"), elem_id="ma-own-file", variant="primary"
                )
            )
            limit = context.settings.max_upload
            gr.HTML(f"<p class='ma-quiet'>{escape(words(hint, limit=limit))}</p>")
            network = gr.Dropdown(
                networks,
                value=networks[0][1] if networks else None,
                label=words("own.network"),
                info=words("own.network_hint"),
                elem_id="ma-own-network",
            )
            method = gr.Dropdown(
                [(words(f"method.{name}"), name) for name in METHODS],
                value="lrp.epsilon",
                label=words("own.method"),
                info=words.tip("analyzer"),
                elem_id="ma-own-method",
            )
        with gr.Column(scale=3, min_width=320):
            result = gr.HTML(
                f"<p class='ma-wait'>{escape(words('own.wait'))}</p>",
                elem_id="ma-own-result",
            )
            case = gr.State(None, time_to_live=UPLOAD_SECONDS)
            add_buttons(words, view, [case, network, method], "ma-own-export")
    private = dict(
        concurrency_id="networks",
        trigger_mode="always_last",
        show_progress="minimal",
        api_visibility="private",
    )
    file.upload(receive, [file, network, method], [case, result], **private)
    for knob in (network, method):
        knob.input(show, [case, network, method], result, **private)


def view_of_own(case, answer, method, digest, words):
    """Makes what is exported of a visitor's image: it, one network, what it is worth.

    Args:
        case: The image's `Case`.
        answer: An `Answer` about it.
        method: Name of the method.
        digest: Hash of the network's weights.
        words: The page's `Words`.

    Returns:
        A `medattn_app.tabs.common.export.View`, whose note says how far the image lies
        from all that the network has seen.
    """
    _, note = domain_note(case, answer.cell.dataset, words)
    hashes = {answer.cell: digest}
    return View(case, answer, (answer,), method, hashes, note)


def page(case, answer, method, words):
    """Draws a visitor's image, its map, and whether both mean anything."""
    outside, note = domain_note(case, answer.cell.dataset, words)
    layers = f'<img src="{_uri(grey(case.picture))}" alt="">'
    scale = ""
    if answer.relevance is not None:
        full = colour_scale(answer.relevance)
        layers += (
            '<img class="ma-pixels" data-testid="own-map" alt="" '
            f'src="{_uri(relevance_rgba(answer.relevance, full))}">'
        )
        unit = escape(unit_text(method, words))
        scale = (
            '<div class="ma-own-scale" aria-hidden="true"></div><p class="ma-quiet">'
            f"−{full:.2g} … 0 … +{full:.2g} {unit}</p>"
        )
    text = escape(alternative(case, _even(answer), words))
    line = audit_text(answer.audit, words) or refusal(answer, words) or ""
    network = escape(cell_title(answer.cell, words))
    return (
        '<div class="ma-own">'
        f'<p class="ma-own-note{" ma-outside" if outside else ""}" role="status" '
        f'data-testid="own-note">{escape(note)}</p>'
        f'<div class="ma-own-layers" role="img" aria-label="{text}">{layers}</div>'
        f'{scale}<p class="ma-own-chance"><span>{network}</span> '
        f'<output data-testid="own-chance">'
        f"P {escape(probability_text(answer.probability))}"
        f'</output></p><p data-testid="own-ledger">{escape(line)}</p>'
        f'<p class="ma-quiet">{escape(words("own.caution"))} '
        f"<strong>{escape(words('page.warning'))}</strong></p></div>"
    )


def _even(answer):
    """Leaves out an odd last row and column, so that a map has four quarters."""
    if answer.relevance is None:
        return answer
    height, width = (side - side % 2 for side in answer.relevance.shape)
    return replace(answer, relevance=answer.relevance[:height, :width])


def _uri(pixels):
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()
