"""What a neuron answers to most: images made by tf-keras-vis's activation maximum."""

import keras
import numpy as np

from medattn.explain.gradient.cams import CAM, check_backend


def visualize_neuron(
    model,
    neuron,
    *,
    layer=None,
    steps=200,
    learning_rate=0.02,
    total_variation=300.0,
    norm=0.1,
    jitter=4,
    seed=0,
):
    """Makes an image that a neuron answers to as strongly as it can.

    x <- x + step in the direction of d (score(x) - penalties(x)) / d x, from noise on,
    in tf-keras-vis's own loop (RMSprop), the image shifted a little before each step.

    The image shows what drives the neuron, not what the model has seen.

    Args:
        model: A functional or Sequential `keras.Model` from images to logits.
        neuron: Which logit; or which channel of `layer`, of which the mean over places
            is the score.
        layer: Name of a layer with a feature map; None takes the logits.
        steps: Number of steps.
        learning_rate: Of RMSprop, in units of a pixel.
        total_variation: Weight of the penalty on differences between neighbours.
        norm: Weight of the penalty on the mean size of pixels.
        jitter: The image is shifted by up to that many pixels before each step.
        seed: Of the noise at the start and the shifts.

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

    reader = _Reader(model, "index", layer=layer)
    inputs, feature_map = reader.network.inputs, reader.network.feature_map
    outputs = reader.network.outputs[0] if layer is None else feature_map
    count = outputs.shape[-1]
    whole = isinstance(neuron, int | np.integer) and not isinstance(neuron, bool)
    if not whole or not 0 <= neuron < count or len(inputs) > 1:
        raise ValueError(
            "There is no such neuron to visualise. Expected an integer from 0 to "
            f"{count - 1}, and a model with one image as input. "
            f"Received: neuron={neuron!r}, and {len(inputs)} inputs"
        )
    rng = np.random.default_rng(seed)

    def shifted(image):
        shift = rng.integers(-jitter, jitter + 1, 2)
        image = tf.clip_by_value(image, 0.0, 1.0)  # theirs does so at the end alone
        return tf.roll(image, shift, axis=(1, 2))

    start = rng.uniform(0.4, 0.6, (1, *inputs[0].shape[1:])).astype(np.float32)
    quick = Compiled(keras.Model(inputs, outputs))
    maximise = ActivationMaximization(keras.Model(inputs, quick(inputs[0])))
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


class Compiled(keras.layers.Layer):
    """A model as one layer that runs as a graph, in a loop that is not one."""

    def __init__(self, model):
        super().__init__(name="compiled", dtype="float32")
        import tensorflow as tf

        self._run = tf.function(lambda image: model([image]), autograph=False)

    def call(self, image):
        return self._run(image)


class _Reader(CAM):
    """A CAM that is not drawn, for its network of one layer."""

    def visualiser(self):
        return lambda network: None
