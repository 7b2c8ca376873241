"""iNNvestigate's names and call form: create_analyzer(name, model).analyze(x)."""

import difflib
from collections.abc import Mapping
from typing import Any, Literal

import keras

from medattn.explain.analyzer import SELECTION_MODES, Analyzer
from medattn.explain.attention.analyzers import ATTENTION_ANALYZERS
from medattn.explain.deeplift.analyzers import DEEP_LIFT_ANALYZERS
from medattn.explain.gradient.analyzers import GRADIENT_ANALYZERS
from medattn.explain.gradient.cams import CAM_ANALYZERS
from medattn.explain.innvestigate.engine import INNVESTIGATE_ANALYZERS
from medattn.explain.lrp.analyzers import LRP_ANALYZERS

ANALYZERS: dict[str, type[Analyzer]] = (
    GRADIENT_ANALYZERS
    | LRP_ANALYZERS
    | DEEP_LIFT_ANALYZERS
    | CAM_ANALYZERS
    | ATTENTION_ANALYZERS
)
ENGINES: Mapping[str, Mapping[str, Any]] = {
    "medattn": ANALYZERS,
    "innvestigate": INNVESTIGATE_ANALYZERS,
}
COMMON = ("input", "output", "softmax")
Engine = Literal["medattn", "innvestigate"]


def list_analyzers(engine: Engine = "medattn") -> list[str]:
    """Returns the names that `create_analyzer` takes."""
    return list(ENGINES[engine])


def create_analyzer(
    name: str,
    model: keras.Model,
    *,
    neuron_selection_mode: Literal["max_activation", "index"] = "max_activation",
    engine: Engine = "medattn",
    **options: Any,
) -> Any:  # an Analyzer; whether it has an `audit` depends on the name
    """Builds an analyzer for one model.

    Args:
        name: One of `list_analyzers()`.
        model: A functional or Sequential `keras.Model` from images to logits.
        neuron_selection_mode: `"max_activation"` explains each sample's largest logit,
            `"index"` the one given to `analyze`.
        engine: `"medattn"`, or `"innvestigate"`: the original library, in a process
            of its own, for the networks that it can do; it takes its own options, and
            `time_limit` in seconds.
        **options: Of the analyzer, such as `epsilon=1e-7` of `lrp.epsilon`; and of all:
            `output` and `input`, which of several; `softmax="before"` or `"after"`.

    Returns:
        An analyzer with `analyze(x)` and, for those whose maps add up, `audit(x)`.

    Raises:
        ValueError: If the name, the mode or an option is unknown, or the model has a
            step without a rule.
    """
    if engine not in ENGINES:
        raise ValueError(
            f"Unknown engine. Expected one of {list(ENGINES)}. "
            f"Received: engine={engine!r}"
        )
    if name not in ENGINES[engine]:
        near = difflib.get_close_matches(str(name), ENGINES[engine], 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"Unknown analyzer {name!r}.{hint} Expected one of "
            f"{list_analyzers(engine)}. Received: name={name!r}"
        )
    if neuron_selection_mode not in SELECTION_MODES:
        raise ValueError(
            f"Unknown neuron selection mode. Expected one of {SELECTION_MODES}. "
            f"Received: neuron_selection_mode={neuron_selection_mode!r}"
        )
    analyzer = ENGINES[engine][name]
    valid = sorted([*analyzer.options, *COMMON])
    unknown = sorted(set(options) - set(valid))
    if unknown:
        raise ValueError(
            f"Unknown options of {name!r}. Expected some of {valid}. "
            f"Received: {unknown}"
        )
    return analyzer(model, neuron_selection_mode, **options)
