"""Endpoints for notebooks, scripts and language models: typed, checked, documented."""

from functools import wraps

from medattn_app.methods import METHODS
from medattn_app.state import ATTENTION, REGIMES, read_question
from medattn_app.view import percent


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
    bench = context.bench

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
                "test_auroc": bench.record(cell)["measured"]["test"]["auroc"],
                "weights_sha256": bench.record(cell)["weights_sha256"],
            }
            for cell in bench.networks(asked.dataset, plain=False)
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
        told = _told(case, answer) | {
            "method": method,
            "unit": METHODS[method].unit,
            "ledger": answer.line,
            "refused": answer.refused,
            "relevance_in_evidence": answer.quality.get("mass"),
            "relevance": None,
        }
        if answer.relevance is not None:
            told["relevance"] = answer.relevance.astype(float).tolist()
        return told

    def compare(
        dataset: str = "fundus",
        image: int = 0,
        backbone: str = "ResNet",
        method: str = "lrp.epsilon",
    ) -> list[dict]:
        """Compares none, SE and CBAM over all shares of the data, on one image.

        Args:
            dataset: fundus, dermoscopy or chest.
            image: Place in the page's strip of images, from 0.
            backbone: ResNet, DenseNet or DeiT.
            method: An analyzer, such as lrp.epsilon.
        """
        rows, seen = [], set()
        for attention in ATTENTION:
            for regime in REGIMES:
                case, answer = _answer(
                    dict(
                        dataset=dataset,
                        image=image,
                        backbone=backbone,
                        attention=attention,
                        regime=regime,
                        method=method,
                    )
                )
                if answer.cell in seen:
                    continue
                seen.add(answer.cell)
                mass = answer.quality.get("mass")
                rows.append(
                    _told(case, answer)
                    | {
                        "relevance_in_evidence": mass,
                        "said": None if mass is None else percent(mass),
                        "ledger": answer.line,
                    }
                )
        return rows

    def _answer(fields):
        asked = read_question(fields)
        cases = bench.cases(asked.dataset)
        if asked.image >= len(cases):
            raise ValueError(
                f"There is no such image. Expected 0 to {len(cases) - 1}. "
                f"Received: image={asked.image}"
            )
        cell = bench.cell(
            asked.dataset,
            asked.backbone,
            asked.attention,
            asked.regime,
            seed=asked.seed,
            **asked.kind,
        )
        options = dict(METHODS[asked.method].options)
        if asked.method.startswith("deep_lift"):
            options["reference"] = asked.reference
        case = cases[asked.image]
        return case, bench.answer(case, cell, asked.method, **options)

    return [list_networks, predict, explain, compare]


def _told(case, answer):
    cell = answer.cell
    return {
        "image": case.name,
        "truth": case.truth,
        "network": cell.title,
        "attention": cell.attention,
        "regime": cell.regime,
        "initialisation": cell.initialisation,
        "shortcut": cell.shortcut,
        "probability": answer.chance,
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
