"""The conservation audit: does a map add up to what it explains, and in words."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medattn.explain.analyzer import Analyzer
from medattn.explain.backend import run_eagerly
from medattn.explain.checks import Images, Neurons

MAX_MISSING = 1e-3  # of the logit, or of one: from here on it is said
MIN_NAMED = 0.01  # of the logit: from here on a part is named
# What relevance ends in beside the pixels: see `medattn.explain.lrp.base.LRP`.
PARTS = (
    "biases",
    "norm_shifts",
    "class_token",
    "positions",
    "constants",
    "others",
    "stabiliser",
    "rule_loss",
)
PART_NAMES = {"others": "other_inputs"}
OLD_TERMS = {"absorbed": "absorbed", "others": "other_inputs", "dropped": "dropped"}
Audit = dict[str, np.ndarray]
Explanation = tuple[np.ndarray | list[np.ndarray], Audit, np.ndarray]


class AuditedAnalyzer(Analyzer):
    """An analyzer whose maps add up to a logit, or to a difference of two."""

    def analyze_and_audit(
        self, x: Images, neuron_selection: Neurons = None
    ) -> Explanation:
        """Explains and audits in one pass, for the cost of one of the two.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            `(attribution, audit, logits)`: as `analyze` and `audit` give them, and all
            logits of the model, `(batch, classes)`.
        """
        images, neurons = self._checked(x, neuron_selection)
        opened = self._for(images)
        if opened._first_call:  # the audit itself says whether the map adds up
            opened._first_call = False
            Analyzer.check_first(opened, images, neurons)
        return opened.account_for(images, neurons)

    def account_for(self, images: list[np.ndarray], neurons: np.ndarray) -> Explanation:
        """Explains and audits arrays and neurons that are checked."""
        raise TypeError(f"{type(self).__name__} does not say how it is audited.")

    def check_first(self, images: list[np.ndarray], neurons: np.ndarray) -> bool:
        """Checks that the opened model is the model, and that the map adds up."""
        super().check_first(images, neurons)
        with run_eagerly():
            _, audit, _ = self.account_for([x[:1] for x in images], neurons[:1])
        self.warn_of_missing(audit["error"], audit["logit"])
        return False

    def warn_of_missing(self, error: np.ndarray, logit: np.ndarray) -> None:
        """Warns if maps do not add up to what they explain.

        Args:
            error: What is missing, `(batch,)`.
            logit: What is explained, `(batch,)`.
        """
        missing = np.abs(error) / np.maximum(1.0, np.abs(logit))
        if not (missing > MAX_MISSING).any():
            return
        worst = int(missing.argmax())
        warnings.warn(
            f"The map does not add up to what it explains: {error[worst]:+.2g} is "
            f"missing of {logit[worst]:.4g}. See analyzer.audit(x).",
            stacklevel=4,
        )

    def audit(self, x: Images, neuron_selection: Neurons = None) -> Audit:
        """Checks that the map adds up to what it explains.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            A dict of arrays `(batch,)`, in logits: `logit`, from the model itself;
            `relevance`, the sum of the map; the entries that the analyzer's class
            lists; and `error`, what is missing. Samples that were computed in double
            precision have their logit in double, too.
        """
        return self.analyze_and_audit(x, neuron_selection)[1]

    def account(self, x: Images, neuron_selection: Neurons = None) -> Explanation:
        """The name of `analyze_and_audit` in version 0.1."""
        return self.analyze_and_audit(x, neuron_selection)


def audit_line(audit: Mapping[str, Sequence[Any] | np.ndarray], sample: int = 0) -> str:
    """Writes one sample's audit as a sum that can be checked by eye.

    Args:
        audit: The dict that `analyzer.audit(x)` gives.
        sample: Which of the batch.

    Returns:
        A line such as `"pixels 1.92 + biases 0.20 + norm shifts 0.11 = logit 2.23"`,
        with every part above 1% of the logit by its name and the others as one, or
        `"pixels 1.92 = logit 2.23 − reference 0.31"` of DeepLIFT; where relevance is
        lost, with what is missing.
    """
    entries = {key: float(values[sample]) for key, values in audit.items()}
    logit, error = entries["logit"], entries["error"]
    digits = audit_digits(entries)
    line = f"pixels {_number(entries['relevance'], digits)}"
    for name, value in audit_terms(entries):
        line += _term(name.replace("_", " "), value, digits)
    line += f" = logit {_number(logit, digits)}"
    if "reference" in entries:
        line += _term("reference", -entries["reference"], digits)
    if abs(error) > MAX_MISSING * max(1.0, abs(logit)):
        return f"{line} fails: {error:+.2g} is missing"
    return line


def audit_terms(entries: Mapping[str, float]) -> list[tuple[str, float]]:
    """Lists what stands beside the pixels in one sample's audit, in order.

    Args:
        entries: One sample's audit.

    Returns:
        Pairs of a name and an amount: the parts above 1% of the logit, and those that
        are smaller together as `"small parts"`. An audit without parts, as of DeepLIFT
        or of version 0.1, has `"absorbed"`, `"other inputs"` and `"dropped"`.
    """
    shown = 0.5 * 10.0 ** -audit_digits(entries)
    if not any(part in entries for part in PARTS if part != "others"):
        terms = [(n, entries[k]) for k, n in OLD_TERMS.items() if k in entries]
        return [(n, v) for n, v in terms if n != "dropped" or abs(v) >= shown]
    parts = [(PART_NAMES.get(part, part), entries.get(part, 0.0)) for part in PARTS]
    limit = MIN_NAMED * abs(entries["logit"])
    named = [(name, value) for name, value in parts if abs(value) > max(limit, 1e-9)]
    named = [(name, value) for name, value in named if abs(value) >= shown]
    rest = sum(value for _, value in parts) - sum(value for _, value in named)
    return [*named, ("small_parts", rest)] if abs(rest) >= shown else named


def audit_digits(entries: Mapping[str, float]) -> int:
    """Returns how many decimals show 1% of a sample's logit: two, or more if small."""
    size = MIN_NAMED * abs(entries["logit"])
    return int(np.clip(np.ceil(-np.log10(max(2 * size, 1e-9))), 2, 4))


def _term(name: str, value: float, digits: int) -> str:
    sign, size = ("+", value) if value >= 0 else ("−", -value)
    return f" {sign} {name} {size:.{digits}f}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")
