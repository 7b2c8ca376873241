"""What both DeepLIFT analyzers share: references, precision, and the audit."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from medattn.explain.analyzer import Images, Neurons, choose
from medattn.explain.audit import AuditedAnalyzer, Explanation
from medattn.explain.backend import (
    compute_in_precision,
    value_and_gradients,
    with_precision,
)
from medattn.explain.deeplift.nonlinear import DEEP_LIFT_RULES
from medattn.explain.deeplift.propagate import DifferencePropagator
from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.registry import stays_closed
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
        self._checked_references = self.check_reference()
        propagator = DifferencePropagator(
            Analysis(self.graph, self.output), reveal_cancel=self.reveal_cancel
        )

        def logits(differences, references, neurons):
            end = propagator(references, differences)
            chosen = choose_by_image(end.value, neurons)
            change = choose(end.difference, chosen)
            return change, (change, chosen)

        self._multipliers = value_and_gradients(logits)
        self._logits = value_and_gradients(
            lambda _, images: (0.0, self.logits(images)), gradients=False
        )

    def check_reference(self) -> list[np.ndarray | str]:
        """Returns for each input its references as an array, or how one is made."""
        tensors, given = self.model.inputs, self.reference
        names = [tensor.name for tensor in tensors]
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
            for one, image in zip(self._checked_references, images, strict=True)
        ]
        for index in range(max(map(len, made))):
            each = [one[index % len(one)] for one in made]
            batch = max(map(len, each))
            yield [np.broadcast_to(r, (batch, *r.shape[1:])) for r in each]

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        (maps, _, _), _ = self._compute(images, neurons)
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
            return cancellation(maps, change) > MAX_CANCELLATION

        precision = self.precision
        if precision == "auto" and self.reveal_cancel and has_double():
            precision = DOUBLE
        (maps, change, chosen), double = compute_in_precision(
            self._compare, (images, neurons), precision, doubtful
        )
        map_precision = DOUBLE if self.precision == DOUBLE else SINGLE
        maps = [each.astype(map_precision, copy=False) for each in maps]
        return (maps, change, chosen), double

    def _compare(
        self,
        images: list[np.ndarray],
        neurons: np.ndarray,
        *,
        precision: Precision = SINGLE,
    ) -> Found:
        """Returns the contributions, their sum by the network, and the neurons."""
        totals = [np.zeros(image.shape, np.float64) for image in images]
        changes: Any = 0.0
        count = 0
        for references in self.references(images):
            cast = with_precision((images, references), precision)
            differences = [x - r for x, r in zip(*cast, strict=True)]
            multipliers, (change, chosen) = self._multipliers(
                differences, references, neurons, precision=precision
            )
            for total, d, m in zip(totals, differences, multipliers, strict=True):
                total += d * m
            changes, count = changes + change, count + 1
        return [total / count for total in totals], changes / count, chosen

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
            starts = [logits(references) for references in self.references(images)]
            starts = np.mean(np.broadcast_arrays(ends, *starts)[1:], axis=0)
            picked = chosen[:, None]
            return ends, *(
                np.take_along_axis(each, picked, 1)[:, 0] for each in (ends, starts)
            )

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

    def analyze_and_audit(
        self, x: Images, neuron_selection: Neurons = None
    ) -> Explanation:
        """Explains and audits in one pass, see `AuditedAnalyzer`."""
        images, neurons = self._checked(x, neuron_selection)
        (maps, _, chosen), double = self._compute(images, neurons)
        outputs, logit, reference = self._compute_logits(images, chosen, double)
        sums = [m.sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps]
        relevance = sum(sums[index] for index in self._inputs)
        audit = dict(logit=logit, reference=reference, relevance=relevance)
        if len(self._inputs) < len(sums):
            audit["others"] = sum(sums) - relevance
        audit["error"] = logit - reference - sum(sums)
        return self._of_inputs(maps), audit, outputs


def choose_by_image(outputs: Tensor, neurons: Tensor) -> Tensor:
    """Replaces negative neurons by that of the image's largest logit."""
    largest = ops.cast(ops.argmax(outputs, axis=-1), "int32")
    return ops.where(neurons < 0, largest, neurons)


def checked_reference(given: Any, tensor: keras.KerasTensor) -> np.ndarray | str:
    """Returns one input's references `(references, ...)`, or how one is made."""
    expected = tuple(tensor.shape[1:])
    if isinstance(given, str) and given in REFERENCES:
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
    if array is not None and array.shape == expected:
        array = array[None]
    if (
        array is None
        or array.shape[1:] != expected
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


def made_reference(how: str, images: np.ndarray) -> np.ndarray:
    """Makes of each image a reference, `(1, batch, height, width, channels)`."""
    if how == "mean":
        mean = images.mean(axis=tuple(range(1, images.ndim - 1)), keepdims=True)
        return np.broadcast_to(mean, images.shape).copy()[None]
    from skimage.filters import gaussian

    sigma = (0, *[0.1 * images.shape[2]] * (images.ndim - 2), 0)
    return gaussian(images, sigma, preserve_range=True).astype(np.float32)[None]
