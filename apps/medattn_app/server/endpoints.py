"""Endpoints for notebooks, scripts and language models: typed, checked, documented."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import ATTENTION, REGIMES
from medattn_app.domain.labels import case_name, percent, truth_text
from medattn_app.domain.methods import METHODS
from medattn_app.domain.state import method_options, read_question
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer
from medattn_app.service.context import Context
from medattn_app.service.distance import domain_note
from medattn_app.service.uploads import delete_received, read_upload, received_file
from medattn_app.tabs.common.export_files import KINDS, pack
from medattn_app.tabs.common.export_view import view_of_upload

MAX_SENTENCE_CHARACTERS = 300


def build(context: Context) -> None:
    """Offers the endpoints; call it inside `gr.Blocks`."""
    import gradio as gr

    for endpoint in endpoints(context):
        gr.api(
            _refuse_in_a_sentence(endpoint),
            api_name=endpoint.__name__,
            api_description=(endpoint.__doc__ or "").split("\n\n")[0],
            concurrency_id="networks",
        )


def endpoints(context: Context) -> list[Callable[..., Any]]:
    """Lists the endpoints in the order of their use, as plain functions."""
    found = Endpoints(context)
    listed: list[Callable[..., Any]] = [
        found.list_networks,
        found.predict,
        found.explain,
        found.compare,
    ]
    if context.settings.uploads:
        listed += [found.explain_own, found.export_own]
    return listed


class Endpoints:
    """One method an endpoint; callers see its signature and its docstring.

    Args:
        context: The page's `Context`.
    """

    def __init__(self, context: Context):
        self._service, self._words = context.service, context.words

    def list_networks(self, dataset: str = "fundus") -> list[dict]:
        """Lists the shipped networks of a data set, and what they scored on its tests.

        Args:
            dataset: fundus, dermoscopy or chest.
        """
        question = read_question({"dataset": dataset})
        return [
            {
                "dataset": cell.dataset,
                "backbone": cell.backbone,
                "attention": cell.attention,
                "regime": cell.regime,
                "seed": cell.seed,
                "initialisation": cell.initialisation,
                "shortcut": cell.shortcut,
                "test_auroc": self._service.record(cell)["measured"]["test"]["auroc"],
                "weights_sha256": self._service.record(cell)["weights_sha256"],
            }
            for cell in self._service.networks(question.dataset, plain=False)
        ]

    def predict(
        self,
        dataset: str = "fundus",
        image: int = 0,
        backbone: str = "ResNet",
        attention: str = "CBAM",
        regime: float = 1.0,
        seed: int = 0,
        initialisation: str = "random",
        shortcut: str = "none",
    ) -> dict:
        """Gives a network's probability of the positive class. No diagnosis.

        Args:
            dataset: fundus, dermoscopy or chest.
            image: Index in the page's strip of images, from 0.
            backbone: ResNet, DenseNet or DeiT.
            attention: none, SE or CBAM; a DeiT has its own.
            regime: Fraction of the training data that it saw: 0.01, 0.1, 0.5 or 1.
            seed: Of its training.
            initialisation: random, or shapes: it was pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark correlates with the class.
        """
        case, answer = self._answer(
            dict(
                dataset=dataset,
                image=image,
                backbone=backbone,
                attention=attention,
                regime=regime,
                seed=seed,
                initialisation=initialisation,
                shortcut=shortcut,
            )
        )
        return _prediction(case, answer)

    def explain(
        self,
        dataset: str = "fundus",
        image: int = 0,
        backbone: str = "ResNet",
        attention: str = "CBAM",
        regime: float = 1.0,
        seed: int = 0,
        method: str = "lrp.epsilon",
        initialisation: str = "random",
        shortcut: str = "none",
    ) -> dict:
        """Gives the map of what moved a network, with its audit and its measures.

        Args:
            dataset: fundus, dermoscopy or chest.
            image: Index in the page's strip of images, from 0.
            backbone: ResNet, DenseNet or DeiT.
            attention: none, SE or CBAM; a DeiT has its own.
            regime: Fraction of the training data that it saw: 0.01, 0.1, 0.5 or 1.
            seed: Of its training.
            initialisation: random, or shapes: it was pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark correlates with the class.
            method: An analyzer, such as lrp.epsilon, gradient or gradcam.
        """
        case, answer = self._answer(
            dict(
                dataset=dataset,
                image=image,
                backbone=backbone,
                attention=attention,
                regime=regime,
                seed=seed,
                method=method,
                initialisation=initialisation,
                shortcut=shortcut,
            )
        )
        return _with_map(case, answer, method)

    def compare(
        self,
        dataset: str = "fundus",
        image: int = 0,
        backbone: str = "ResNet",
        method: str = "lrp.epsilon",
        initialisation: str = "random",
        shortcut: str = "none",
    ) -> list[dict]:
        """Compares none, SE and CBAM over all fractions of the data, on one image.

        Args:
            dataset: fundus, dermoscopy or chest.
            image: Index in the page's strip of images, from 0.
            backbone: ResNet, DenseNet or DeiT.
            method: An analyzer, such as lrp.epsilon.
            initialisation: random, or shapes: they were pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark correlates with the class.
        """
        kind = dict(initialisation=initialisation, shortcut=shortcut)
        shared = dict(dataset=dataset, image=image, backbone=backbone, method=method)
        rows: list[dict] = []
        seen: set[Cell] = set()
        missing: ValueError | None = None
        for attention in ATTENTION:
            for regime in REGIMES:
                chosen = shared | kind | dict(attention=attention, regime=regime)
                try:
                    cell = self._service.cell_of(read_question(chosen))
                except ValueError as error:
                    missing = error  # not every kind is shipped for every regime
                    continue
                if cell in seen:
                    continue
                seen.add(cell)
                case, answer = self._answer(chosen)
                mass = answer.quality.get("mass")
                rows.append(
                    _prediction(case, answer)
                    | {
                        "relevance_in_evidence": mass,
                        "said": None if mass is None else percent(mass),
                        "ledger": answer.audit_line,
                    }
                )
        if missing is not None and not rows:
            raise missing
        return rows

    def explain_own(
        self,
        image: dict,
        dataset: str = "fundus",
        backbone: str = "ResNet",
        attention: str = "CBAM",
        regime: float = 1.0,
        seed: int = 0,
        method: str = "lrp.epsilon",
        initialisation: str = "random",
        shortcut: str = "none",
    ) -> dict:
        """Gives a network's answer about an image of yours, and how unlike it is.

        The image is read once, stripped to its pixels and deleted. No diagnosis.

        Args:
            image: A file, gradio_client.handle_file("eye.png"): PNG, JPEG, TIFF,
                16-bit grey, or DICOM where the host can read it.
            dataset: What the network was trained on: fundus, dermoscopy or chest.
            backbone: ResNet, DenseNet or DeiT.
            attention: none, SE or CBAM; a DeiT has its own.
            regime: Fraction of the training data that it saw: 0.01, 0.1, 0.5 or 1.
            seed: Of its training.
            method: An analyzer, such as lrp.epsilon, gradient or gradcam.
            initialisation: random, or shapes: it was pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark correlates with the class.
        """
        fields = dict(
            dataset=dataset,
            backbone=backbone,
            attention=attention,
            regime=regime,
            seed=seed,
            method=method,
            initialisation=initialisation,
            shortcut=shortcut,
        )
        case, answer = self._own(image, fields)
        outside, note = domain_note(case, dataset, self._words)
        return _with_map(case, answer, method) | {
            "like_nothing_seen": outside,
            "note": note,
        }

    def export_own(
        self,
        image: dict,
        kind: str = "png",
        dataset: str = "fundus",
        backbone: str = "ResNet",
        attention: str = "CBAM",
        regime: float = 1.0,
        seed: int = 0,
        method: str = "lrp.epsilon",
        initialisation: str = "random",
        shortcut: str = "none",
    ) -> dict:
        """Writes what explain_own gives as a file: its name, and it as a data address.

        Args:
            image: A file, as for explain_own.
            kind: png, a picture with its caption; csv, the numbers; html, a page that
                needs nothing else.
            dataset: What the network was trained on: fundus, dermoscopy or chest.
            backbone: ResNet, DenseNet or DeiT.
            attention: none, SE or CBAM; a DeiT has its own.
            regime: Fraction of the training data that it saw: 0.01, 0.1, 0.5 or 1.
            seed: Of its training.
            method: An analyzer, such as lrp.epsilon, gradient or gradcam.
            initialisation: random, or shapes: it was pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark correlates with the class.
        """
        if not isinstance(kind, str) or kind not in KINDS:
            delete_received(image)
            raise ValueError(
                f"There is no such kind of file. Expected one of {list(KINDS)}. "
                f"Received: kind={str(kind)[:40]!r}"
            )
        fields = dict(
            dataset=dataset,
            backbone=backbone,
            attention=attention,
            regime=regime,
            seed=seed,
            method=method,
            initialisation=initialisation,
            shortcut=shortcut,
        )
        case, answer = self._own(image, fields)
        assert isinstance(answer.cell, Cell)
        digest = self._service.record(answer.cell)["weights_sha256"]
        view = view_of_upload(case, answer, method, digest, self._words)
        return pack(view, self._words, kind)

    def _answer(self, choices: dict[str, Any]) -> tuple[Case, Answer]:
        question = read_question(choices)
        case = self._service.case_of(question)
        cell = self._service.cell_of(question)
        options = method_options(question)
        return case, self._service.answer(case, cell, question.method, **options)

    def _own(self, image: object, choices: dict[str, Any]) -> tuple[Case, Answer]:
        try:
            question = read_question(choices)
            cell = self._service.cell_of(question)
        except ValueError:
            delete_received(image)  # the file goes, whatever else is wrong
            raise
        case = read_upload(received_file(image), question.dataset)
        options = method_options(question)
        return case, self._service.answer(case, cell, question.method, **options)


def _with_map(case: Case, answer: Answer, method: str) -> dict[str, Any]:
    relevance = answer.relevance
    return _prediction(case, answer) | {
        "method": method,
        "unit": METHODS[method].unit,
        "ledger": answer.audit_line,
        "refused": answer.refused,
        "relevance_in_evidence": answer.quality.get("mass"),
        "relevance": None if relevance is None else relevance.astype(float).tolist(),
    }


def _prediction(case: Case, answer: Answer) -> dict[str, Any]:
    cell, english = answer.cell, Words()
    assert isinstance(cell, Cell)
    return {
        "image": case_name(case, english),
        "truth": truth_text(case, english),
        "network": cell.title,
        "attention": cell.attention,
        "regime": cell.regime,
        "initialisation": cell.initialisation,
        "shortcut": cell.shortcut,
        "probability": answer.probability,
        "logit": answer.logit,
    }


def _refuse_in_a_sentence(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Answers an error of the caller, or one of ours, in one sentence."""
    import gradio as gr

    @wraps(endpoint)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return endpoint(*arguments, **named)
        except (ValueError, TypeError) as error:
            sentence = " ".join(str(error).split())
            raise gr.Error(sentence[:MAX_SENTENCE_CHARACTERS]) from None

    return call
