"""What both DeepLIFT analyzers share: references, precision, and the audit."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from medattn.explain.analyzer import Analyzer
from medattn.explain.audit import MAX_MISSING, AuditedAnalyzer, Explanation
from medattn.explain.backend import compute_in_precision, run_eagerly, with_precision
from medattn.explain.deeplift.nonlinear import DEEP_LIFT_RULES
from medattn.explain.deeplift.propagate import DifferencePropagator
from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.registry import stays_closed
from medattn.explain.neurons import as_row, choose, known_neurons, picked
from medattn.explain.precision import (
    DOUBLE,
    MAX_CANCELLATION,
    SINGLE,
    Precision,
    check_precision,
    has_double,
    is_lost,
    use_precision,
    working_precision,
)

FEW = 2  # images of the first call that are compared with the model
REFERENCES = ("zeros", "mean", "blur")
Found = tuple[list[np.ndarray], np.ndarray, np.ndarray]


class DeepLift(AuditedAnalyzer):
    """DeepLIFT; contributions add up to the difference of logits.

    The audit's entry is `reference`, the logit of the reference, averaged over several.
    Its `error` is what of `logit - reference` is missing. Both logits are of the model
    itself, or computed step by step where double precision was needed. Where `input`
    chose one of several, `others` is what the other inputs contributed.

    Args:
        model: A functional or Sequential `keras.Model`.
        neuron_selection_mode: As in `create_analyzer`.
        reference: What an image is compared with: `"zeros"`, a black image; `"mean"`,
            the image's own mean colour; `"blur"`, the image blurred by a tenth of its
            width; an array `(height, width, channels)`; or several, `(references,
            height, width, channels)`, whose contributions are averaged. For a model
            with several inputs one word for all, or a list or dict with one of these
            for each input.
        precision: `"float32"`, `"float64"`, or `"auto"`: single precision, and double
            for the images whose contributions cancel so far that single loses its
            digits, as where two logits hardly differ (RevealCancel: for all, since its
            two parts are larger than what they sum to). Double needs TensorFlow;
            on the other backends auto is single.
    """

    options = {"reference": "zeros", "precision": "auto"}
    reference: Any
    precision: str
    reveal_cancel = False  # which also lets two parts of a difference outgrow their sum

    def stays_closed(self, layer: keras.Layer) -> bool:
        """Whether a layer of the model is left in one piece."""
        return stays_closed(layer, DEEP_LIFT_RULES)

    def prepare(self) -> None:
        """Checks the options and makes what `analyze` calls."""
        check_precision(self.precision)
        self._distrusts_single = False
        self._checked_references = self.check_reference()
        propagator = self._propagator = DifferencePropagator(
            Analysis(self.graph, self.output), reveal_cancel=self.reveal_cancel
        )

        def logits(differences, references, still, neurons):
            none = [None] * len(still)
            end = propagator(
                self.joined(references, still), self.joined(differences, none)
            )
            chosen = known_neurons(as_row(end.value), neurons)
            change = choose(as_row(end.difference), chosen)
            return change, (change, chosen)

        self._multipliers = self.compiled(logits)
        self._logits = self.compiled(
            lambda _, images: (0.0, self.logits(images)), gradients=False
        )

    def check_reference(self) -> list[np.ndarray | str]:
        """Returns for each input its references as an array, or how one is made."""
        tensors, _ = self.split(self.entries or [])
        names, _ = self.split(self.names or [])
        given = self.reference
        if len(tensors) == 1:
            given = [given]
        elif isinstance(given, str):
            given = [given] * len(tensors)
        elif isinstance(given, dict) and set(given) == set(names):
            given = [given[name] for name in names]
        elif not isinstance(given, list | tuple) or len(given) != len(tensors):
            raise ValueError(
                "Each input needs a reference of its own. Expected one of "
                f"{REFERENCES}, or a list or dict with one for each of {names}. "
                f"Received: reference={given!r}"
            )
        pairs = zip(given, tensors, strict=True)
        checked = [checked_reference(one, tensor) for one, tensor in pairs]
        counts = {len(each) for each in checked if not isinstance(each, str)} - {1}
        if len(counts) > 1:
            raise ValueError(
                "The inputs' references do not fit together. Expected as many for one "
                f"input as for the other, or one. Received: {sorted(counts)}"
            )
        return checked

    def references(self, images: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Yields references, a list of `(1 or batch, height, width, channels)`."""
        made = [
            made_reference(one, image) if isinstance(one, str) else one[:, None]
            for one, image in zip(
                self._checked_references, self.split(images)[0], strict=True
            )
        ]
        for index in range(max(map(len, made))):
            each = [one[index % len(one)] for one in made]
            batch = max(map(len, each))
            yield [np.broadcast_to(r, (batch, *r.shape[1:])) for r in each]

    def rewritten_values(
        self, images: Sequence[np.ndarray]
    ) -> tuple[dict[int, Any], Any]:
        """Computes every step by differences, see `Analyzer`."""
        given = with_precision(list(images), working_precision())
        explained, still = self.split(given)
        references = next(self.references(given))
        references = with_precision(references, working_precision())
        tensors = [ops.convert_to_tensor(np.asarray(r)) for r in references]
        differences = [
            ops.convert_to_tensor(x) - r
            for x, r in zip(explained, tensors, strict=True)
        ]
        constants = [ops.convert_to_tensor(array) for array in still]
        values = self._propagator.values(
            self.joined(tensors, constants),
            self.joined(differences, [None] * len(still)),
        )
        return values, None

    def check_first(self, images: list[np.ndarray], neurons: np.ndarray) -> bool:
        """Checks the maps against the model's own difference, see `Analyzer`."""
        try:
            with use_precision(self._chosen_precision()):
                Analyzer.check_first(self, images, neurons)
        except ValueError:
            if self.precision != "auto" or self._chosen_precision() == DOUBLE:
                raise
            self._distrusts_single = has_double()
            if not self._distrusts_single:
                raise
            with use_precision(DOUBLE):
                Analyzer.check_first(self, images, neurons)
            return True
        few = [x[:FEW] for x in images]
        with run_eagerly():
            _, audit, _ = self.account_for(few, neurons[:FEW])
        if self._distrusts_single:
            return True
        self.warn_of_missing(audit["error"], audit["logit"])
        return False

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        (maps, change, _), _ = self._compute(images, neurons)
        sums = sum_of(maps)
        if np.isfinite(sums).all():
            self.warn_of_missing(change - sums, change)
        return maps

    def _compute(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> tuple[Found, np.ndarray]:
        """Compares in the precision that was chosen, or that contributions need.

        Returns:
            As `_compare`; and `(batch,)`, which samples were computed in double.
        """

        def doubtful(found: Found) -> np.ndarray:
            maps, change, _ = found
            missing = np.abs(change - sum_of(maps))
            return is_lost(maps, change) | (missing > MAX_MISSING / 2)

        precision: str = self._chosen_precision()
        if precision == SINGLE and self.precision == "auto":
            precision = "auto"
        (maps, change, chosen), double = compute_in_precision(
            self._compare, (images, neurons), precision, doubtful
        )
        map_precision = DOUBLE if self.precision == DOUBLE else SINGLE
        maps = [each.astype(map_precision, copy=False) for each in maps]
        return (maps, change, chosen), double

    def _chosen_precision(self) -> Precision:
        """Returns double if it was asked for, or is known to be needed."""
        distrusts = self.reveal_cancel or self._distrusts_single
        needed = self.precision == "auto" and distrusts and has_double()
        return DOUBLE if needed or self.precision == DOUBLE else SINGLE

    def _compare(
        self,
        images: list[np.ndarray],
        neurons: np.ndarray,
        *,
        precision: Precision = SINGLE,
    ) -> Found:
        """Returns the contributions, their sum by the network, and the neurons."""
        explained, still = self.split(images)
        totals = [np.zeros(image.shape, np.float64) for image in explained]
        changes: Any = 0.0
        count = 0
        for references in self.references(images):
            if still:  # which have a row for every sample
                batch = len(images[0])
                references = [
                    np.broadcast_to(r, (batch, *r.shape[1:])) for r in references
                ]
            cast = with_precision((explained, references), precision)
            differences = [x - r for x, r in zip(*cast, strict=True)]
            multipliers, (change, chosen) = self._multipliers(
                differences, references, still, neurons, precision=precision
            )
            for total, d, m in zip(totals, differences, multipliers, strict=True):
                total += d * m
            changes, count = changes + change, count + 1
        maps = [total / count for total in totals]
        zeros = [np.zeros(array.shape) for array in still]
        return self.joined(maps, zeros), changes / count, chosen

    def _full(
        self, references: list[np.ndarray], images: list[np.ndarray]
    ) -> list[np.ndarray]:
        """Adds to references the inputs that are no part of the comparison."""
        still = self.split(images)[1]
        if still:
            batch = len(images[0])
            references = [np.broadcast_to(r, (batch, *r.shape[1:])) for r in references]
        return self.joined(references, still)

    def _compute_logits(
        self, images: list[np.ndarray], chosen: np.ndarray, double: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns all logits, and the chosen one of images and of references.

        In double precision for the samples in `double`, and where the two hardly
        differ.
        """

        def compute(images, chosen, precision):
            def logits(x):
                return self._logits([], x, precision=precision)[1].astype(np.float64)

            ends = logits(images)
            starts = [
                logits(self._full(references, images))
                for references in self.references(images)
            ]
            starts = np.mean(np.broadcast_arrays(ends, *starts)[1:], axis=0)
            return ends, picked(ends, chosen), picked(starts, chosen)

        if double.all():
            return compute(images, chosen, DOUBLE)
        outputs, logit, reference = compute(images, chosen, SINGLE)
        close = np.abs(logit - reference) < np.abs(logit) / MAX_CANCELLATION
        again = double | (close & (self.precision == "auto") & has_double())
        if again.any():
            some = [image[again] for image in images]
            better = compute(some, chosen[again], DOUBLE)
            for single, each in zip((outputs, logit, reference), better, strict=True):
                single[again] = each
        return outputs, logit, reference

    def account_for(self, images: list[np.ndarray], neurons: np.ndarray) -> Explanation:
        """Explains and audits images that are checked."""
        (maps, _, chosen), double = self._compute(images, neurons)
        self.check_finite(maps, images)
        outputs, logit, reference = self._compute_logits(images, chosen, double)
        sums = [m.sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps]
        missing = np.abs(logit - reference - sum(sums))
        lost = missing > MAX_MISSING / 2 * np.maximum(1, np.abs(logit))
        if (lost & ~double).any() and self.precision == "auto" and has_double():
            self._distrusts_single = True  # the model's own difference says so
            return self.account_for(images, neurons)
        relevance = sum(sums[index] for index in self._inputs)
        audit = dict(logit=logit, reference=reference, relevance=relevance)
        if len(self._inputs) < len(sums):
            audit["others"] = sum(sums) - relevance
        audit["error"] = logit - reference - sum(sums)
        return self._of_inputs(maps), audit, outputs


def sum_of(maps: Sequence[np.ndarray]) -> np.ndarray:
    """Sums the contributions of each sample, `(batch,)`."""
    sums = [m.sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps]
    return np.sum(sums, axis=0)


def checked_reference(given: Any, tensor: keras.KerasTensor) -> np.ndarray | str:
    """Returns one input's references `(references, ...)`, or how one is made."""
    expected = tuple(tensor.shape[1:])
    if isinstance(given, str) and given in REFERENCES:
        if given == "zeros" and None in expected:
            return given
        if given == "zeros":
            return np.zeros((1, *expected), np.float32)
        if len(expected) > 1:
            return given
        raise ValueError(
            "Only an image has a mean colour or can be blurred. Expected 'zeros' or an "
            f"array for the input {tensor.name!r} of shape {expected}. "
            f"Received: reference={given!r}"
        )
    array = None if isinstance(given, str) else np.asarray(given, np.float32)
    if array is not None and _fits(array.shape, expected):
        array = array[None]
    if (
        array is None
        or not _fits(array.shape[1:], expected)
        or not len(array)
        or not np.isfinite(array).all()
    ):
        raise ValueError(
            "The reference is no image of the model's. Expected one of "
            f"{REFERENCES}, or finite pixels of shape {expected} or "
            f"{('references', *expected)}. Received: reference="
            f"{given if isinstance(given, str) else np.shape(given)!r}"
        )
    return array


def _fits(shape: Sequence[int], expected: Sequence[int | None]) -> bool:
    """Whether a shape is the expected one, where that is known."""
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(e in (None, s) for s, e in pairs)


def made_reference(how: str, images: np.ndarray) -> np.ndarray:
    """Makes of each image a reference, `(1, batch, height, width, channels)`."""
    if how == "zeros":
        return np.zeros((1, 1, *images.shape[1:]), np.float32)
    if how == "mean":
        mean = images.mean(axis=tuple(range(1, images.ndim - 1)), keepdims=True)
        return np.broadcast_to(mean, images.shape).copy()[None]
    from skimage.filters import gaussian

    sigma = (0, *[0.1 * images.shape[2]] * (images.ndim - 2), 0)
    return gaussian(images, sigma, preserve_range=True).astype(np.float32)[None]
