"""iNNvestigate's names and call form: create_analyzer(name, model).analyze(x)."""

import keras
import numpy as np
from keras import ops

from medattn.explain.gradients import value_and_gradients
from medattn.explain.graph import open_model
from medattn.explain.lrp import RULES, Walk, rule_of

SELECTION_MODES = ("max_activation", "index")


def list_analyzers():
    """Returns the names that `create_analyzer` takes."""
    return list(ANALYZERS)


def create_analyzer(name, model, *, neuron_selection_mode="max_activation", **options):
    """Builds an analyzer for one model.

    Args:
        name: One of `list_analyzers()`.
        model: A functional or Sequential `keras.Model` from images to logits.
        neuron_selection_mode: `"max_activation"` explains each sample's largest logit,
            `"index"` the one given to `analyze`.
        **options: Of the analyzer, such as `epsilon=1e-7` of `lrp.epsilon`.

    Returns:
        An analyzer with `analyze(x)` and, for LRP, `audit(x)`.

    Raises:
        ValueError: If the name, the mode or an option is unknown, or the model has a
            step without a rule.
    """
    if name not in ANALYZERS:
        raise ValueError(
            f"Unknown analyzer {name!r}. Expected one of {list_analyzers()}. "
            f"Received: name={name!r}"
        )
    if neuron_selection_mode not in SELECTION_MODES:
        raise ValueError(
            f"Unknown neuron selection mode. Expected one of {SELECTION_MODES}. "
            f"Received: neuron_selection_mode={neuron_selection_mode!r}"
        )
    analyzer = ANALYZERS[name]
    unknown = sorted(set(options) - set(analyzer.options))
    if unknown:
        raise ValueError(
            f"Unknown options of {name!r}. Expected some of {list(analyzer.options)}. "
            f"Received: {unknown}"
        )
    return analyzer(model, neuron_selection_mode, **options)


class Analyzer:
    """What all analyzers share: checking the input, choosing the neuron."""

    options = ()

    def __init__(self, model, neuron_selection_mode):
        ends = [len(getattr(model, end, None) or [0]) for end in ("inputs", "outputs")]
        if ends != [1, 1]:  # explaining the first would be a wrong map without a word
            raise ValueError(
                "Which input and output to explain is not clear. Expected a model with "
                f"one of each. Received: {ends[0]} inputs and {ends[1]} outputs"
            )
        self.model = model
        self.neuron_selection_mode = neuron_selection_mode

    def analyze(self, x, neuron_selection=None):
        """Explains a batch of images.

        Args:
            x: `(batch, height, width, channels)`, pixels in [0, 1].
            neuron_selection: With mode `"index"`, which logit: one integer, or one a
                sample.

        Returns:
            The attribution of every pixel and channel, same shape as `x`, signed, in
            logits.

        Raises:
            ValueError: If the images do not fit the model, or the selection does not
                fit the mode.
        """
        images, neurons = self._checked(x, neuron_selection)
        return self._explain(images, neurons)

    def _checked(self, x, neuron_selection):
        images = np.asarray(x, np.float32)
        expected = tuple(self.model.input_shape)
        fits = images.ndim == len(expected) and all(
            want in (None, have)
            for want, have in zip(expected, images.shape, strict=True)
        )
        if not fits or not images.size:
            raise ValueError(
                "The images do not fit the model. Expected a batch of shape "
                f"{expected}. Received: {images.shape}"
            )
        if not np.isfinite(images).all():
            raise ValueError(
                "Some pixels are no numbers. Expected finite pixels in [0, 1]. "
                f"Received: {np.sum(~np.isfinite(images))} that are NaN or infinite"
            )
        if self.neuron_selection_mode == "max_activation":
            if neuron_selection is not None:
                raise ValueError(
                    "The largest logit is explained, so none can be chosen. Expected "
                    "neuron_selection=None, or neuron_selection_mode='index'. "
                    f"Received: neuron_selection={neuron_selection!r}"
                )
            return images, np.full(len(images), -1, np.int32)
        classes = self.model.output_shape[-1]
        neurons = np.asarray(-1 if neuron_selection is None else neuron_selection)
        if (
            neurons.dtype.kind not in "iu"
            or neurons.shape not in ((), (len(images),))
            or (neurons < 0).any()
            or (neurons >= classes).any()
        ):
            raise ValueError(
                "The neuron to explain is not one of the model's. Expected an integer, "
                f"or one a sample, from 0 to {classes - 1}. "
                f"Received: neuron_selection={neuron_selection!r}"
            )
        return images, np.broadcast_to(neurons, len(images)).astype(np.int32)


