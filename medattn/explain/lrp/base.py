"""What all LRP analyzers share: maps, the ledger, the audit."""

from functools import partial

import numpy as np
from keras import ops

from medattn.explain.analyzer import Analyzer, choose
from medattn.explain.backend import value_and_gradients
from medattn.explain.graph.analysis import Survey
from medattn.explain.lrp import rules
from medattn.explain.lrp.propagate import Walk
from medattn.explain.precision import (
    DOUBLE,
    DOUBTFUL,
    SINGLE,
    cancelled,
    checked_precision,
    has_double,
    reckoned,
)

INPUT_RULES = {"flat": rules.flat, "w_square": rules.w_square, "z": rules.z}


class LRP(Analyzer):
    """Layer-wise relevance propagation; relevance adds up to the logit.

    Batch norms share as one layer with the convolution before them. Attention gates,
    and the softmax of self-attention, are held: they weigh, and what they weigh takes
    the relevance. See `medattn.explain.lrp.propagate`.

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
    shared = False  # whether a rule gives relevance to inputs that are zero
    blind = False  # whether sums, products and norms share without a look at values
    held = True  # whether a softmax is a gate
    swells = False  # whether positive and negative relevance outgrow their sum

    def rule(self, unit):
        """Returns the rule for a linear layer."""
        raise TypeError(f"{type(self).__name__} names no rule.")

    def chosen(self, unit):
        """Returns the rule for a linear layer; the image may have one of its own."""
        if unit.first and self.input_layer_rule is not None:
            if isinstance(self.input_layer_rule, str):
                return INPUT_RULES[self.input_layer_rule]
            low, high = self.input_layer_rule
            return partial(rules.bounded, low=low, high=high)
        return self.rule(unit)

    def head(self, outputs):
        """Changes the output before a neuron is chosen."""
        return outputs

    def start(self, logit):
        """Gives the logit its relevance: itself, where relevance is the derivative."""
        return logit * ops.stop_gradient(logit) if self.shared else logit

    def prepare(self):
        given = self.input_layer_rule
        pair = isinstance(given, tuple | list) and len(given) == 2
        if not (given is None or pair or given in INPUT_RULES):
            raise ValueError(
                "Unknown rule for the input layer. Expected one of "
                f"{sorted(INPUT_RULES)} or (low, high). "
                f"Received: input_layer_rule={given!r}"
            )
        if self.gates not in ("held", "shared"):
            raise ValueError(
                "Unknown treatment of gates. Expected 'held' or 'shared'. "
                f"Received: gates={self.gates!r}"
            )
        checked_precision(self.precision)
        survey = Survey(
            self.graph, self.output, held=self.held, gates=self.gates == "held"
        )
        self._walk = Walk(survey, self.chosen, shared=self.shared, blind=self.blind)
        count = len(self.graph.inputs)

        def relevance(wanted, images, neurons):
            outputs = self.head(self._walk(images, wanted))
            return self.start(choose(outputs, neurons)), outputs

        def ledger(wanted, images, neurons):
            outputs = self.head(self._walk(images, wanted[:count], wanted[count]))
            return self.start(choose(outputs, neurons)), outputs

        self._relevance = value_and_gradients(relevance)
        self._ledger = value_and_gradients(ledger)
        self._logits = value_and_gradients(
            lambda wanted, images: (0.0, self.head(self.logits(images))), slopes=False
        )

    def _explain(self, images, neurons):
        probes = [np.ones_like(image) for image in images]
        (maps, _), _ = self._reckoned(self._relevance, probes, images, neurons)
        return [each.astype(self._digits, copy=False) for each in maps]

    def _reckoned(self, call, wanted, images, neurons):
        """Calls in the precision that was asked for, or that the relevance asks for."""
        precision = self.precision
        if precision == "auto" and self.swells and has_double():
            precision = DOUBLE

        def doubtful(found):
            maps, outputs = found
            picked = np.where(neurons < 0, outputs.argmax(-1), neurons)[:, None]
            logit = np.take_along_axis(outputs, picked, 1)[:, 0]
            scale = np.maximum(1, np.abs(logit))
            return cancelled(maps[: len(images)], scale) > DOUBTFUL

        return reckoned(call, (wanted, images, neurons), precision, doubtful)

    @property
    def _digits(self):
        return DOUBLE if self.precision == DOUBLE else SINGLE

    def ledger(self, x, neuron_selection=None):
        """Says where the logit went, layer by layer.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            A dict from `"pixels"`, the name of each layer with a constant, and
            `"dropped"` (what a rule had nobody to give to) to the relevance that ended
            there, `(batch,)` each, in logits. Of several inputs, those that were not
            chosen have their own name.
        """
        return self._account(x, neuron_selection)[0]

    def audit(self, x, neuron_selection=None):
        """Checks that relevance adds up to the logit.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            A dict of arrays `(batch,)`, in logits: `logit`, from the model itself, of
            samples that were reckoned in double precision its own in double, too;
            `relevance`, its sum over the pixels; `absorbed`, the sum of what each
            layer's constants took (biases, batch-norm shifts, class token, positions,
            the stabiliser); `dropped`, what the rule gave to nobody; and `error`, what
            is missing.
        """
        return self.account(x, neuron_selection)[1]

    def account(self, x, neuron_selection=None):
        """Explains and audits in one pass: what `analyze` and `audit` say, for one.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            `(attribution, audit, logits)`: as `analyze` and `audit` give them, and all
            logits of the model, `(batch, classes)`.
        """
        books, logit, maps, outputs = self._account(x, neuron_selection)
        relevance, dropped = books.pop("pixels"), books.pop("dropped")
        absorbed = np.sum([*books.values(), 0 * relevance], axis=0, dtype=np.float64)
        error = logit - relevance - absorbed - dropped
        audit = dict(
            logit=logit,
            relevance=relevance,
            absorbed=absorbed,
            dropped=dropped,
            error=error,
        )
        chosen = [maps[place] for place in self._inputs]
        return (chosen[0] if len(chosen) == 1 else chosen), audit, outputs

    def _account(self, x, neuron_selection):
        images, neurons = self._checked(x, neuron_selection)
        ones = np.ones((len(images[0]), len(self._walk.lines) + 1), np.float32)
        probes = [np.ones_like(image) for image in images]
        _, outputs = self._logits([], images)
        largest = outputs.argmax(-1)
        neurons = np.where(neurons < 0, largest, neurons).astype(np.int32)
        found, double = self._reckoned(self._ledger, [*probes, ones], images, neurons)
        (*maps, lines), _ = found
        maps = [each.astype(self._digits, copy=False) for each in maps]
        logit = np.take_along_axis(outputs, neurons[:, None], 1)[:, 0]
        logit = logit.astype(np.float64)
        if double.any():  # a deep model rounds its own by more than relevance misses
            some = [image[double] for image in images]
            _, better = self._logits([], some, precision=DOUBLE)
            logit[double] = np.take_along_axis(better, neurons[double, None], 1)[:, 0]
        sums = [m.sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps]
        books = {"pixels": sum(sums[place] for place in self._inputs)}
        for place, tensor in enumerate(self.model.inputs):
            if place not in self._inputs:
                books[f"input {tensor.name}"] = sums[place]
        names = [*self._walk.lines, "dropped"]
        books |= dict(zip(names, lines.T.astype(np.float64), strict=True))
        return books, logit, maps, outputs
