"""What all analyzers share: checking the input, choosing the output and the neuron."""

import warnings

import keras
import numpy as np
from keras import ops

from medattn.explain.graph import analysis as of
from medattn.explain.graph.linear_layers import Unit
from medattn.explain.graph.trace import is_symbolic, open_model, tensors
from medattn.explain.lrp.nonlinear import closed, done
from medattn.explain.precision import SINGLE, working

SELECTION_MODES = ("max_activation", "index")
ENDS = ("softmax", "sigmoid")


class Analyzer:
    """Explains one output of one model.

    Args:
        model: A functional or Sequential `keras.Model` from images to logits.
        neuron_selection_mode: `"max_activation"` explains each sample's largest logit,
            `"index"` the one given to `analyze`.
        output: Which output of several, its name or number.
        input: Which input of several gets the attribution, its name or number; None
            gives that of all, as a list.
        softmax: Of a model that ends in a softmax (or sigmoid), `"before"` explains
            what goes into it, with a warning; `"after"` the probability itself.
        **options: The analyzer's own; see its `options`.
    """

    options = {}
    rules = None  # the table by which layers stay closed

    def __init__(
        self,
        model,
        neuron_selection_mode="max_activation",
        *,
        output=None,
        input=None,
        softmax="before",
        **options,
    ):
        self.model = model
        self.neuron_selection_mode = neuron_selection_mode
        self.graph = open_model(model, self.stays_closed)
        self._inputs = self._places(model.inputs, input, "input")
        outputs = self._places(model.outputs, output, "output")
        if len(outputs) > 1:
            raise ValueError(
                "Which output to explain is not clear. Expected output= one of "
                f"{_labels(model, 'output')}. Received: output=None, and a model with "
                f"{len(outputs)} outputs"
            )
        self.output, self.stripped = self._end(outputs[0], softmax)
        shape = self.output.shape
        if len(shape) != 2 or shape[-1] is None:
            raise ValueError(
                "Only a row of logits a sample can be explained. Expected an output of "
                f"shape (batch, classes). Received: {tuple(shape)}"
            )
        self.classes = shape[-1]
        for name, value in self.options.items():
            setattr(self, name, options.pop(name, value))
        unknown = sorted(options)
        if unknown:
            raise ValueError(
                f"Unknown options. Expected some of {sorted(self.options)}. "
                f"Received: {unknown}"
            )
        self.prepare()

    def stays_closed(self, layer):
        """Whether a layer of the model is left in one piece."""
        return closed(layer)

    def prepare(self):
        """Compiles what `analyze` calls."""
        raise TypeError(f"{type(self).__name__} does not say how it explains.")

    def analyze(self, x, neuron_selection=None):
        """Explains a batch of images.

        Args:
            x: `(batch, height, width, channels)`, pixels in [0, 1]; for a model with
                several inputs a list or dict of such.
            neuron_selection: With mode `"index"`, which logit: one integer, or one a
                sample.

        Returns:
            The attribution of every pixel and channel, same shape as `x`, signed, in
            logits; a list of such for several inputs, unless `input` chose one.

        Raises:
            ValueError: If the images do not fit the model, or the selection does not
                fit the mode.
        """
        images, neurons = self._checked(x, neuron_selection)
        maps = self._explain(images, neurons)
        chosen = [maps[place] for place in self._inputs]
        return chosen[0] if len(chosen) == 1 else chosen

    def forward(self, images, does=None):
        """Computes the explained output step by step, in the working precision.

        Args:
            images: One tensor an input.
            does: What does one step, as `self.does`; an analyzer that looks at what
                passes gives its own.
        """
        values = dict(zip(map(id, self.graph.inputs), images, strict=True))
        self.walk(self.graph.steps, values, does or self.does)
        return values[id(self.output)]

    def walk(self, steps, values, does):
        """Does some steps, and adds to `values`, by the tensors' ids, what comes."""
        for step in steps:
            args, kwargs = keras.tree.map_structure(
                lambda leaf: values[id(leaf)] if is_symbolic(leaf) else leaf,
                (step.args, step.kwargs),
            )
            results = does(step, args, kwargs)
            values.update(
                zip(of.ids(step.outputs), keras.tree.flatten(results), strict=True)
            )

    def does(self, step, args, kwargs):
        """Does one step of `forward`."""
        if of.is_linear(step):
            return Unit(step.operation).output(args[0])
        if step.part == "activation":
            return step.operation.activation(*args)
        return done(step.operation, args, kwargs)

    def logits(self, images):
        """Asks the model itself, where it can say what is explained."""
        model = self.model
        single = working() == SINGLE and not mixed(model)
        if self.stripped or len(model.outputs) > 1 or not single:
            return self.forward(images)
        if len(images) == 1:
            return model(images[0], training=False)
        given = keras.tree.pack_sequence_as(model._inputs_struct, list(images))
        return model(given, training=False)

    def _end(self, place, softmax):
        """Finds what is explained: the output, or what goes into its softmax."""
        if softmax not in ("before", "after"):
            raise ValueError(
                "Unknown place to explain. Expected softmax='before' or 'after'. "
                f"Received: softmax={softmax!r}"
            )
        output = self.graph.outputs[place]
        for step in self.graph.steps:
            if step.outputs[0] is not output:
                continue
            name = of.name_of(step).lower()
            if name == "activation":
                name = of.bend_of(step)
            if name in ENDS and softmax == "before":
                warnings.warn(
                    f"The model ends in a {name}; what goes into it is explained. For "
                    "the probability itself, say softmax='after'.",
                    stacklevel=5,
                )
                return tensors((step.args, step.kwargs))[0], True
        return output, False

    def _places(self, ends, chosen, what):
        names = _labels(self.model, what)
        if chosen is None:
            return list(range(len(ends)))
        if chosen in names:
            return [names.index(chosen)]
        whole = isinstance(chosen, int) and not isinstance(chosen, bool)
        if whole and 0 <= chosen < len(ends):
            return [chosen]
        raise ValueError(
            f"The model has no such {what}. Expected one of {names}, or a number from "
            f"0 to {len(ends) - 1}. Received: {what}={chosen!r}"
        )

    def _checked(self, x, neuron_selection):
        """Returns the inputs as a list of float32 arrays, and the neurons."""
        given = x
        if len(self.model.inputs) > 1:
            if isinstance(x, dict):
                given = [x[name] for name in _labels(self.model, "input") if name in x]
            given = list(given)
        elif not (isinstance(x, list) and _is_listed(x, self.model)):
            given = [x]
        if len(given) != len(self.model.inputs):
            raise ValueError(
                "The images do not fit the model. Expected one array for each of its "
                f"inputs, {_labels(self.model, 'input')}. Received: {len(given)}"
            )
        images = [np.asarray(array, np.float32) for array in given]
        for array, tensor in zip(images, self.model.inputs, strict=True):
            expected = tuple(tensor.shape)
            fits = array.ndim == len(expected) and all(
                want in (None, have)
                for want, have in zip(expected, array.shape, strict=True)
            )
            if not fits or not array.size or len(array) != len(images[0]):
                raise ValueError(
                    "The images do not fit the model. Expected a batch of shape "
                    f"{expected}. Received: {array.shape}"
                )
            if not np.isfinite(array).all():
                raise ValueError(
                    "Some pixels are no numbers. Expected finite pixels in [0, 1]. "
                    f"Received: {np.sum(~np.isfinite(array))} that are NaN or infinite"
                )
        return images, self._neurons(neuron_selection, len(images[0]))

    def _neurons(self, neuron_selection, batch):
        if self.neuron_selection_mode == "max_activation":
            if neuron_selection is not None:
                raise ValueError(
                    "The largest logit is explained, so none can be chosen. Expected "
                    "neuron_selection=None, or neuron_selection_mode='index'. "
                    f"Received: neuron_selection={neuron_selection!r}"
                )
            return np.full(batch, -1, np.int32)
        neurons = np.asarray(-1 if neuron_selection is None else neuron_selection)
        if (
            neurons.dtype.kind not in "iu"
            or neurons.shape not in ((), (1,), (batch,))
            or (neurons < 0).any()
            or (neurons >= self.classes).any()
        ):
            raise ValueError(
                "The neuron to explain is not one of the model's. Expected an integer, "
                f"or one a sample, from 0 to {self.classes - 1}. "
                f"Received: neuron_selection={neuron_selection!r}"
            )
        return np.broadcast_to(neurons, batch).astype(np.int32)


def choose(outputs, neurons):
    """Picks one logit a sample; a negative index picks the largest."""
    largest = ops.cast(ops.argmax(outputs, axis=-1), "int32")
    neurons = ops.where(neurons < 0, largest, neurons)
    return ops.sum(
        outputs * ops.one_hot(neurons, outputs.shape[-1], dtype=outputs.dtype), axis=-1
    )


def mixed(model):
    """Whether a model computes in less than float32."""
    layers = model._flatten_layers(include_self=False)
    return any(layer.compute_dtype in ("float16", "bfloat16") for layer in layers)


def _labels(model, what):
    if what == "input":
        return [tensor.name for tensor in model.inputs]
    # A Sequential model has one output and no list of names.
    return list(getattr(model, "output_names", None) or [model.layers[-1].name])


def _is_listed(x, model):
    """Whether a list holds the one input, and is not itself the batch."""
    return len(x) == 1 and np.ndim(x[0]) == len(model.inputs[0].shape)
