"""What each experiment of Doubt it answers, as HTML."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import ATTENTION
from medattn_app.domain.labels import cell_title
from medattn_app.service.context import Context
from medattn_app.service.experiments import experiments_for, planted_pair
from medattn_app.service.shortcut_reliance import shortcut_networks
from medattn_app.tabs.doubt.deletion_view import deleted_html
from medattn_app.tabs.doubt.planted_view import planted_html
from medattn_app.tabs.doubt.randomised_view import randomised_html
from medattn_app.tabs.doubt.reference_view import compared_html
from medattn_app.tabs.doubt.reliance_view import reliance_html

EXPERIMENTS = ("randomise", "reference", "plant", "delete")
RANDOMISED_METHODS = (
    "lrp.epsilon",
    "deep_lift.rescale",
    "integrated_gradients",
    "gradient",
    "input_t_gradient",
    "guided_backprop",
    "gradcam",
)
DELETION_METHODS = ("lrp.epsilon", "deep_lift.rescale", "input_t_gradient", "gradient")
REFERENCES = ("zeros", "mean", "blur", "grey")
LARGE = 320  # pixels of a planted image on the page
Progress = Callable[..., Any]


class DoubtAnswers:
    """Makes the experiments that a visitor asks for.

    Args:
        context: The page's `Context`.
    """

    def __init__(self, context: Context):
        self.service, self.words = context.service, context.words
        self.experiments = experiments_for(context.service)

    def answer(
        self,
        experiment: str,
        case: Case,
        cell: Cell,
        methods: object,
        reference: object,
        grey: object,
        order: object,
    ) -> str:
        """Writes one experiment; the randomisation waits for its button.

        Args:
            experiment: A name of `EXPERIMENTS`.
            case: The image.
            cell: The network.
            methods: Those whose maps are watched, of `RANDOMISED_METHODS`.
            reference: Expected a name of `REFERENCES`.
            grey: Expected a number from 0 to 1.
            order: Expected a name of `DELETION_METHODS`.

        Raises:
            ValueError: Says in a sentence what is wrong.
        """
        if experiment == "randomise":
            return self.waiting()
        if experiment == "reference":
            return self.compare(case, cell, reference, grey)
        if experiment == "plant":
            return self.plant(case, cell)
        return self.delete(case, cell, order)

    def waiting(self) -> str:
        """Writes what stands where nothing has been asked yet."""
        return _note(self.words("doubt.wait"))

    def randomise(
        self, case: Case, cell: Cell, methods: object, progress: Progress
    ) -> str:
        """Randomises the weights, and writes the maps of several methods meanwhile."""
        known = methods if isinstance(methods, list | tuple) else ()
        chosen = [name for name in RANDOMISED_METHODS if name in known]
        if not chosen:
            raise ValueError(self.words("refused.unwatched"))
        found = []
        for at, name in enumerate(chosen):
            progress((at, len(chosen)), desc=self.words(f"method.{name}"))
            found.append(self.experiments.randomise(case, cell, name))
        return randomised_html(case, found, self.words)

    def compare(self, case: Case, cell: Cell, reference: object, grey: object) -> str:
        """Writes DeepLIFT against a reference, and against every grey."""
        known = isinstance(reference, str) and reference in REFERENCES
        if not known or not isinstance(grey, int | float):
            raise ValueError(
                f"This is no reference. Expected one of {list(REFERENCES)} and a grey "
                f"from 0 to 1. Received: {str(reference)[:40]!r}, {str(grey)[:40]!r}"
            )
        grey = min(max(round(float(grey), 2), 0.0), 1.0)
        chosen = grey if reference == "grey" else str(reference)
        at = {"grey": grey, "zeros": 0.0}.get(str(reference))
        compared = self.experiments.compare(case, cell, chosen)
        greys = self.experiments.greys(case, cell)
        return compared_html(case, compared, greys, at, self.words)

    def plant(self, case: Case, cell: Cell) -> str:
        """Writes what networks answer without a planted mark and with it."""
        words = self.words
        artefact = words(f"doubt.plant.{case.dataset}")
        ask = f'<p class="ma-ask">{words("doubt.plant.ask", artefact=artefact)}</p>'
        if case.position is None:
            return ask + _note(words("doubt.plant.uploaded"))
        unmarked = [
            other
            for other in self.service.networks(case.dataset, plain=False)
            if other.shortcut is None
            and (other.backbone, other.regime, other.seed, other.initialisation)
            == (cell.backbone, cell.regime, cell.seed, cell.initialisation)
        ]
        cells = in_order([*unmarked, *shortcut_networks(self.service, cell)])
        planted = [self.experiments.plant(case, other) for other in cells]
        plain, marked, _ = planted_pair(case.dataset, case.position, LARGE)
        _, _, artefact_mask = planted_pair(case.dataset, case.position)
        pair = (plain, marked), artefact_mask
        return ask + planted_html(case, planted, pair, words, cell)

    def delete(self, case: Case, cell: Cell, order: object) -> str:
        """Writes how the probability falls as pixels are deleted."""
        if not isinstance(order, str) or order not in DELETION_METHODS:
            raise ValueError(
                f"Pixels cannot be ordered so. Expected one of "
                f"{list(DELETION_METHODS)}. Received: {str(order)[:40]!r}"
            )
        deleted = self.experiments.delete(case, cell, order)
        return deleted_html(case, deleted, self.words)

    def measure_reliance(self, cell: Cell, progress: Progress) -> str:
        """Writes how networks trained with marks score on test sets of ρ, 0 and -ρ."""
        cells = in_order(shortcut_networks(self.service, cell))
        strength = max((c.shortcut or 0.0 for c in cells), default=0.0)
        if not strength:
            return _note(self.words("doubt.reliance.none"))
        found = []
        for at, other in enumerate(cells):
            progress((at, len(cells)), desc=cell_title(other, self.words))
            found.append(self.experiments.shortcut_reliance(other, strength))
        return reliance_html(found, self.words)


def in_order(cells: Iterable[Cell]) -> list[Cell]:
    """Sorts networks: those without marks first, then by shortcut and attention."""
    blocks: Sequence[str] = list(ATTENTION)
    return sorted(
        cells,
        key=lambda c: (
            -1.0 if c.shortcut is None else c.shortcut,
            blocks.index(c.attention) if c.attention in blocks else 0,
        ),
    )


def _note(text: str) -> str:
    return f'<p class="ma-note">{text}</p>'
