"""Integrated gradients: the mean gradient between a reference and the image."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from medattn.explain.audit import AuditedAnalyzer, Explanation
from medattn.explain.gradient.gradient import Gradient, check_count
from medattn.explain.neurons import picked

RULES = {"midpoint": 0.5, "left": 0.0}  # where in its part of the line a point lies
MAX_MISSING = 0.05  # of the difference: more points are needed


class IntegratedGradients(Gradient, AuditedAnalyzer):
    """The gradient, averaged on the straight line from a reference to the image.

    A_j = (x_j - r_j) mean over t of  d logit / d x_j at r + t (x - r)

    The audit's entry is `reference`, the logit of the reference; its `error` is what
    the mean over a few points misses of the integral. `analyze` warns where that is
    more than a twentieth.

    Args:
        steps: Number of points, evenly spaced.
        reference_inputs: A number or an image, the start of the line.
        rule: `"midpoint"`, each point in the middle of its part of the line; or
            `"left"`, at its beginning, as in iNNvestigate, whose error is larger.

    Reference: [Sundararajan et al., 2017](https://arxiv.org/abs/1703.01365), eq. 3.
    """

    options = Gradient.options | {
        "steps": 64,
        "reference_inputs": 0.0,
        "rule": "midpoint",
    }
    steps: int
    reference_inputs: float | np.ndarray
    rule: Literal["midpoint", "left"]

    def prepare(self) -> None:
        check_count("steps", self.steps)
        if self.rule not in RULES:
            raise ValueError(
                f"Unknown rule of the mean. Expected one of {sorted(RULES)}. "
                f"Received: rule={self.rule!r}"
            )
        super().prepare()

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        maps, audit, _ = self._integrated(images, neurons)
        missing = np.abs(audit["error"]) / np.maximum(1, np.abs(audit["logit"]))
        if (missing > MAX_MISSING).any():
            self.warn_of_missing(audit["error"], audit["logit"])
        return maps

    def check_first(self, images: list[np.ndarray], neurons: np.ndarray) -> bool:
        """Checks nothing: the model runs as it is, and every call is audited."""
        return False

    def account_for(self, images: list[np.ndarray], neurons: np.ndarray) -> Explanation:
        """Explains and audits images that are checked."""
        maps, audit, outputs = self._integrated(images, neurons)
        self.check_finite(maps, images)
        return self._of_inputs(maps), audit, outputs

    def _integrated(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> tuple[list[np.ndarray], dict[str, np.ndarray], np.ndarray]:
        """Returns the maps of all inputs, the audit, and all logits."""
        outputs = self._outputs(images, neurons)
        if neurons.ndim == 1:
            largest = outputs.argmax(-1)
            neurons = np.where(neurons < 0, largest, neurons).astype(np.int32)
        explained, still = self.split(images)
        references = [
            np.broadcast_to(np.float32(self.reference_inputs), x.shape)
            for x in explained
        ]
        points = (
            self.joined(
                [r + t * (x - r) for x, r in zip(explained, references, strict=True)],
                still,
            )
            for t in (np.arange(self.steps) + RULES[self.rule]).astype("f4")
            / self.steps
        )
        start = self.joined(references, still)
        sums = self._sum_over_points(points, neurons)
        maps = [
            ((x - r) * total / self.steps).astype(np.float32)
            for x, r, total in zip(images, start, sums, strict=True)
        ]
        logit = picked(outputs, neurons).astype(np.float64)
        reference = picked(self._outputs(start, neurons), neurons).astype(np.float64)
        totals = [m.sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps]
        audit = dict(logit=logit, reference=reference)
        audit["relevance"] = np.sum([totals[n] for n in self._inputs], axis=0)
        if len(self._inputs) < len(totals):
            audit["others"] = np.sum(totals, axis=0) - audit["relevance"]
        audit["error"] = logit - reference - np.sum(totals, axis=0)
        return maps, audit, outputs
