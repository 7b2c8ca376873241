"""Images that maximise a neuron's activation, made by tf-keras-vis."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from medattn.explain.gradient.cams import CAM, check_backend
from medattn.layers.tensor import Tensor


def visualize_neuron(
    model: keras.Model,
    neuron: int,
    *,
    layer: str | None = None,
    steps: int = 200,
    learning_rate: float = 0.02,
    total_variation: float = 300.0,
    norm: float = 0.1,
    jitter: int = 4,
    seed: int = 0,
) -> np.ndarray:
    """Makes an image that maximises the activation of a neuron.

    x <- x + step in the direction of d (score(x) - penalties(x)) / d x, from noise on,
    in the loop of tf-keras-vis (RMSprop); the image is shifted a little at each step.

    The image shows what activates the neuron, not what the model has seen.

    Args:
        model: A functional or Sequential `keras.Model` from images to logits.
        neuron: Which logit; or which channel of `layer`, whose mean over positions
            is the score.
        layer: Name of a layer with a feature map; None takes the logits.
        steps: Number of steps.
        learning_rate: Of RMSprop, in units of a pixel.
        total_variation: Weight of the penalty on differences between neighbours.
        norm: Weight of the penalty on the mean absolute value of pixels.
        jitter: Largest shift of the image at each step, in pixels.
        seed: Seed of the initial noise and the shifts.

    Returns:
        `(height, width, channels)`, float32 in [0, 1].

    Raises:
        ValueError: If the backend is not TensorFlow, or there is no such neuron.
    """
    check_backend("visualize_neuron")
    import tensorflow as tf
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.activation_maximization.regularizers import (
        Norm,
        TotalVariation2D,
    )

    reader = _NetworkReader(model, "index", layer=layer)
    inputs, feature_map = reader.network.inputs, reader.network.feature_map
    outputs = reader.network.outputs[0] if layer is None else feature_map
    count = outputs.shape[-1]
    is_integer = isinstance(neuron, int | np.integer) and not isinstance(neuron, bool)
    if not is_integer or not 0 <= neuron < count or len(inputs) > 1:
        raise ValueError(
            "There is no such neuron to visualise. Expected an integer from 0 to "
            f"{count - 1}, and a model with one image as input. "
            f"Received: neuron={neuron!r}, and {len(inputs)} inputs"
        )
    rng = np.random.default_rng(seed)

    def shifted(image: Tensor) -> Tensor:
        shift = rng.integers(-jitter, jitter + 1, 2)
        image = tf.clip_by_value(image, 0.0, 1.0)  # tf-keras-vis clips only at the end
        return tf.roll(image, shift, axis=(1, 2))

    start = rng.uniform(0.4, 0.6, (1, *inputs[0].shape[1:])).astype(np.float32)
    compiled = CompiledModel(keras.Model(inputs, outputs))
    maximise = ActivationMaximization(keras.Model(inputs, compiled(inputs[0])))
    image = maximise(
        lambda values: values[..., neuron],
        seed_input=start,
        input_range=(0.0, 1.0),
        input_modifiers=[shifted],
        regularizers=[TotalVariation2D(total_variation), Norm(norm, p=1)],
        steps=steps,
        optimizer=keras.optimizers.RMSprop(learning_rate, rho=0.999),
    )
    return np.asarray(image)[0]


class CompiledModel(keras.layers.Layer):
    """A model as one layer that runs as a graph, for a loop that runs eagerly."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name="compiled", dtype="float32")
        import tensorflow as tf

        self._run = tf.function(lambda image: model([image]), autograph=False)

    def call(self, image: Tensor) -> Tensor:
        return self._run(image)


class _NetworkReader(CAM):
    """A CAM that is not computed; only its split network is used."""

    def visualizer_class(self) -> Callable[..., Any]:
        return lambda network: None
