"""Transformer attribution: against a gradient computed layer by layer."""

import keras
import numpy as np
from keras import layers

from medattn.explain import create_analyzer
from medattn.explain.spatial import upsampled


def logits_with_changed_scores(model, x, blocks, change):
    """Runs the DeiT layer by layer, with `change[i]` added to the i-th attention."""
    values = {}
    for layer in model.operations:
        if isinstance(layer, layers.InputLayer):
            values[layer.output.name] = x
            continue
        if "GetItem" in type(layer).__name__:
            values[layer.output.name] = values[layer.input.name][:, 0]
            continue
        given = keras.tree.map_structure(lambda t: values[t.name], layer.input)
        if layer in blocks:
            scores = layer.scores(given) + change[blocks.index(layer)]
            values[layer.output.name] = layer.mix(given, scores)
        else:
            values[layer.output.name] = layer(given)
    return values[model.outputs[0].name]


def test_transformer_attribution_is_positive_attention_times_gradient_rolled_out(deit):
    """R <- R + E_h[(dA * A)+] R, with dA from `logits_with_changed_scores`."""
    import tensorflow as tf

    model, images, blocks, scores = deit
    chosen = np.array([1, 0, 1])
    change = [tf.Variable(np.zeros_like(each)) for each in scores]
    with tf.GradientTape() as tape:
        logits = logits_with_changed_scores(model, images, blocks, change)
        logit = tf.reduce_sum(tf.gather(logits, chosen, batch_dims=1))
    np.testing.assert_allclose(logits, model(images), rtol=1e-4, atol=1e-5)
    gradients = tape.gradient(logit, change)
    total = np.broadcast_to(np.eye(65), (3, 65, 65)).copy()
    for a, da in zip(scores, gradients, strict=True):
        total += np.maximum(a * da.numpy(), 0).mean(1) @ total
    expected = upsampled(total[:, 0, 1:].reshape(3, 8, 8), (64, 64))
    analyzer = create_analyzer(
        "attention.transformer", model, neuron_selection_mode="index"
    )
    found = analyzer.analyze(images, chosen)
    scale = expected.max()
    np.testing.assert_allclose(found.sum(-1), expected, rtol=1e-3, atol=1e-4 * scale)
    other = analyzer.analyze(images, 1 - chosen)
    assert np.abs(other - found).max() > 1e-2 * np.abs(found).max()
