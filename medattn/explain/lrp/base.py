"""What all LRP analyzers share: the maps, their precision, and the audit."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from medattn.explain.audit import PARTS, Audit, Explanation
from medattn.explain.backend import Compiled, compute_in_precision
from medattn.explain.checks import Images, Neurons, choose, picked
from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.linear_layers import LinearLayer
from medattn.explain.lrp import rules
from medattn.explain.lrp.channels import ExplainsChannels
from medattn.explain.lrp.propagate import Propagator
from medattn.explain.lrp.token_maps import ones_like, positions_on_image, tokens_of
from medattn.explain.precision import (
    DOUBLE,
    SINGLE,
    Precision,
    check_precision,
    has_double,
    is_lost,
)
from medattn.layers.tensor import Tensor

INPUT_RULES = {"flat": rules.flat, "w_square": rules.w_square, "z": rules.z}


class LRP(ExplainsChannels):
    """Layer-wise relevance propagation; relevance adds up to the logit.

    Batch norms share as one layer with the convolution before them. Attention gates,
    and the softmax of self-attention, are detached: they weigh, and what they weigh
    takes the relevance. See `medattn.explain.lrp.propagate`.

    The audit names what is not the pixels': `biases`; `norm_shifts`; `class_token` and
    `positions`, what the network reads beside the image; `constants`, numbers it adds
    and its activations' values at zero; `others`, inputs that are not explained;
    `stabiliser`; and `rule_loss`, which is what a softmax's expansion leaves over, and
    `dropped`, what a rule could give to no input. Their sum is `absorbed` + `dropped`.

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
    folds_norms = True  # a batch norm is one layer with what it alone reads

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
            fold=self.folds_norms,
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

        def placed(probes, images, neurons):
            audit, places = (
                probes[count],
                dict(zip(keys, probes[count + 1 :], strict=True)),
            )
            outputs = self._propagator(images, probes[:count], audit, places)
            return self.start(choose(self.head(outputs), neurons)), outputs

        keys = [key for key, _ in tokens_of(self._propagator.constants)]
        self.splits = {}
        self._placed = self.compiled(placed)
        self._relevance = self.compiled(relevance)
        self._audited = self.compiled(audited)
        self._logits = self.compiled(
            lambda _, images: (0.0, self.head(self.logits(images))), gradients=False
        )

    def rewritten_values(
        self, images: Sequence[np.ndarray]
    ) -> tuple[dict[int, Any], Any]:
        """Computes every step as its rule does, see `Analyzer`."""
        tensors = [ops.convert_to_tensor(image) for image in images]
        probes = [ops.ones(image.shape) for image in images]
        ones = ops.convert_to_tensor(self._audit_ones(len(images[0])))
        return self._propagator.values(tensors, probes, ones)

    def _audit_ones(self, batch: int) -> np.ndarray:
        """Makes the ones by which relevance in the audit is read."""
        rows = len(self._propagator.entries) + 1
        return np.ones((batch, rows, len(PARTS)), np.float32)

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        probes = [np.ones(image.shape, np.float32) for image in images]
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
            scale = np.maximum(1, np.abs(picked(outputs, neurons)))
            return is_lost(maps[: len(images)], scale)

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
        images, neurons = self._checked(x, neuron_selection)
        return self._for(images)._audit(images, neurons).by_layer

    def token_maps(
        self, x: Images, neuron_selection: Neurons = None
    ) -> dict[str, list[np.ndarray]]:
        """Maps what the class token and the positions contributed, entry by entry.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            `"class_token"` and `"positions"`, each a list of relevance, in logits, one
            array for each place where the network reads such: `(batch, tokens, dim)`.
            Their sums are the audit's entries of these names.

        Reference:
            [Bakish et al., 2025](https://arxiv.org/abs/2506.02138), section 4.
        """
        images, neurons = self._checked(x, neuron_selection)
        return self._for(images)._token_maps(images, neurons)

    def _token_maps(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> dict[str, list[np.ndarray]]:
        tokens = tokens_of(self._propagator.constants)
        batch = len(images[0])
        probes = [np.ones(image.shape, np.float32) for image in images]
        probes.append(self._audit_ones(batch))
        probes += [ones_like(constant, batch) for _, constant in tokens]
        (found, _), _ = self._compute(self._placed, probes, images, neurons)
        maps: dict[str, list[np.ndarray]] = {"class_token": [], "positions": []}
        relevance = found[len(images) + 1 :]
        for (_, constant), each in zip(tokens, relevance, strict=True):
            maps[constant.part].append(each)
        return maps

    def position_map(self, x: Images, neuron_selection: Neurons = None) -> np.ndarray:
        """Maps what the positions contributed onto the image.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            `(batch, height, width)`, in logits: each patch's relevance, divided evenly
            among its pixels. The position of a class token has no place in the image
            and is left out.

        Raises:
            ValueError: If the network reads no positions of patches of one image.
        """
        images, _ = self._checked(x, neuron_selection)
        maps = self.token_maps(x, neuron_selection)["positions"]
        return positions_on_image(maps, images[0].shape)

    def ledger(self, x: Images, neuron_selection: Neurons = None) -> Audit:
        """The name of `audit_by_layer` in version 0.1."""
        return self.audit_by_layer(x, neuron_selection)

    def account_for(self, images: list[np.ndarray], neurons: np.ndarray) -> Explanation:
        """Explains and audits images that are checked."""
        found = self._audit(images, neurons)
        self.check_finite(found.maps, images)
        by_layer = dict(found.by_layer)
        relevance, dropped = by_layer.pop("pixels"), by_layer.pop("dropped")
        rest = [*by_layer.values(), 0 * relevance]
        absorbed: Any = np.sum(rest, axis=0, dtype=np.float64)
        audit: Audit = dict(logit=found.logit, relevance=relevance)
        audit |= found.by_part
        audit["rule_loss"] = audit["rule_loss"] + dropped
        audit |= dict(absorbed=absorbed, dropped=dropped)
        audit["error"] = found.logit - relevance - absorbed - dropped
        return self._of_inputs(found.maps), audit, found.outputs

    def _audit(self, images: list[np.ndarray], neurons: np.ndarray) -> "Audited":
        """Explains images that are checked, and reads where all relevance went."""
        entries = [*self._propagator.entries, "dropped"]
        probes = [np.ones(image.shape, np.float32) for image in images]
        probes.append(self._audit_ones(len(images[0])))
        _, outputs = self._logits([], images)
        if neurons.ndim == 1:
            largest = outputs.argmax(-1)
            neurons = np.where(neurons < 0, largest, neurons).astype(np.int32)
        found, double = self._compute(self._audited, probes, images, neurons)
        (*maps, absorbed), _ = found
        maps = [each.astype(self._map_precision, copy=False) for each in maps]
        logit = picked(outputs, neurons).astype(np.float64)
        if double.any():  # a deep model rounds its own by more than relevance misses
            some = [image[double] for image in images]
            _, better = self._logits([], some, precision=DOUBLE)
            logit[double] = picked(better, neurons[double])
        sums = [m.sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps]
        by_layer = {"pixels": sum(sums[index] for index in self._inputs)}
        absorbed = absorbed.astype(np.float64)
        by_part = dict(zip(PARTS, absorbed[:, :-1].sum(1).T, strict=True))
        for index, name in enumerate(self.names or []):
            if index not in self._inputs:
                by_layer[f"input {name}"] = sums[index]
                by_part["others"] = by_part["others"] + sums[index]
        by_layer |= dict(zip(entries, absorbed.sum(-1).T, strict=True))
        return Audited(by_layer, by_part, logit, maps, outputs)


class Audited(NamedTuple):
    """Where the relevance of a batch went.

    Attributes:
        by_layer: As `LRP.audit_by_layer` gives it.
        by_part: What was absorbed, by the names of `PARTS`.
        logit: What is explained, `(batch,)`.
        maps: The relevance of each input.
        outputs: All logits.
    """

    by_layer: Audit
    by_part: Audit
    logit: np.ndarray
    maps: list[np.ndarray]
    outputs: np.ndarray
