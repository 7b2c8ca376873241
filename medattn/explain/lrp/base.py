"""What all LRP analyzers share: the maps, their precision, and the audit."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from medattn.explain.analyzer import Images, Neurons, choose
from medattn.explain.audit import Audit, AuditedAnalyzer, Explanation
from medattn.explain.backend import (
    Compiled,
    compute_in_precision,
    value_and_gradients,
)
from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.linear_layers import LinearLayer
from medattn.explain.lrp import rules
from medattn.explain.lrp.propagate import Propagator
from medattn.explain.precision import (
    DOUBLE,
    MAX_CANCELLATION,
    SINGLE,
    Precision,
    cancellation,
    check_precision,
    has_double,
)
from medattn.layers.tensor import Tensor

INPUT_RULES = {"flat": rules.flat, "w_square": rules.w_square, "z": rules.z}


class LRP(AuditedAnalyzer):
    """Layer-wise relevance propagation; relevance adds up to the logit.

    Batch norms share as one layer with the convolution before them. Attention gates,
    and the softmax of self-attention, are detached: they weigh, and what they weigh
    takes the relevance. See `medattn.explain.lrp.propagate`.

    The audit's entries are `absorbed`, the sum of what each layer's constants took
    (biases, batch-norm shifts, class token, positions, the stabiliser), and `dropped`,
    what a rule could give to no input.

    Args:
        model: A functional or Sequential `keras.Model`.
        neuron_selection_mode: As in `create_analyzer`.
        input_layer_rule: Another rule for the layers that read the image: `"flat"`,
            `"w_square"`, `"z"`, or the bounds `(low, high)` of a pixel.
        gates: `"held"`, or `"shared"`: a gate takes half of its product's relevance.
        precision: `"float32"`, `"float64"`, or `"auto"`: single precision, and double
            for the images whose relevance cancels so far that single loses its digits
            (and for all where the rule itself makes it cancel, as alpha 2 and beta 1).
            Double needs TensorFlow; on the other backends auto is single.

    Reference:
        [Bach et al., 2015](https://doi.org/10.1371/journal.pone.0130140).
    """

    options = {"input_layer_rule": None, "gates": "held", "precision": "auto"}
    input_layer_rule: str | Sequence[float] | None
    gates: str
    precision: str
    relevance_is_gradient = False  # as rules need that give relevance to zero inputs
    input_independent = False  # whether sums, products and norms ignore values, too
    softmax_is_gate = True

    @property
    def cancels(self) -> bool:
        """Whether positive and negative relevance grow beyond their sum."""
        return False

    def rule(self, layer: LinearLayer) -> rules.LinearRule:
        """Returns the rule for a linear layer."""
        raise TypeError(f"{type(self).__name__} names no rule.")

    def chosen_rule(self, layer: LinearLayer) -> rules.LinearRule:
        """Returns the rule for a linear layer; the image may have one of its own."""
        if layer.reads_image and self.input_layer_rule is not None:
            if isinstance(self.input_layer_rule, str):
                return INPUT_RULES[self.input_layer_rule]
            low, high = self.input_layer_rule
            return partial(rules.bounded, low=low, high=high)
        return self.rule(layer)

    def head(self, outputs: Tensor) -> Tensor:
        """Changes the output before a neuron is chosen."""
        return outputs

    def start(self, logit: Tensor) -> Tensor:
        """Gives the logit its relevance: itself, where relevance is the derivative."""
        if self.relevance_is_gradient:
            return logit * ops.stop_gradient(logit)
        return logit

    def prepare(self) -> None:
        """Checks the options, analyses the graph and makes what `analyze` calls."""
        rule = self.input_layer_rule
        pair = isinstance(rule, tuple | list) and len(rule) == 2
        if not (rule is None or pair or rule in INPUT_RULES):
            raise ValueError(
                "Unknown rule for the input layer. Expected one of "
                f"{sorted(INPUT_RULES)} or (low, high). "
                f"Received: input_layer_rule={rule!r}"
            )
        if self.gates not in ("held", "shared"):
            raise ValueError(
                "Unknown treatment of gates. Expected 'held' or 'shared'. "
                f"Received: gates={self.gates!r}"
            )
        check_precision(self.precision)
        analysis = Analysis(
            self.graph,
            self.output,
            softmax_is_gate=self.softmax_is_gate,
            gates=self.gates == "held",
        )
        self._propagator = Propagator(
            analysis,
            self.chosen_rule,
            relevance_is_gradient=self.relevance_is_gradient,
            input_independent=self.input_independent,
        )
        count = len(self.graph.inputs)

        def relevance(probes, images, neurons):
            outputs = self.head(self._propagator(images, probes))
            return self.start(choose(outputs, neurons)), outputs

        def audited(probes, images, neurons):
            outputs = self.head(self._propagator(images, probes[:count], probes[count]))
            return self.start(choose(outputs, neurons)), outputs

        self._relevance = value_and_gradients(relevance)
        self._audited = value_and_gradients(audited)
        self._logits = value_and_gradients(
            lambda _, images: (0.0, self.head(self.logits(images))), gradients=False
        )

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        probes = [np.ones_like(image) for image in images]
        (maps, _), _ = self._compute(self._relevance, probes, images, neurons)
        return [each.astype(self._map_precision, copy=False) for each in maps]

    def _compute(
        self,
        call: Compiled,
        probes: list[np.ndarray],
        images: list[np.ndarray],
        neurons: np.ndarray,
    ) -> tuple[Any, np.ndarray]:
        """Computes in the precision that was chosen, or that the relevance needs."""
        precision = self.precision
        if precision == "auto" and self.cancels and has_double():
            precision = DOUBLE

        def doubtful(found: Any) -> np.ndarray:
            maps, outputs = found
            picked = np.where(neurons < 0, outputs.argmax(-1), neurons)[:, None]
            logit = np.take_along_axis(outputs, picked, 1)[:, 0]
            scale = np.maximum(1, np.abs(logit))
            return cancellation(maps[: len(images)], scale) > MAX_CANCELLATION

        return compute_in_precision(
            call, (probes, images, neurons), precision, doubtful
        )

    @property
    def _map_precision(self) -> Precision:
        return DOUBLE if self.precision == DOUBLE else SINGLE

    def audit_by_layer(self, x: Images, neuron_selection: Neurons = None) -> Audit:
        """Lists where the logit went, layer by layer.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            A dict from `"pixels"`, the name of each layer with a constant, and
            `"dropped"` (what a rule could give to no input) to the relevance that ended
            there, `(batch,)` each, in logits. Of several inputs, those that were not
            chosen have their own name.
        """
        return self._audit(x, neuron_selection)[0]

    def ledger(self, x: Images, neuron_selection: Neurons = None) -> Audit:
        """The name of `audit_by_layer` in version 0.1."""
        return self.audit_by_layer(x, neuron_selection)

    def analyze_and_audit(
        self, x: Images, neuron_selection: Neurons = None
    ) -> Explanation:
        """Explains and audits in one pass, see `AuditedAnalyzer`."""
        by_layer, logit, maps, outputs = self._audit(x, neuron_selection)
        relevance, dropped = by_layer.pop("pixels"), by_layer.pop("dropped")
        parts = [*by_layer.values(), 0 * relevance]
        absorbed: Any = np.sum(parts, axis=0, dtype=np.float64)
        error = logit - relevance - absorbed - dropped
        audit: Audit = dict(
            logit=logit,
            relevance=relevance,
            absorbed=absorbed,
            dropped=dropped,
            error=error,
        )
        return self._of_inputs(maps), audit, outputs

    def _audit(
        self, x: Images, neuron_selection: Neurons
    ) -> tuple[Audit, np.ndarray, list[np.ndarray], np.ndarray]:
        """Returns the audit by layer, the explained logit, the maps and all logits."""
        images, neurons = self._checked(x, neuron_selection)
        entries = [*self._propagator.entries, "dropped"]
        ones = np.ones((len(images[0]), len(entries)), np.float32)
        probes = [*map(np.ones_like, images), ones]
        _, outputs = self._logits([], images)
        largest = outputs.argmax(-1)
        neurons = np.where(neurons < 0, largest, neurons).astype(np.int32)
        found, double = self._compute(self._audited, probes, images, neurons)
        (*maps, absorbed), _ = found
        maps = [each.astype(self._map_precision, copy=False) for each in maps]
        logit = np.take_along_axis(outputs, neurons[:, None], 1)[:, 0]
        logit = logit.astype(np.float64)
        if double.any():  # a deep model rounds its own by more than relevance misses
            some = [image[double] for image in images]
            _, better = self._logits([], some, precision=DOUBLE)
            logit[double] = np.take_along_axis(better, neurons[double, None], 1)[:, 0]
        sums = [m.sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps]
        audit = {"pixels": sum(sums[index] for index in self._inputs)}
        for index, tensor in enumerate(self.model.inputs):
            if index not in self._inputs:
                audit[f"input {tensor.name}"] = sums[index]
        audit |= dict(zip(entries, absorbed.T.astype(np.float64), strict=True))
        return audit, logit, maps, outputs
