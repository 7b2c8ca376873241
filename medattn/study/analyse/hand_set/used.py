"""Which pixels a network set by hand uses, by construction and not by an analyzer.

The network is a chain of linear layers and ReLUs. On an image x each ReLU is on or off.
A path leads from a pixel to the logit through non-zero weights; it is active if all its
ReLUs are on. With W the weights along the path of units u_1, u_2, ...,

    strength(q) = sum over active paths from q of  prod |W|
    used        = {q : strength(q) > 0}

Why it is sound: a ReLU that is off passes zero whatever it sees, as long as it stays
off. So the logit is its constant plus what active paths bring, and every unit of an
active path sees, through units that are on, only pixels of `used`. Therefore, if an
image is changed outside `used` and no ReLU that was off goes on, the logit does not
change at all. `tolerance` computes how much every pixel may change for that to be
certain. Two active paths may cancel in a pixel; `|W|` counts it as used, for each of
the two detectors does see it. The network also depends on the other pixels by *not*
finding anything there; that is its constant, which no map of one image can place.

All is computed in float64 with numpy alone, a second derivation of what Keras computes.

References:
    - [Zhang et al., 2023](https://arxiv.org/abs/2310.06514), AttributionLab: networks
      set by hand, and attributions compared with what they use
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import keras

LIMIT = 0.1  # largest change of a pixel that `tolerance` looks at
HALVINGS = 24


class Step(NamedTuple):
    """One layer in numpy.

    Attributes:
        forward: From its input and a function on weights, `(x, of_weights)`, to its
            output without bias; `abs` gives the bounds of intervals.
        backward: From strengths of its output to those of its input, with |weights|.
        bias: Added to the output; 0 if none.
        relu: Whether it is a ReLU.
    """

    forward: Callable[[np.ndarray, Callable], np.ndarray]
    backward: Callable[[np.ndarray], np.ndarray]
    bias: Any = 0.0
    relu: bool = False


def numpy_logits(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    """Computes the logits in numpy, float64, `(batch, classes)`."""
    return _outputs(numpy_steps(model), images)[-1]


def path_strength(
    model: "keras.Model", images: np.ndarray, *, neuron: int = 1
) -> np.ndarray:
    """Sums the absolute weights of all active paths from each pixel to a logit.

    Args:
        model: A chain of the layers that `numpy_steps` knows.
        images: `(batch, height, width, channels)`.
        neuron: Which logit.

    Returns:
        `(batch, height, width)`, >= 0, summed over the channels of a pixel.
    """
    steps = numpy_steps(model)
    outputs = _outputs(steps, images)
    strength = np.zeros_like(outputs[-1])
    strength[:, neuron] = 1
    for step, x in zip(reversed(steps), reversed(outputs[:-1]), strict=True):
        strength = strength * (x > 0) if step.relu else step.backward(strength)
    return strength.sum(axis=-1)


def used_pixels(
    model: "keras.Model", images: np.ndarray, *, neuron: int = 1
) -> np.ndarray:
    """Marks the pixels from which an active path leads to a logit.

    Args:
        model: See `path_strength`.
        images: See `path_strength`.
        neuron: See `path_strength`.

    Returns:
        `(batch, height, width)`, bool; empty where no detector is on.
    """
    return path_strength(model, images, neuron=neuron) > 0


def tolerance(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    """Computes how much pixels outside `used` may change without any effect.

    Every channel of every pixel q may change by up to tolerance(q), all at once, and no
    ReLU that is off goes on: interval arithmetic proves it, `|W|` times the largest
    change of the input. Where it does not, the changes of the pixels that reach that
    ReLU are halved.

    Args:
        model: See `path_strength`.
        images: See `path_strength`.

    Returns:
        `(batch, height, width)`, in [0, 0.1]; 0 inside `used`.
    """
    steps = numpy_steps(model)
    used = used_pixels(model, images)
    outputs = _outputs(steps, images)
    allowed = np.where(used, 0.0, LIMIT)
    for _ in range(HALVINGS):
        reached = _awake(steps, outputs, allowed)
        if not reached.any():
            return allowed
        allowed = np.where(reached, allowed / 2, allowed)
    return np.where(reached, 0.0, allowed)


def numpy_steps(model: "keras.Model") -> list[Step]:
    """Translates a chain of Keras layers into numpy.

    Args:
        model: A functional model without branches, of Conv2D, Dense, ReLU, average
            pooling, global average pooling and Flatten.

    Returns:
        A list of `Step`s.

    Raises:
        ValueError: If a layer is of another kind.
    """
    steps = []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "InputLayer":
            continue
        if kind not in _STEPS:
            raise ValueError(
                "What this network uses cannot be told by construction. Expected a "
                f"chain of {list(_STEPS)}. Received: a layer {kind}"
            )
        steps.append(_STEPS[kind](layer))
    return steps


def _outputs(steps, images):
    """The input, and the output of every step."""
    outputs = [np.asarray(images, np.float64)]
    for step in steps:
        x = outputs[-1]
        y = np.maximum(x, 0) if step.relu else step.forward(x, np.asarray) + step.bias
        outputs.append(y)
    return outputs


def _awake(steps, outputs, allowed):
    """Marks the pixels that reach a ReLU which is off and might go on."""
    x = outputs[0]
    low, high = x - allowed[..., None], x + allowed[..., None]
    found = np.zeros(allowed.shape, bool)
    for position, step in enumerate(steps):
        if step.relu:
            awake = (outputs[position] <= 0) & (high > 0) & (high > low)
            if awake.any():
                found |= _reach(steps[:position], awake)
            low, high = np.maximum(low, 0), np.maximum(high, 0)
        else:
            middle = step.forward((low + high) / 2, np.asarray) + step.bias
            width = step.forward((high - low) / 2, np.abs)
            low, high = middle - width, middle + width
    return found


def _reach(steps, units):
    """Marks the pixels from which any path leads to the given units."""
    strength = units.astype(np.float64)
    for step in reversed(steps):
        strength = strength if step.relu else step.backward(strength)
    return (strength > 0).any(axis=-1)


def _dense(layer):
    kernel, bias = map(_float64, layer.get_weights())
    return Step(lambda x, of: x @ of(kernel), lambda s: s @ np.abs(kernel).T, bias=bias)


def _conv(layer):
    kernel, bias = map(_float64, layer.get_weights())
    height, width = kernel.shape[:2]
    same = layer.padding == "same"
    pads = ((height - 1) // 2, (width - 1) // 2) if same else (0, 0)
    pad = ((0, 0), (pads[0], height - 1 - pads[0]), (pads[1], width - 1 - pads[1]))
    pad = (*pad, (0, 0)) if same else ((0, 0),) * 4

    def forward(x, of):
        x = np.pad(x, pad)
        rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
        return sum(
            x[:, i : i + rows, j : j + columns] @ of(kernel[i, j])
            for i in range(height)
            for j in range(width)
        )

    def backward(s):
        rows, columns = s.shape[1:3]
        shape = (len(s), rows + height - 1, columns + width - 1, kernel.shape[2])
        found = np.zeros(shape)
        for i in range(height):
            for j in range(width):
                part = s @ np.abs(kernel[i, j]).T
                found[:, i : i + rows, j : j + columns] += part
        (_, _), (top, bottom), (left, right), _ = pad
        return found[:, top : shape[1] - bottom, left : shape[2] - right]

    return Step(forward, backward, bias=bias)


def _average(layer):
    down, side = layer.pool_size

    def forward(x, of):
        n, height, width, channels = x.shape
        cells = x.reshape(n, height // down, down, width // side, side, channels)
        return cells.mean(axis=(2, 4))

    return Step(forward, lambda s: s.repeat(down, 1).repeat(side, 2) / (down * side))


def _global_average(layer):
    _, height, width, _ = layer.input.shape
    ones = np.ones((1, height, width, 1)) / (height * width)
    return Step(lambda x, of: x.mean(axis=(1, 2)), lambda s: s[:, None, None] * ones)


def _flatten(layer):
    shape = layer.input.shape[1:]
    return Step(
        lambda x, of: x.reshape(len(x), -1), lambda s: s.reshape(len(s), *shape)
    )


def _relu(layer):
    return Step(lambda x, of: x, lambda s: s, relu=True)


def _float64(weights):
    return np.asarray(weights, np.float64)


_STEPS = {
    "Conv2D": _conv,
    "Dense": _dense,
    "Activation": _relu,
    "AveragePooling2D": _average,
    "GlobalAveragePooling2D": _global_average,
    "Flatten": _flatten,
}
