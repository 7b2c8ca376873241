"""The DeepLIFT analyzers: against which reference, and does it add up."""

import numpy as np
from keras import ops

from medattn.explain.analyzer import Analyzer, choose
from medattn.explain.backend import value_and_gradients
from medattn.explain.deeplift.nonlinear import DEEP_LIFT_RULES
from medattn.explain.deeplift.propagate import DifferenceWalk
from medattn.explain.graph.analysis import Survey
from medattn.explain.lrp.nonlinear import closed
from medattn.explain.precision import (
    DOUBLE,
    DOUBTFUL,
    SINGLE,
    cancelled,
    checked_precision,
    has_double,
    reckoned,
    with_digits,
)

REFERENCES = ("zeros", "mean", "blur")


class DeepLiftRescale(Analyzer):
    """DeepLIFT with the Rescale rule; contributions add up to the difference of logits.

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

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), section 3.5.2.
    """

    options = {"reference": "zeros", "precision": "auto"}
    cancel = False
    swells = False  # whether two parts of a difference outgrow their sum

    def stays_closed(self, layer):
        return closed(layer, DEEP_LIFT_RULES)

    def prepare(self):
        checked_precision(self.precision)
        self._fixed = self._checked_reference()
        self._walk = DifferenceWalk(Survey(self.graph, self.output), cancel=self.cancel)

        def logits(wanted, references, neurons):
            end = self._walk(references, wanted)
            chosen = decided(end.value, neurons)
            change = choose(end.difference, chosen)
            return change, (change, chosen)

        self._multipliers = value_and_gradients(logits)
        self._logits = value_and_gradients(
            lambda wanted, images: (0.0, self.logits(images)), slopes=False
        )

    def _checked_reference(self):
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
        fixed = [checked_reference(one, tensor) for one, tensor in pairs]
        counts = {len(each) for each in fixed if not isinstance(each, str)} - {1}
        if len(counts) > 1:
            raise ValueError(
                "The inputs' references do not fit together. Expected as many for one "
                f"input as for the other, or one. Received: {sorted(counts)}"
            )
        return fixed

    def _references(self, images):
        """Yields references, a list of `(1 or batch, height, width, channels)`."""
        made = [
            made_reference(one, image) if isinstance(one, str) else one[:, None]
            for one, image in zip(self._fixed, images, strict=True)
        ]
        for place in range(max(map(len, made))):
            each = [one[place % len(one)] for one in made]
            batch = max(map(len, each))
            yield [np.broadcast_to(r, (batch, *r.shape[1:])) for r in each]

    def _explain(self, images, neurons):
        (maps, _, _), _ = self._reckoned(images, neurons)
        return maps

    def _reckoned(self, images, neurons):
        """Compares in the precision asked for, or that the contributions ask for."""

        def doubtful(found):
            maps, change, _ = found
            return cancelled(maps, change) > DOUBTFUL

        precision = self.precision
        if precision == "auto" and self.swells and has_double():
            precision = DOUBLE
        found, double = reckoned(self._compared, (images, neurons), precision, doubtful)
        digits = DOUBLE if self.precision == DOUBLE else SINGLE
        maps = [each.astype(digits, copy=False) for each in found[0]]
        return (maps, *found[1:]), double

    def _compared(self, images, neurons, precision):
        """Returns the contributions, their sum by the network, and the neurons."""
        totals = [np.zeros(image.shape, np.float64) for image in images]
        moved, count = 0.0, 0
        for references in self._references(images):
            wide = with_digits((images, references), precision)
            differences = [x - r for x, r in zip(*wide, strict=True)]
            multipliers, (change, chosen) = self._multipliers(
                differences, references, neurons, precision=precision
            )
            for total, d, m in zip(totals, differences, multipliers, strict=True):
                total += d * m
            moved, count = moved + change, count + 1
        return [total / count for total in totals], moved / count, chosen

    def _ends(self, images, chosen, double):
        """Returns all logits, and the chosen one of images and of references.

        In double precision for the samples in `double`, and where the two hardly
        differ.
        """

        def found(images, chosen, precision):
            def logits(x):
                return self._logits([], x, precision=precision)[1].astype(np.float64)

            ends = logits(images)
            starts = [logits(references) for references in self._references(images)]
            starts = np.mean(np.broadcast_arrays(ends, *starts)[1:], axis=0)
            picked = chosen[:, None]
            return ends, *(
                np.take_along_axis(each, picked, 1)[:, 0] for each in (ends, starts)
            )

        if double.all():
            return found(images, chosen, DOUBLE)
        outputs, logit, reference = found(images, chosen, SINGLE)
        close = np.abs(logit - reference) < np.abs(logit) / DOUBTFUL
        again = double | (close & (self.precision == "auto") & has_double())
        if again.any():
            some = [image[again] for image in images]
            better = found(some, chosen[again], DOUBLE)
            for single, each in zip((outputs, logit, reference), better, strict=True):
                single[again] = each
        return outputs, logit, reference

    def audit(self, x, neuron_selection=None):
        """Checks that contributions add up to the difference of the logits.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            A dict of arrays `(batch,)`, in logits: `logit` of the image and
            `reference`, that of the reference (averaged over several), both from the
            model itself, or step by step where double precision was needed;
            `relevance`, the sum of the contributions; `error`, what of
            `logit - reference` is missing. Where `input` chose one of several,
            `others` is what the other inputs contributed.
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
        images, neurons = self._checked(x, neuron_selection)
        (maps, _, chosen), double = self._reckoned(images, neurons)
        outputs, logit, reference = self._ends(images, chosen, double)
        sums = [m.sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps]
        relevance = sum(sums[place] for place in self._inputs)
        books = dict(logit=logit, reference=reference, relevance=relevance)
        if len(self._inputs) < len(sums):
            books["others"] = sum(sums) - relevance
        books["error"] = logit - reference - sum(sums)
        own = [maps[place] for place in self._inputs]
        return (own[0] if len(own) == 1 else own), books, outputs


class DeepLiftRevealCancel(DeepLiftRescale):
    """DeepLIFT with the RevealCancel rule: opposite contributions do not hide.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), section 3.5.3.
    """

    cancel = swells = True


def decided(outputs, neurons):
    """Settles the neuron by the image's logits: the largest where it is negative."""
    largest = ops.cast(ops.argmax(outputs, axis=-1), "int32")
    return ops.where(neurons < 0, largest, neurons)


def checked_reference(given, tensor):
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


def made_reference(how, images):
    """Makes of each image a reference, `(1, batch, height, width, channels)`."""
    if how == "mean":
        mean = images.mean(axis=tuple(range(1, images.ndim - 1)), keepdims=True)
        return np.broadcast_to(mean, images.shape).copy()[None]
    from skimage.filters import gaussian

    sigma = (0, *[0.1 * images.shape[2]] * (images.ndim - 2), 0)
    return gaussian(images, sigma, preserve_range=True).astype(np.float32)[None]


DEEP_LIFT_ANALYZERS = {
    "deep_lift.rescale": DeepLiftRescale,
    "deep_lift.reveal_cancel": DeepLiftRevealCancel,
}
