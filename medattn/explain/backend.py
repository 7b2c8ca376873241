"""The one place where the backends differ: a value and its gradients, compiled."""

import contextlib
import contextvars

import keras

from medattn.explain.precision import SINGLE, reckoned_in, with_digits

ALWAYS, UNLESS_COMPILED, NEVER = "always", "unless_compiled", "never"
_eager = contextvars.ContextVar("eager", default=NEVER)


@contextlib.contextmanager
def run_eagerly(unless_compiled=False):
    """Lets analyzers that are called inside work step by step, nothing compiled.

    As `run_eagerly` of `keras.Model.compile`: a call takes about ten times as long, but
    the first takes no seconds, which is what counts where someone tries one analyzer
    after another. The same analyzer may be called outside, too.

    ```python
    with run_eagerly():
        relevance = analyzer.analyze(images)
    ```

    Args:
        unless_compiled: Whether what was compiled by a call outside is used.
    """
    token = _eager.set(UNLESS_COMPILED if unless_compiled else ALWAYS)
    try:
        yield
    finally:
        _eager.reset(token)


def runs_eagerly(is_compiled):
    """Tells whether something is to be done step by step now.

    Args:
        is_compiled: Whether it is compiled.
    """
    return _eager.get() == ALWAYS or _eager.get() == UNLESS_COMPILED and not is_compiled


def value_and_gradients(function, slopes=True):
    """Compiles a function together with the gradient of its value.

    Args:
        function: Takes the tensors to differentiate by, as a list, and then other
            tensors, or lists of them; returns `(value, extra)`, the value `(batch,)`,
            where one sample's value must not depend on another sample.
        slopes: False if only `extra` is wanted, and no gradient.

    Returns:
        A function of the same arguments, as numpy arrays, that gives
        `(gradients, extra)` as numpy arrays: one gradient for each tensor of the list.
        Its `precision` is that in which all is reckoned; each is compiled once.
    """
    make = {"tensorflow": _tensorflow, "jax": _jax}.get(keras.backend.backend(), _torch)
    made, used = {}, set()

    def call(*arguments, precision=SINGLE):
        eager = runs_eagerly((precision, False) in used)
        key = precision, eager
        if key not in made:
            made[key] = make(function, slopes, eager)
        with reckoned_in(precision):
            given = keras.tree.map_structure(
                keras.ops.convert_to_tensor, with_digits(arguments, precision)
            )
            found = made[key](*given)
            used.add(key)  # only now is it compiled
            return keras.tree.map_structure(keras.ops.convert_to_numpy, found)

    return call


def _tensorflow(function, slopes, eager):
    import tensorflow as tf

    def differentiate(wanted, *others):
        if not slopes:
            return [], function(wanted, *others)[1]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(wanted)
            value, extra = function(wanted, *others)
        none = tf.UnconnectedGradients.ZERO  # of an input that the output never sees
        return tape.gradient(value, wanted, unconnected_gradients=none), extra

    if eager:
        return differentiate
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


def _jax(function, slopes, eager):
    import jax

    compiled = (lambda made: made) if eager else jax.jit
    if not slopes:
        return compiled(lambda *arguments: ([], function(*arguments)[1]))

    def total(wanted, *others):
        value, extra = function(wanted, *others)
        return value.sum(), extra

    return compiled(jax.grad(total, has_aux=True))


def _torch(function, slopes, eager):  # eager or not, torch compiles nothing here
    import torch

    def compiled(wanted, *others):
        if not slopes:
            with torch.no_grad():
                return [], function(wanted, *others)[1]
        wanted = [tensor.detach().requires_grad_() for tensor in wanted]
        with torch.enable_grad():
            value, extra = function(wanted, *others)
            gradients = torch.autograd.grad(
                value.sum(), wanted, allow_unused=True, materialize_grads=True
            )
        return list(gradients), keras.tree.map_structure(lambda t: t.detach(), extra)

    return compiled


def with_slope(value, x, slope):
    """Gives a value known otherwise the gradient that a rule asks for.

    The result is `value`; its derivative by `x` is `slope()`, elementwise. This is
    `x * [m] + [value - x * [m]]` with m the slope and [.] = stop_gradient, written so
    that TensorFlow computes nothing of it on the way forward: four passes over
    memory less, about a third of DenseNet-121's whole gradient on a CPU. The other
    backends get the plain form, which their compilers fuse or run as it stands.
    """
    if keras.backend.backend() != "tensorflow":
        m = keras.ops.stop_gradient(slope())
        carrier = x * m
        return carrier + keras.ops.stop_gradient(value - carrier)
    import tensorflow as tf

    value = tf.stop_gradient(value)

    @tf.custom_gradient
    def step(x):
        return tf.identity(value), lambda upstream: upstream * slope()

    return step(x)


def linear_in(function, x):
    """Runs a function linear in x, and keeps nothing of it for the way back.

    What it makes of weights, as their positive part, is as large as the network. In
    TensorFlow's graph all of it would be made at once, before the first layer, and held
    to the end; so it waits for x, and on the way back it is made again.
    """
    if keras.backend.backend() != "tensorflow":
        return function(x)
    import tensorflow as tf

    if tf.executing_eagerly():
        return function(x)

    @tf.custom_gradient
    def step(x):
        with tf.control_dependencies([x]):
            y = function(x)
        shape = tf.shape(x)  # all that a linear function's derivative asks of x

        def grad(upstream):
            with tf.control_dependencies([upstream]), tf.GradientTape() as tape:
                again = tf.zeros(shape, x.dtype)
                tape.watch(again)
                z = function(again)
            with tf.control_dependencies([upstream]):
                return tape.gradient(z, again, upstream)

        return y, grad

    return step(x)


def with_backward(function, x, backward):
    """Gives a step a backward pass of its own.

    Args:
        function: The step, from `x` to its result.
        x: What it depends on.
        backward: A function from `x` and the derivative by the result to that by `x`.
    """

    @keras.ops.custom_gradient
    def step(x):  # computes all in here: JAX lets nothing traced come in otherwise
        def grad(*args, upstream=None):
            return backward(x, args[0] if upstream is None else upstream)

        return function(x), grad

    return step(x)
