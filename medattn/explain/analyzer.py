"""What all analyzers share: the model, what of it is explained, and the checks."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import ops

from medattn.explain.backend import Compiled, value_and_gradients, with_precision
from medattn.explain.checks import (
    Images,
    check_floating,
    checked_arrays,
    index_of,
    labels,
)
from medattn.explain.graph.compute import compute_step
from medattn.explain.graph.linear_layers import LinearLayer, is_linear
from medattn.explain.graph.model_runner import (
    ModelRunner,
    explained_tensor,
    is_half_precision,
    tensor_at,
)
from medattn.explain.graph.operations import ATOMIC
from medattn.explain.graph.registry import stays_closed
from medattn.explain.graph.steps import (
    Step,
    fill_in,
    is_floating,
    store,
)
from medattn.explain.graph.trace import check_functional, open_model, with_fixed
from medattn.explain.graph.tracer import is_functional
from medattn.explain.graph.verify import (
    check_opened,
    check_unquantised,
    place_not_finite,
)
from medattn.explain.neurons import Neurons, as_row, checked_neurons
from medattn.explain.precision import SINGLE, working_precision
from medattn.layers.tensor import Tensor

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
        at: Name of a layer whose output is explained instead of the inputs, such as an
            embedding.
        **options: The analyzer's own; see its `options`.
    """

    options: ClassVar[Mapping[str, Any]] = {}  # names and defaults
    opens_model: ClassVar[bool] = True  # False if the model runs as it is

    def __init__(
        self,
        model: keras.Model,
        neuron_selection_mode: str = "max_activation",
        *,
        output: str | int | None = None,
        input: str | int | None = None,
        softmax: str = "before",
        at: str | None = None,
        **options: Any,
    ):
        self.model, self.softmax, self.at = model, softmax, at
        self.neuron_selection_mode = neuron_selection_mode
        for name, value in self.options.items():
            setattr(self, name, options.pop(name, value))
        if options:
            raise ValueError(
                f"Unknown options. Expected some of {sorted(self.options)}. "
                f"Received: {sorted(options)}"
            )
        if softmax not in ("before", "after"):
            raise ValueError(
                "Unknown side of the softmax. Expected softmax='before' or 'after'. "
                f"Received: softmax={softmax!r}"
            )
        functional = is_functional(model)
        if self.opens_model or not isinstance(model, keras.Model):
            check_functional(model)
        if functional:
            self._find_ends(input, output)
        else:
            self._find_ends_of_subclassed(input, output)
        self._by_shape: dict[str, Self] = {}
        every = with_fixed(model, self.entries) if self.entries else []
        sizes = [size for tensor in every for size in tensor.shape[1:]]
        self._waits = self.opens_model and None in sizes
        self._first_call = True
        if not self._waits:
            self._open(None)

    def _find_ends(self, input: str | int | None, output: str | int | None) -> None:
        """Finds the inputs and the output of a functional model."""
        model = self.model
        self.entries: list[Any] | None = list(model.inputs)
        self.names: list[str] | None = labels(model, "input")
        if self.at is not None:
            self.entries = [tensor_at(model, self.at)]
            self.names = [self.at]
        self._inputs = index_of(self.names, input, "input")
        check_floating(model, self.names, self.entries, self._inputs)
        ends = labels(model, "output")
        outputs = index_of(ends, output, "output")
        if len(outputs) > 1:
            raise ValueError(
                "Which output to explain is not clear. Expected output= one of "
                f"{ends}. Received: output=None, and a model with {len(outputs)} "
                "outputs"
            )
        self._output = outputs[0]
        shape = tuple(model.outputs[self._output].shape)[1:]
        self._output_shape: tuple[int | None, ...] | None = shape
        self.classes: int | None = shape[0] if len(shape) == 1 else None

    def _find_ends_of_subclassed(
        self, input: str | int | None, output: str | int | None
    ) -> None:
        """Takes a model that does not show its inputs."""
        if self.at is not None or isinstance(input, str) or isinstance(output, str):
            raise ValueError(
                "A subclassed model does not show its layers. Expected numbers for "
                "input and output, and no at=. Received: "
                f"at={self.at!r}, input={input!r}, output={output!r}"
            )
        self.entries = self.names = self._output_shape = self.classes = None
        self._inputs = [0] if input is None else [input]
        self._output = 0 if output is None else output

    def _open(self, shapes: Sequence[Any] | None) -> None:
        """Opens the model for inputs of these shapes, and compiles what it needs."""
        keep = self.softmax == "after"
        start = None if self.at is None else self.entries
        self.runner = ModelRunner(
            self.model, start, self._output, keep_probability=keep
        )
        self.softmax_removed = self.runner.removed
        if self.opens_model:
            check_unquantised(self.model)
            self.graph = open_model(
                self.model, self.stays_closed, inputs=start, shapes=shapes
            )
            self.output, self.softmax_removed = explained_tensor(
                self.graph, self._output, keep_probability=keep
            )
        if self.softmax_removed and shapes is None:
            warnings.warn(
                f"The model ends in a {self.softmax_removed}; what goes into it is "
                "explained. For the probability itself, say softmax='after'.",
                stacklevel=5,
            )
        self.prepare()

    def _for(self, arrays: Sequence[np.ndarray]) -> Self:
        """Returns this analyzer, opened for arrays of these shapes."""
        if not self._waits:
            return self
        shapes = [(None, *array.shape[1:]) for array in arrays]
        if str(shapes) not in self._by_shape:
            made = copy.copy(self)
            made._waits = False
            made._open(shapes)
            self._by_shape[str(shapes)] = made
        return self._by_shape[str(shapes)]

    def stays_closed(self, layer: keras.Layer) -> bool:
        """Whether a layer of the model is left in one piece."""
        return stays_closed(layer, ATOMIC)

    def prepare(self) -> None:
        """Compiles what `analyze` calls."""
        raise TypeError(f"{type(self).__name__} does not say how it explains.")

    def compiled(
        self, function: Callable[..., Any], gradients: bool = True
    ) -> Compiled:
        """Compiles a function of this analyzer, see `value_and_gradients`."""
        per_sample = self.opens_model and self.graph.per_sample
        return value_and_gradients(function, gradients, per_sample=per_sample)

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
                sample; in any mode a pair `(a, b)`, for logit a less logit b, or some
                logits' sum by a mask. Of an output that is a map, as a segmentation's,
                a mask of its shape (with or without the channels; weights, too), or a
                box as `np.s_[top:bottom, left:right, channel]`, whose sum is explained;
                an integer is a channel, summed over all positions, and None the largest
                entry.

        Returns:
            The attribution of every pixel and channel (or entry of `at`), same shape,
            signed, in logits; a list of such for several inputs, unless one was chosen.

        Raises:
            ValueError: If the images do not fit the model, or the selection does not
                fit the mode.
        """
        images, neurons = self._checked(x, neuron_selection)
        opened = self._for(images)
        maps = opened._explain(images, neurons)
        if opened._first_call:
            opened._first_call = False
            if opened.check_first(images, neurons):
                maps = opened._explain(images, neurons)
        opened.check_finite(maps, images)
        return self._of_inputs(maps)

    def split(self, arrays: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Splits the inputs into those with a derivative and the others."""
        moving = [self._is_moving(index) for index in range(len(arrays))]
        pairs = list(zip(arrays, moving, strict=True))
        return [a for a, m in pairs if m], [a for a, m in pairs if not m]

    def joined(self, moving: Sequence[Any], still: Sequence[Any]) -> list[Any]:
        """Puts the inputs in order again, see `split`."""
        left, right = iter(moving), iter(still)
        count = len(moving) + len(still)
        return [
            next(left if self._is_moving(index) else right) for index in range(count)
        ]

    def _is_moving(self, index: int) -> bool:
        """Whether an input has a derivative and is no constant."""
        if self.entries is None:
            return True
        return index < len(self.entries) and is_floating(self.entries[index])

    def check_first(self, images: list[np.ndarray], neurons: np.ndarray) -> bool:
        """Checks, after the first call, that what was explained is the model.

        Returns:
            Whether to explain again, as another precision was chosen.

        Raises:
            ValueError: If the opened model does not compute what the model does.
        """
        if self.opens_model:
            check_opened(self, [x[:1] for x in images])
        return False

    def plain_values(self, images: Sequence[np.ndarray]) -> dict[int, Tensor]:
        """Computes every step of the graph as the model does."""
        given = with_precision(list(images), working_precision())
        tensors = [ops.convert_to_tensor(image) for image in given]
        values = dict(zip(map(id, self.graph.inputs), tensors, strict=True))
        self.run_steps(self.graph.steps, values, self.compute_step)
        return values

    def rewritten_values(
        self, images: Sequence[np.ndarray]
    ) -> tuple[dict[int, Tensor], Tensor | None]:
        """Computes the steps as this analyzer rewrites them.

        Returns:
            Their values, by the ids of the graph's tensors, and what is explained;
            nothing if this analyzer rewrites nothing.
        """
        return {}, None

    def check_finite(
        self, maps: Sequence[np.ndarray], images: list[np.ndarray]
    ) -> None:
        """Refuses to return a map with NaN or infinity in it."""
        if all(np.isfinite(each).all() for each in maps):
            return
        raise ValueError(
            "The map has entries that are no numbers. Expected a model whose "
            f"explanation is finite. Received: {self.model.name!r}"
            f"{self.where_not_finite(images)}"
        )

    def where_not_finite(self, images: list[np.ndarray]) -> str:
        """Says where the first value that is no number was computed, if it is known."""
        return place_not_finite(self, images) if self.opens_model else ""

    def _of_inputs(self, maps: Sequence[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        """Chooses the maps of the inputs that are explained."""
        if self.entries is None and self._inputs == [0]:
            return maps[0] if len(maps) == 1 else list(maps)
        chosen = [maps[index] for index in self._inputs]
        return chosen[0] if len(chosen) == 1 else chosen

    def forward(
        self, images: Sequence[Tensor], compute: StepFunction | None = None
    ) -> Tensor:
        """Computes the explained output step by step, `(batch, entries)`.

        In the working precision.

        Args:
            images: One tensor an input.
            compute: Computes one step, as `self.compute_step`; an analyzer that looks
                at the values on their way gives its own.
        """
        values = dict(zip(map(id, self.graph.inputs), images, strict=True))
        self.run_steps(self.graph.steps, values, compute or self.compute_step)
        return as_row(values[id(self.output)])

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
            return LinearLayer(step.operation, given=args[1:]).output(args[0])
        return compute_step(step, args, kwargs)

    def logits(self, images: Sequence[Tensor]) -> Tensor:
        """Computes the explained output by the model itself, where that is possible."""
        single = working_precision() == SINGLE and not is_half_precision(self.model)
        if (
            not self.opens_model
            or single
            and self.softmax_removed == self.runner.removed
        ):
            return as_row(self.runner(images))
        return self.forward(images)

    def _checked(
        self, x: Images, neuron_selection: Neurons
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Returns the inputs as a list of arrays, and the neurons."""
        names, tensors = self.names, self.entries
        if self.at is not None:
            names, tensors = labels(self.model, "input"), self.model.inputs
        arrays = checked_arrays(
            x,
            names,
            [tuple(tensor.shape) for tensor in tensors or []],
            [tensor.dtype for tensor in tensors or []],
        )
        neurons = checked_neurons(
            neuron_selection,
            self.neuron_selection_mode,
            len(arrays[0]),
            self._output_shape,
        )
        if self.at is None:
            return arrays, neurons
        return [*self._at_entries(arrays), *arrays], neurons

    def _at_entries(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Computes what the layer `at` makes of the model's inputs."""
        runner = ModelRunner(self.model)
        values = runner.started([ops.convert_to_tensor(a) for a in arrays])
        found = runner.run(self.entries or [], values)
        return [np.asarray(ops.convert_to_numpy(each), np.float32) for each in found]
