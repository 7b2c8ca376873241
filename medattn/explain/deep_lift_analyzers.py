"""The DeepLIFT analyzers: against which reference, and does it add up."""

import numpy as np
from keras import ops

from medattn.explain.analyzer import Analyzer, choose
from medattn.explain.deep_lift import DifferenceWalk
from medattn.explain.differences import DEEP_LIFT_RULES
from medattn.explain.gradients import value_and_gradients
from medattn.explain.steps import closed
from medattn.explain.survey import Survey

REFERENCES = ("zeros", "mean", "blur")


class DeepLiftRescale(Analyzer):
    """DeepLIFT with the Rescale rule; contributions add up to the difference of logits.

    Args:
        model: A functional or Sequential `keras.Model`.
        neuron_selection_mode: As in `create_analyzer`.
        reference: What an image is compared with: `"zeros"`, a black image; `"mean"`,
            the image's own mean colour; `"blur"`, the image blurred by a tenth of its
            width; an array `(height, width, channels)`; or several, `(references,
            height, width, channels)`, whose contributions are averaged.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), section 3.5.2.
    """

    options = {"reference": "zeros"}
    cancel = False

    def stays_closed(self, layer):
        return closed(layer, DEEP_LIFT_RULES)

    def prepare(self):
        if len(self.graph.inputs) > 1:
            raise ValueError(
                "DeepLIFT compares one image with one reference. Expected a model with "
                f"one input. Received: {len(self.graph.inputs)}"
            )
        self._fixed = self._checked_reference()
        self._walk = DifferenceWalk(Survey(self.graph, self.output), cancel=self.cancel)

        def logits(wanted, references, neurons):
            end = self._walk([references], wanted)
            chosen = decided(end.value, neurons)
            return choose(end.difference, chosen), (end.difference, end.reference)

        self._multipliers = value_and_gradients(logits)
        self._logits = value_and_gradients(
            lambda wanted, images: (0.0, self.logits(images)), slopes=False
        )

    def _checked_reference(self):
        """Returns the references as an array, or None for one made of each image."""
        given = self.reference
        if isinstance(given, str) and given in REFERENCES:
            if given == "zeros":
                return np.zeros((1, *self.model.inputs[0].shape[1:]), np.float32)
            return None
        expected = tuple(self.model.inputs[0].shape[1:])
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

    def _references(self, images):
        """Yields references, `(1 or batch, height, width, channels)`."""
        if self._fixed is not None:
            yield from self._fixed[:, None]
        elif self.reference == "mean":
            mean = images.mean(axis=tuple(range(1, images.ndim - 1)), keepdims=True)
            yield np.broadcast_to(mean, images.shape).copy()
        else:
            from skimage.filters import gaussian

            sigma = (0, *[0.1 * images.shape[2]] * (images.ndim - 2), 0)
            yield gaussian(images, sigma, preserve_range=True).astype(np.float32)

    def _explain(self, images, neurons):
        contributions, _, _ = self._compared(images[0], neurons)
        return [contributions]

    def _compared(self, images, neurons):
        total = np.zeros(images.shape, np.float64)
        before, moved, count = 0.0, 0.0, 0
        for reference in self._references(images):
            difference = images - reference
            (multipliers,), (change, start) = self._multipliers(
                [difference], reference, neurons
            )
            total += difference * multipliers
            before, moved, count = before + start, moved + change, count + 1
        outputs = np.broadcast_to(before / count, moved.shape)
        return (total / count).astype(np.float32), outputs, moved / count

    def audit(self, x, neuron_selection=None):
        """Checks that contributions add up to the difference of the logits.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            A dict of arrays `(batch,)`, in logits: `logit` of the image and
            `reference`, that of the reference (averaged over several), both from the
            model itself; `relevance`, the sum of the contributions; `error`, what of
            `logit - reference` is missing.
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
        (images,), neurons = self._checked(x, neuron_selection)
        contributions, _, _ = self._compared(images, neurons)
        _, outputs = self._logits([], [images])
        chosen = np.where(neurons < 0, outputs.argmax(-1), neurons)[:, None]
        starts = []
        for reference in self._references(images):
            _, start = self._logits([], [reference])
            start = np.broadcast_to(start, outputs.shape)
            starts.append(np.take_along_axis(start, chosen, 1)[:, 0])
        logit = np.take_along_axis(outputs, chosen, 1)[:, 0].astype(np.float64)
        reference = np.mean(starts, axis=0, dtype=np.float64)
        axes = tuple(range(1, contributions.ndim))
        relevance = contributions.sum(axes, dtype=np.float64)
        audit = dict(
            logit=logit,
            reference=reference,
            relevance=relevance,
            error=logit - reference - relevance,
        )
        return contributions, audit, outputs


class DeepLiftRevealCancel(DeepLiftRescale):
    """DeepLIFT with the RevealCancel rule: opposite contributions do not hide.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), section 3.5.3.
    """

    cancel = True


def decided(outputs, neurons):
    """Settles the neuron by the image's logits: the largest where it is negative."""
    largest = ops.cast(ops.argmax(outputs, axis=-1), "int32")
    return ops.where(neurons < 0, largest, neurons)


DEEP_LIFT_ANALYZERS = {
    "deep_lift.rescale": DeepLiftRescale,
    "deep_lift.reveal_cancel": DeepLiftRevealCancel,
}
