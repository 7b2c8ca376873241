"""What all analyzers share: checking the input, choosing the output and the neuron."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import keras
import numpy as np
from keras import ops

from medattn.explain.graph.compute import compute_step
from medattn.explain.graph.linear_layers import LinearLayer, is_linear
from medattn.explain.graph.operations import ATOMIC
from medattn.explain.graph.registry import stays_closed
from medattn.explain.graph.steps import (
    Step,
    activation_name,
    fill_in,
    name_of,
    sources,
    store,
)
from medattn.explain.graph.trace import open_model
from medattn.explain.precision import SINGLE, working_precision
from medattn.layers.keras_private import all_layers, pack_inputs
from medattn.layers.tensor import Tensor

SELECTION_MODES = ("max_activation", "index")
PROBABILITIES = ("softmax", "sigmoid")  # what may follow the logits
Images = Any  # an array `(batch, height, width, channels)`; or a list or dict of such
Neurons = int | Sequence[int] | np.ndarray | None
StepFunction = Callable[[Step, Any, Any], Any]


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

    options: ClassVar[Mapping[str, Any]] = {}  # names and defaults

    def __init__(
        self,
        model: keras.Model,
        neuron_selection_mode: str = "max_activation",
        *,
        output: str | int | None = None,
        input: str | int | None = None,
        softmax: str = "before",
        **options: Any,
    ):
        self.model = model
        self.neuron_selection_mode = neuron_selection_mode
        self.graph = open_model(model, self.stays_closed)
        self._inputs = self._indices(model.inputs, input, "input")
        outputs = self._indices(model.outputs, output, "output")
        if len(outputs) > 1:
            raise ValueError(
                "Which output to explain is not clear. Expected output= one of "
                f"{_labels(model, 'output')}. Received: output=None, and a model with "
                f"{len(outputs)} outputs"
            )
        self.output, self.softmax_removed = self._explained(outputs[0], softmax)
        shape = self.output.shape
        if len(shape) != 2 or shape[-1] is None:
            raise ValueError(
                "Only one row of logits a sample can be explained. Expected an output "
                f"of shape (batch, classes). Received: {tuple(shape)}"
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

    def stays_closed(self, layer: keras.Layer) -> bool:
        """Whether a layer of the model is left in one piece."""
        return stays_closed(layer, ATOMIC)

    def prepare(self) -> None:
        """Compiles what `analyze` calls."""
        raise TypeError(f"{type(self).__name__} does not say how it explains.")

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        """Returns one map for each input; a neuron of -1 is the largest logit."""
        raise TypeError(f"{type(self).__name__} does not say how it explains.")

    def analyze(
        self, x: Images, neuron_selection: Neurons = None
    ) -> np.ndarray | list[np.ndarray]:
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
        return self._of_inputs(self._explain(images, neurons))

    def _of_inputs(self, maps: Sequence[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        """Chooses the maps of the inputs that are explained."""
        chosen = [maps[index] for index in self._inputs]
        return chosen[0] if len(chosen) == 1 else chosen

    def forward(
        self, images: Sequence[Tensor], compute: StepFunction | None = None
    ) -> Tensor:
        """Computes the explained output step by step, in the working precision.

        Args:
            images: One tensor an input.
            compute: Computes one step, as `self.compute_step`; an analyzer that looks
                at the values on their way gives its own.
        """
        values = dict(zip(map(id, self.graph.inputs), images, strict=True))
        self.run_steps(self.graph.steps, values, compute or self.compute_step)
        return values[id(self.output)]

    def run_steps(
        self, steps: Sequence[Step], values: dict[int, Any], compute: StepFunction
    ) -> None:
        """Computes some steps, and adds the results to `values`, by the tensors' ids.

        Args:
            steps: Some of the graph's steps, in its order.
            values: From the ids of tensors to their values.
            compute: Computes one step from its arguments, as `self.compute_step`.
        """
        for step in steps:
            args, kwargs = fill_in(step, values)
            store(step, compute(step, args, kwargs), values)

    def compute_step(self, step: Step, args: Any, kwargs: Any) -> Any:
        """Computes one step of `forward`."""
        if is_linear(step):
            return LinearLayer(step.operation).output(args[0])
        return compute_step(step, args, kwargs)

    def logits(self, images: Sequence[Tensor]) -> Tensor:
        """Calls the model itself, where its output is what is explained."""
        model = self.model
        single = working_precision() == SINGLE and not is_half_precision(model)
        if self.softmax_removed or len(model.outputs) > 1 or not single:
            return self.forward(images)
        if len(images) == 1:
            return model(images[0], training=False)
        return model(pack_inputs(model, list(images)), training=False)

    def _explained(self, index: int, softmax: str) -> tuple[Tensor, bool]:
        """Finds what is explained: an output, or what goes into its softmax.

        Returns:
            The symbolic tensor, and whether a softmax or sigmoid was left out.
        """
        if softmax not in ("before", "after"):
            raise ValueError(
                "Unknown side of the softmax. Expected softmax='before' or 'after'. "
                f"Received: softmax={softmax!r}"
            )
        output = self.graph.outputs[index]
        for step in self.graph.steps:
            if step.outputs[0] is not output:
                continue
            name = name_of(step).lower()
            if name == "activation":
                name = activation_name(step)
            if name in PROBABILITIES and softmax == "before":
                warnings.warn(
                    f"The model ends in a {name}; what goes into it is explained. For "
                    "the probability itself, say softmax='after'.",
                    stacklevel=5,
                )
                return sources(step)[0], True
        return output, False

    def _indices(
        self,
        ends: Sequence[Any],
        chosen: str | int | None,
        what: Literal["input", "output"],
    ) -> list[int]:
        """Returns the indices of the chosen inputs or outputs; of all for None."""
        names = _labels(self.model, what)
        if chosen is None:
            return list(range(len(ends)))
        if chosen in names:
            return [names.index(str(chosen))]
        if isinstance(chosen, int) and not isinstance(chosen, bool):
            if 0 <= chosen < len(ends):
                return [chosen]
        raise ValueError(
            f"The model has no such {what}. Expected one of {names}, or a number from "
            f"0 to {len(ends) - 1}. Received: {what}={chosen!r}"
        )

    def _checked(
        self, x: Images, neuron_selection: Neurons
    ) -> tuple[list[np.ndarray], np.ndarray]:
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

    def _neurons(self, neuron_selection: Neurons, batch: int) -> np.ndarray:
        """Returns one neuron for each sample; -1 is the largest logit."""
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


def choose(outputs: Tensor, neurons: Tensor) -> Tensor:
    """Picks one logit a sample; a negative index picks the largest."""
    largest = ops.cast(ops.argmax(outputs, axis=-1), "int32")
    neurons = ops.where(neurons < 0, largest, neurons)
    return ops.sum(
        outputs * ops.one_hot(neurons, outputs.shape[-1], dtype=outputs.dtype), axis=-1
    )


def is_half_precision(model: keras.Model) -> bool:
    """Whether some layer of a model computes in less than float32."""
    layers = all_layers(model, include_self=False)
    return any(layer.compute_dtype in ("float16", "bfloat16") for layer in layers)


def _labels(model: keras.Model, what: Literal["input", "output"]) -> list[str]:
    if what == "input":
        return [tensor.name for tensor in model.inputs]
    # A Sequential model has one output and no list of names.
    return list(getattr(model, "output_names", None) or [model.layers[-1].name])


def _is_listed(x: list[Any], model: keras.Model) -> bool:
    """Whether a list contains the one input, and is not itself the batch."""
    return len(x) == 1 and np.ndim(x[0]) == len(model.inputs[0].shape)