class Gradient(Analyzer):
    """The derivative of the logit by each pixel.

    Reference: [Simonyan et al., 2014](https://arxiv.org/abs/1312.6034), section 3.
    """

    def __init__(self, model, neuron_selection_mode):
        super().__init__(model, neuron_selection_mode)

        def logit(wanted, neurons):
            outputs = model(wanted[0], training=False)
            return choose(outputs, neurons), outputs

        self._gradient = value_and_gradients(logit)

    def _explain(self, images, neurons):
        (gradient,), _ = self._gradient([images], neurons)
        return gradient


class InputTimesGradient(Gradient):
    """Each pixel times the derivative of the logit by it."""

    def _explain(self, images, neurons):
        return images * super()._explain(images, neurons)


class LRPEpsilon(Analyzer):
    """Layer-wise relevance propagation with the epsilon rule at every linear layer.

    Attention gates are held constant, and batch norms share as one layer with the
    convolution before them; see `medattn.explain.lrp`.

    Args:
        model: A functional or Sequential `keras.Model`.
        neuron_selection_mode: As in `create_analyzer`.
        epsilon: Keeps denominators away from zero, in the units of the activations;
            larger values absorb more and give sparser maps. iNNvestigate's default.

    Reference:
        [Bach et al., 2015](https://doi.org/10.1371/journal.pone.0130140), equation 58.
    """

    options = ("epsilon",)

    def __init__(self, model, neuron_selection_mode, epsilon=1e-7):
        if not epsilon >= 0:
            raise ValueError(
                "The stabiliser of LRP cannot be negative. Expected epsilon >= 0. "
                f"Received: epsilon={epsilon!r}"
            )
        super().__init__(model, neuron_selection_mode)
        graph = open_model(
            model, lambda layer: rule_of(layer) in RULES or _first(layer)
        )
        self._walk = Walk(graph, epsilon=epsilon)

        def relevance(wanted, images, neurons):
            outputs = self._walk(images, wanted[0])
            return choose(outputs, neurons), outputs

        def ledger(wanted, images, neurons):
            outputs = self._walk(images, *wanted)
            logits = choose(model(images, training=False), neurons)
            return choose(outputs, neurons), logits

        self._relevance = value_and_gradients(relevance)
        self._ledger = value_and_gradients(ledger)

    def _explain(self, images, neurons):
        (relevance,), _ = self._relevance([np.ones_like(images)], images, neurons)
        return relevance

    def ledger(self, x, neuron_selection=None):
        """Says where the logit went, layer by layer.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            A dict from `"pixels"` and the name of each layer with a constant to the
            relevance that ended there, `(batch,)` each, in logits.
        """
        books, _ = self._books(x, neuron_selection)
        return books

    def audit(self, x, neuron_selection=None):
        """Checks that relevance adds up to the logit.

        Args:
            x: As in `analyze`.
            neuron_selection: As in `analyze`.

        Returns:
            A dict of arrays `(batch,)`, in logits: `logit`, from the model itself;
            `relevance`, its sum over the pixels; `absorbed`, the sum of what each
            layer's constants took (biases, batch-norm shifts, the stabiliser); and
            `error`, what is missing.
        """
        books, logit = self._books(x, neuron_selection)
        relevance = books.pop("pixels")
        absorbed = np.sum(list(books.values()), axis=0, dtype=np.float64)
        error = logit - relevance - absorbed
        return {
            key: np.asarray(values, np.float64)
            for key, values in dict(
                logit=logit, relevance=relevance, absorbed=absorbed, error=error
            ).items()
        }

    def _books(self, x, neuron_selection):
        images, neurons = self._checked(x, neuron_selection)
        ones = np.ones((len(images), len(self._walk.lines)), np.float32)
        (relevance, lines), logit = self._ledger(
            [np.ones_like(images), ones], images, neurons
        )
        books = {"pixels": relevance.sum(axis=(1, 2, 3), dtype=np.float64)}
        books |= dict(zip(self._walk.lines, lines.T.astype(np.float64), strict=True))
        return books, logit.astype(np.float64)


def choose(outputs, neurons):
    """Picks one logit a sample; a negative index picks the largest."""
    largest = ops.cast(ops.argmax(outputs, axis=-1), "int32")
    neurons = ops.where(neurons < 0, largest, neurons)
    return ops.sum(outputs * ops.one_hot(neurons, outputs.shape[-1]), axis=-1)


def _first(layer):
    """Whether a layer only normalises pixels, and so stays closed."""
    return isinstance(layer, keras.layers.Normalization | keras.layers.Rescaling)


ANALYZERS = {
    "gradient": Gradient,
    "input_t_gradient": InputTimesGradient,
    "lrp.epsilon": LRPEpsilon,
}
