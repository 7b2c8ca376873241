"""What the course needs: checks with hints, quizzes with feedback, figures."""

import importlib
from typing import Any

PUBLIC = {
    "CHECKS": "checks",
    "NotYet": "checks",
    "bars_figure": "pictures",
    "check": "checks",
    "images_figure": "pictures",
    "lines_figure": "pictures",
    "list_quizzes": "feedback",
    "maps_figure": "pictures",
    "matrix_figure": "pictures",
    "quiz": "feedback",
    "reveal": "feedback",
}

__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(
            importlib.import_module(f"medattn.teaching.{PUBLIC[name]}"), name
        )
    raise AttributeError(f"module 'medattn.teaching' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
