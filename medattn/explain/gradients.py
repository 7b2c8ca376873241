"""The one place where the backends differ: a value and its gradients, compiled."""

import keras


def value_and_gradients(function):
    """Compiles a function together with the gradient of its value.

    Args:
        function: Takes the tensors to differentiate by, as a list, and then other
            tensors; returns `(value, extra)`, the value `(batch,)`, where one sample's
            value must not depend on another sample.

    Returns:
        A function of the same arguments, as numpy arrays, that gives
        `(gradients, extra)` as numpy arrays: one gradient for each tensor of the list.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        compiled = _tensorflow(function)
    elif backend == "jax":
        compiled = _jax(function)
    else:
        compiled = _torch(function)

    def call(wanted, *others):
        gradients, extra = compiled(
            [keras.ops.convert_to_tensor(array) for array in wanted],
            *[keras.ops.convert_to_tensor(array) for array in others],
        )
        return keras.tree.map_structure(keras.ops.convert_to_numpy, (gradients, extra))

    return call


def _tensorflow(function):
    import tensorflow as tf

    def differentiate(wanted, *others):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(wanted)
            value, extra = function(wanted, *others)
        return tape.gradient(value, wanted), extra

    compiled = None

    def call(*arguments):
        nonlocal compiled
        if compiled is None:  # once, for any number of samples
            any_batch = keras.tree.map_structure(
                lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype),
                list(arguments),
            )
            compiled = tf.function(
                differentiate, input_signature=any_batch, autograph=False
            )
        return compiled(*arguments)

    return call


def _jax(function):
    import jax

    def total(wanted, *others):
        value, extra = function(wanted, *others)
        return value.sum(), extra

    return jax.jit(jax.grad(total, has_aux=True))


def _torch(function):
    import torch

    def compiled(wanted, *others):
        wanted = [tensor.detach().requires_grad_() for tensor in wanted]
        with torch.enable_grad():
            value, extra = function(wanted, *others)
            gradients = torch.autograd.grad(value.sum(), wanted)
        return list(gradients), keras.tree.map_structure(lambda t: t.detach(), extra)

    return compiled
