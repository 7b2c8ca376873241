"""What Explore's script is given at the start: all choices, names and texts."""

from dataclasses import asdict, replace
from typing import Any

from medattn_app.domain.cells import cell_id
from medattn_app.domain.constants import (
    ATTENTION,
    BACKBONES,
    CONTROLS,
    INITIALISATIONS,
    PARTS,
    REFERENCES,
    REGIMES,
    SHORTCUTS,
    TABS,
)
from medattn_app.domain.methods import METHODS
from medattn_app.domain.state import Question
from medattn_app.domain.texts import LANGUAGES, read_texts
from medattn_app.service.context import Context
from medattn_app.service.grid import varied_networks
from medattn_app.service.networks import NetworkService

# Beside its own texts the script writes those whose keys begin so.
NAMED = ("dataset.", "group.", "method.", "hint.", "reference.")
OPENING = "ResNet|CBAM|1"  # the network that the page opens with, if it is shipped


def build_catalogue(context: Context) -> dict[str, Any]:
    """Lists what can be chosen, in JSON's types.

    Args:
        context: The page's `Context`.
    """
    service = context.service
    datasets = service.datasets()
    cells = [c for dataset in datasets for c in service.networks(dataset)]
    groups: dict[str, list[str]] = {}
    for method in METHODS.values():
        groups.setdefault(method.group, []).append(method.name)
    first = first_question(service, context.words.language)
    return {
        "datasets": datasets,
        "images": {dataset: len(service.cases(dataset)) for dataset in datasets},
        "backbones": [b for b in BACKBONES if any(c.backbone == b for c in cells)],
        "attention": [a for a in ATTENTION if any(c.attention == a for c in cells)],
        "regimes": {f"{regime:g}": title for regime, title in REGIMES.items()},
        "methods": groups,
        "references": list(REFERENCES),
        "seeds": sorted({c.seed for c in cells}),
        "varied": {dataset: varied_networks(service, dataset) for dataset in datasets},
        "initialisations": list(INITIALISATIONS),
        "shortcuts": list(SHORTCUTS),
        "hideable": [*CONTROLS, *PARTS],
        "tabs": list(TABS),
        "uploads": context.settings.uploads,
        "first": question_json(first),
        "texts": {language: _texts(language) for language in LANGUAGES},
    }


def first_question(service: NetworkService, language: str) -> Question:
    """Returns the question that the page opens with."""
    question = Question(lang=language)
    datasets = service.datasets()
    if datasets and question.dataset not in datasets:
        question = replace(question, dataset=datasets[0])
    shipped = service.networks(question.dataset)
    if not shipped or any(cell_id(c) == OPENING and c.seed == 0 for c in shipped):
        return question
    wanted = [c for c in shipped if c.attention in ATTENTION] or shipped
    cell = max(wanted, key=lambda c: c.regime)
    return replace(
        question,
        backbone=cell.backbone,
        attention=cell.attention if cell.attention in ATTENTION else "none",
        regime=cell.regime,
        seed=cell.seed,
    )


def question_json(question: Question) -> dict[str, Any]:
    """Writes a `Question` in JSON's types."""
    return asdict(question) | {"hide": list(question.hide)}


def _texts(language: str) -> dict[str, str]:
    return {
        key.removeprefix("explore."): both[language]
        for key, both in read_texts().items()
        if key.startswith(("explore.", *NAMED))
    }
