"""The conservation audit: does a map add up to what it explains, and in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medattn.explain.analyzer import Analyzer, Images, Neurons

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
        raise TypeError(f"{type(self).__name__} does not say how it is audited.")

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
        A line such as `"pixels 1.92 + biases 0.31 = logit 2.23"`, with what a rule
        dropped if it did, or `"pixels 1.92 = logit 2.23 − reference 0.31"` of DeepLIFT;
        where relevance is lost, with what is missing.
    """
    entries = {key: float(values[sample]) for key, values in audit.items()}
    logit, error = entries["logit"], entries["error"]
    line = f"pixels {_number(entries['relevance'])}"
    if "absorbed" in entries:
        line += _term("biases", entries["absorbed"])
    if "others" in entries:
        line += _term("other inputs", entries["others"])
    if abs(entries.get("dropped", 0)) >= 0.005:
        line += _term("dropped", entries["dropped"])
    line += f" = logit {_number(logit)}"
    if "reference" in entries:
        line += _term("reference", -entries["reference"])
    if abs(error) > 1e-3 * max(1.0, abs(logit)):
        return f"{line} fails: {error:+.2g} is missing"
    return line


def _term(name: str, value: float) -> str:
    sign, size = ("+", value) if value >= 0 else ("−", -value)
    return f" {sign} {name} {size:.2f}"


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
