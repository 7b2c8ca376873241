"""Endpoints for notebooks, scripts and language models: typed, checked, documented."""

from functools import wraps

from medattn_app.domain.constants import ATTENTION, REGIMES
from medattn_app.domain.labels import case_name, percent, truth_text
from medattn_app.domain.methods import METHODS
from medattn_app.domain.state import method_options, read_question
from medattn_app.domain.texts import Words
from medattn_app.service.distance import domain_note
from medattn_app.service.uploads import delete_received, read_upload, received_file
from medattn_app.tabs.common.export import KINDS, pack
from medattn_app.tabs.uploaded.tab import view_of_own


def build(context):
    """Offers the endpoints; call it inside `gr.Blocks`.

    Args:
        context: The page's `Context`.
    """
    import gradio as gr

    for function in endpoints(context):
        gr.api(
            _in_a_sentence(function),
            api_name=function.__name__,
            api_description=function.__doc__.split("\n\n")[0],
            concurrency_id="networks",
        )


def endpoints(context):
    """Makes the endpoints as plain functions, in the order of their use."""
    service = context.service

    def list_networks(dataset: str = "fundus") -> list[dict]:
        """Lists the shipped networks of a data set, and what they scored on its tests.

        Args:
            dataset: fundus, dermoscopy or chest.
        """
        asked = read_question({"dataset": dataset})
        return [
            {
                "dataset": cell.dataset,
                "backbone": cell.backbone,
                "attention": cell.attention,
                "regime": cell.regime,
                "seed": cell.seed,
                "initialisation": cell.initialisation,
                "shortcut": cell.shortcut,
                "test_auroc": service.record(cell)["measured"]["test"]["auroc"],
                "weights_sha256": service.record(cell)["weights_sha256"],
            }
            for cell in service.networks(asked.dataset, plain=False)
        ]

    def predict(
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
            image: Place in the page's strip of images, from 0.
            backbone: ResNet, DenseNet or DeiT.
            attention: none, SE or CBAM; a DeiT has its own.
            regime: Share of the training data it saw: 0.01, 0.1, 0.5 or 1.
            seed: Of its training.
            initialisation: random, or shapes: its trunk was pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark went with the class.
        """
        found = _answer(
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
        return _told(*found)

    def explain(
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
        """Gives the map of what moved a network, with its ledger and its measures.

        Args:
            dataset: fundus, dermoscopy or chest.
            image: Place in the page's strip of images, from 0.
            backbone: ResNet, DenseNet or DeiT.
            attention: none, SE or CBAM; a DeiT has its own.
            regime: Share of the training data it saw: 0.01, 0.1, 0.5 or 1.
            seed: Of its training.
            initialisation: random, or shapes: its trunk was pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark went with the class.
            method: An analyzer, such as lrp.epsilon, gradient or gradcam.
        """
        case, answer = _answer(
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
        return _mapped(case, answer, method)

    def compare(
        dataset: str = "fundus",
        image: int = 0,
        backbone: str = "ResNet",
        method: str = "lrp.epsilon",
        initialisation: str = "random",
        shortcut: str = "none",
    ) -> list[dict]:
        """Compares none, SE and CBAM over all shares of the data, on one image.

        Args:
            dataset: fundus, dermoscopy or chest.
            image: Place in the page's strip of images, from 0.
            backbone: ResNet, DenseNet or DeiT.
            method: An analyzer, such as lrp.epsilon.
            initialisation: random, or shapes: their trunks were pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark went with the class.
        """
        kind = dict(initialisation=initialisation, shortcut=shortcut)
        shared = dict(dataset=dataset, image=image, backbone=backbone, method=method)
        rows, seen, missing = [], set(), None
        for attention in ATTENTION:
            for regime in REGIMES:
                chosen = shared | kind | dict(attention=attention, regime=regime)
                try:
                    cell = _cell(read_question(chosen))
                except ValueError as error:
                    missing = error  # not every kind is shipped for every share
                    continue
                if cell in seen:
                    continue
                seen.add(cell)
                case, answer = _answer(chosen)
                mass = answer.quality.get("mass")
                rows.append(
                    _told(case, answer)
                    | {
                        "relevance_in_evidence": mass,
                        "said": None if mass is None else percent(mass),
                        "ledger": answer.audit_line,
                    }
                )
        if not rows:
            raise missing
        return rows

    def explain_own(
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
        """Gives a network's answer about an image of yours, and how far it lies.

        The image is read once, stripped to its pixels and deleted. No diagnosis.

        Args:
            image: A file, gradio_client.handle_file("eye.png"): PNG, JPEG, TIFF,
                16-bit grey, or DICOM where the host can read it.
            dataset: What the network was trained on: fundus, dermoscopy or chest.
            backbone: ResNet, DenseNet or DeiT.
            attention: none, SE or CBAM; a DeiT has its own.
            regime: Share of the training data it saw: 0.01, 0.1, 0.5 or 1.
            seed: Of its training.
            method: An analyzer, such as lrp.epsilon, gradient or gradcam.
            initialisation: random, or shapes: its trunk was pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark went with the class.
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
        case, answer = _own(image, fields)
        outside, note = domain_note(case, dataset, context.words)
        told = _mapped(case, answer, method)
        return told | {"like_nothing_seen": outside, "note": note}

    def export_own(
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
            regime: Share of the training data it saw: 0.01, 0.1, 0.5 or 1.
            seed: Of its training.
            method: An analyzer, such as lrp.epsilon, gradient or gradcam.
            initialisation: random, or shapes: its trunk was pretrained.
            shortcut: none, or 0 or 0.9: how a planted mark went with the class.
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
        case, answer = _own(image, fields)
        digest = service.record(answer.cell)["weights_sha256"]
        view = view_of_own(case, answer, method, digest, context.words)
        return pack(view, context.words, kind)

    def _own(image, fields):
        try:
            asked = read_question(fields)
            cell = _cell(asked)
        except ValueError:
            delete_received(image)  # the file goes, whatever else is wrong
            raise
        case = read_upload(received_file(image), asked.dataset)
        return case, service.answer(case, cell, asked.method, **method_options(asked))

    def _cell(asked):
        return service.cell(
            asked.dataset,
            asked.backbone,
            asked.attention,
            asked.regime,
            seed=asked.seed,
            **asked.kind,
        )

    def _answer(fields):
        asked = read_question(fields)
        cases = service.cases(asked.dataset)
        if asked.image >= len(cases):
            raise ValueError(
                f"There is no such image. Expected 0 to {len(cases) - 1}. "
                f"Received: image={asked.image}"
            )
        case, options = cases[asked.image], method_options(asked)
        return case, service.answer(case, _cell(asked), asked.method, **options)

    own = [explain_own, export_own] if context.settings.uploads else []
    return [list_networks, predict, explain, compare, *own]


def _mapped(case, answer, method):
    told = _told(case, answer) | {
        "method": method,
        "unit": METHODS[method].unit,
        "ledger": answer.audit_line,
        "refused": answer.refused,
        "relevance_in_evidence": answer.quality.get("mass"),
        "relevance": None,
    }
    if answer.relevance is not None:
        told["relevance"] = answer.relevance.astype(float).tolist()
    return told


def _told(case, answer):
    cell, english = answer.cell, Words()
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


def _in_a_sentence(function):
    """Turns a mistake of the caller into one sentence, and a fault of ours too."""
    import gradio as gr

    @wraps(function)
    def called(*arguments, **named):
        try:
            return function(*arguments, **named)
        except (ValueError, TypeError) as error:
            raise gr.Error(" ".join(str(error).split())[:300]) from None

    return called
