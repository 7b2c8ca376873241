"""The command line: the table of verbs, and `main`, which runs one of them."""

import os
import sys
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any

import tyro

from medattn.cli import app, claims, data, doctor, explain, report, study, train
from medattn.cli.backend import import_backend

__all__ = ["import_backend", "main"]

# A function, or a table of further verbs.
VERBS: dict[str, Any] = {
    "app": app.app,
    "claims": claims.claims,
    "data": data.VERBS,
    "doctor": doctor.doctor,
    "explain": explain.explain,
    "report": report.report,
    "study": study.VERBS,
    "train": train.train,
}
DESCRIPTIONS = {  # of the tables
    "data": "List, check, preview or prepare data sets.",
    "study": "Plan, run and gather many trials; a study that was stopped continues.",
}


def main() -> None:
    """Runs the command line; a user's mistake is one sentence and exit code 2."""
    try:
        tyro.cli(_union(VERBS), prog="medattn")
    except (ValueError, OSError) as error:
        if os.environ.get("MEDATTN_TRACEBACK"):
            raise
        print(f"medattn: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _union(verbs: Mapping[str, Any]) -> Any:
    """Returns the type from which tyro reads the verbs: a union of subcommands."""
    return reduce(or_, (Annotated[Any, _subcommand(*each)] for each in verbs.items()))


def _subcommand(name: str, verb: Any) -> Any:
    if callable(verb):
        return tyro.conf.subcommand(name=name, constructor=verb)
    union = _union(verb)
    return tyro.conf.subcommand(
        name=name,
        description=DESCRIPTIONS[name],
        constructor_factory=lambda: union,
    )
