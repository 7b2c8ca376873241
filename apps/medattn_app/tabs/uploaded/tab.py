"""Your own: an image of a visitor, a model of the host, the same analyzers."""

from html import escape
from typing import Any

import gradio as gr

from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell, cell_id
from medattn_app.domain.labels import cell_title
from medattn_app.domain.methods import METHODS
from medattn_app.gradio_private import pass_path_only
from medattn_app.service.answers import Answer
from medattn_app.service.context import Context
from medattn_app.service.host_models import HostCell, HostModels
from medattn_app.service.uploads import UPLOAD_SECONDS, read_upload, reads_dicom
from medattn_app.tabs.common.export import add_buttons
from medattn_app.tabs.common.export_view import View, view_of_upload
from medattn_app.tabs.uploaded.view import page_html, waiting_html

ALL_DATA = 1.0  # the regime of the shipped networks that are offered here
DRAWING_EVENT: dict[str, Any] = {
    "concurrency_id": "networks",
    "trigger_mode": "always_last",
    "show_progress": "minimal",
    "api_visibility": "private",
}


def build(context: Context) -> None:
    """Adds the tab's components and events, inside its `gr.Tab`.

    Args:
        context: The page's `Context`.
    """
    words, events = context.words, UploadEvents(context)
    with gr.Row(elem_classes="ma-page"):
        with gr.Column(scale=1, min_width=288, elem_classes="ma-controls"):
            file, network, method = _build_controls(context, events)
        with gr.Column(scale=3, min_width=320):
            result = gr.HTML(waiting_html(words), elem_id="ma-uploaded-result")
            case = gr.State(None, time_to_live=UPLOAD_SECONDS)
            chosen = [case, network, method]
            add_buttons(words, events.view, chosen, "ma-uploaded-export")
    file.upload(
        events.receive, [file, network, method], [case, result], **DRAWING_EVENT
    )
    for control in (network, method):
        control.input(events.draw, chosen, result, **DRAWING_EVENT)


def _build_controls(context: Context, events: "UploadEvents") -> tuple[Any, Any, Any]:
    words, networks = context.words, events.choices()
    file = pass_path_only(
        gr.UploadButton(
            words("uploaded.choose"), elem_id="ma-uploaded-file", variant="primary"
        )
    )
    key = "uploaded.hint" if reads_dicom() else "uploaded.hint_no_dicom"
    hint = words(key, limit=context.settings.max_upload)
    gr.HTML(f"<p class='ma-quiet'>{escape(hint)}</p>")
    network = gr.Dropdown(
        networks,
        value=networks[0][1] if networks else None,
        label=words("uploaded.network"),
        info=words("uploaded.network_hint"),
        elem_id="ma-uploaded-network",
    )
    method = gr.Dropdown(
        [(words(f"method.{name}"), name) for name in METHODS],
        value="lrp.epsilon",
        label=words("uploaded.method"),
        info=words.tip("analyzer"),
        elem_id="ma-uploaded-method",
    )
    return file, network, method


class UploadEvents:
    """What the tab's events do with an image, a network and a method.

    Args:
        context: The page's `Context`.
    """

    def __init__(self, context: Context):
        self.service, self.words = context.service, context.words
        self.host = HostModels(context.settings.own_models, context.service.lock)
        self.shipped = {
            f"{dataset}|{cell_id(cell)}": cell
            for dataset in self.service.datasets()
            for cell in self.service.networks(dataset)
            if cell.regime == ALL_DATA and cell.seed == 0
        }

    def choices(self) -> list[tuple[str, str]]:
        """Lists the networks that are offered, as pairs of title and key."""
        return [(self._title(cell), key) for key, cell in self._offered().items()]

    def receive(self, path: str, network: Any, method: Any) -> tuple[Case, str]:
        """Reads the file that came, and draws what is answered about it."""
        cell = self._offered().get(network) if isinstance(network, str) else None
        try:
            case = read_upload(path, cell.dataset if cell else "fundus")
        except ValueError as error:
            title = self.words("uploaded.refused")
            raise gr.Error(escape(str(error), quote=False), title=title) from None
        return case, self.draw(case, network, method)

    def draw(self, case: Any, network: Any, method: Any) -> str:
        """Draws what a network answers about the image, if one has come."""
        if not isinstance(case, Case):
            return waiting_html(self.words)
        try:
            answer = self._answer(case, network, method)
        except ValueError as error:
            raise gr.Error(escape(str(error))) from error
        return page_html(case, answer, method, self.words)

    def view(self, case: Any, network: Any, method: Any) -> View:
        """Gathers what is exported; a ValueError says that no image has come."""
        if not isinstance(case, Case):
            raise ValueError(self.words("uploaded.wait"))
        answer = self._answer(case, network, method)
        if isinstance(answer.cell, HostCell):
            digest = self.host.file_hash(answer.cell)
        else:
            digest = self.service.record(self.shipped[network])["weights_sha256"]
        return view_of_upload(case, answer, method, digest, self.words)

    def _offered(self) -> dict[str, Cell | HostCell]:
        hosts: dict[str, Cell | HostCell] = {
            f"own|{cell.name}": cell for cell in self.host.cells()
        }
        return hosts | self.shipped

    def _title(self, cell: Cell | HostCell) -> str:
        name = cell_title(cell, self.words)
        if not isinstance(cell, Cell):
            return self.words("uploaded.model_of_host", name=name)
        return f"{self.words(f'dataset.{cell.dataset}')}: {name.partition(',')[0]}"

    def _answer(self, case: Case, network: Any, method: Any) -> Answer:
        cell = self._offered().get(network) if isinstance(network, str) else None
        if cell is None or not isinstance(method, str) or method not in METHODS:
            raise ValueError("There is no such network or method on this page.")
        options = dict(METHODS[method].options)
        if isinstance(cell, HostCell):
            return self.host.answer(case, cell, method, **options)
        return self.service.answer(case, cell, method, **options)
