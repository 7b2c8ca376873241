"""The one place where the backends differ: a value and its gradients, compiled."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

import keras
import numpy as np

from medattn.explain.precision import (
    DOUBLE,
    SINGLE,
    Precision,
    has_double,
    use_precision,
)
from medattn.layers.tensor import Tensor

EagerMode = Literal["always", "unless_compiled", "never"]
_eager: contextvars.ContextVar[EagerMode] = contextvars.ContextVar(
    "eager", default="never"
)


class Compiled(Protocol):
    """A function of numpy arrays, compiled once for each precision."""

    def __call__(self, *arguments: Any, precision: Precision = SINGLE) -> Any: ...


@contextlib.contextmanager
def run_eagerly(unless_compiled: bool = False) -> Iterator[None]:
    """Lets analyzers that are called inside run step by step, nothing compiled.

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
    token = _eager.set("unless_compiled" if unless_compiled else "always")
    try:
        yield
    finally:
        _eager.reset(token)


def runs_eagerly(is_compiled: bool) -> bool:
    """Whether something is to run step by step now.

    Args:
        is_compiled: Whether it is compiled.
    """
    mode = _eager.get()
    return mode == "always" or mode == "unless_compiled" and not is_compiled


def value_and_gradients(
    function: Callable[..., tuple[Any, Any]], gradients: bool = True
) -> Compiled:
    """Compiles a function together with the gradient of its value.

    Args:
        function: Takes the tensors to differentiate by, as a list, and then other
            tensors, or lists of them; returns `(value, extra)`, the value `(batch,)`,
            where one sample's value must not depend on another sample.
        gradients: False if only `extra` is wanted, and no gradient.

    Returns:
        A function of the same arguments, as numpy arrays, that gives
        `(gradients, extra)` as numpy arrays: one gradient for each tensor of the list.
        Its `precision` is that in which all is computed; each is compiled once.
    """
    make = {"tensorflow": _tensorflow, "jax": _jax}.get(keras.backend.backend(), _torch)
    made: dict[tuple[Precision, bool], Callable[..., Any]] = {}
    used: set[tuple[Precision, bool]] = set()

    def call(*arguments: Any, precision: Precision = SINGLE) -> Any:
        eager = runs_eagerly((precision, False) in used)
        key = precision, eager
        if key not in made:
            made[key] = make(function, gradients, eager)
        with use_precision(precision):
            tensors = keras.tree.map_structure(
                keras.ops.convert_to_tensor, with_precision(arguments, precision)
            )
            found = made[key](*tensors)
            used.add(key)  # only now is it compiled
            return keras.tree.map_structure(keras.ops.convert_to_numpy, found)

    return call


def with_precision(arrays: Any, precision: Precision) -> Any:
    """Casts all floating-point arrays of a nest to a precision."""

    def one(array: Any) -> np.ndarray:
        array = np.asarray(array)
        return array.astype(precision) if array.dtype.kind == "f" else array

    return keras.tree.map_structure(one, arrays)


def compute_in_precision(
    call: Callable[..., Any],
    arrays: tuple[Any, ...],
    precision: str,
    doubtful: Callable[[Any], np.ndarray],
) -> tuple[Any, np.ndarray]:
    """Calls in one precision, or in single and for some samples again in double.

    Args:
        call: Takes `arrays` and `precision`; returns a nest of arrays `(batch, ...)`,
            where one sample's entries do not depend on another's.
        arrays: A nest of arrays `(batch, ...)`.
        precision: `"float32"` or `"float64"`; or `"auto"`, to let `doubtful` decide
            where the backend has double precision.
        doubtful: A function from what single precision found to `(batch,)`, whether a
            sample has lost too many digits.

    Returns:
        What the call returns; and `(batch,)`, which samples were computed in double.
    """
    batch = len(keras.tree.flatten(arrays)[0])
    if precision != "auto":
        wanted = DOUBLE if precision == DOUBLE else SINGLE
        return call(*arrays, precision=wanted), np.full(batch, wanted == DOUBLE)
    found = call(*arrays, precision=SINGLE)
    again = np.asarray(doubtful(found), bool) & has_double()
    if again.any():
        some = keras.tree.map_structure(lambda array: array[again], arrays)
        better = call(*some, precision=DOUBLE)

        def merged(single: np.ndarray, double: np.ndarray) -> np.ndarray:
            both = np.array(single, double.dtype)
            both[again] = double
            return both

        found = keras.tree.map_structure(merged, found, better)
    return found, again


def _tensorflow(
    function: Callable[..., Any], gradients: bool, eager: bool
) -> Callable[..., Any]:
    import tensorflow as tf

    def differentiate(wanted, *others):
        if not gradients:
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


def _jax(
    function: Callable[..., Any], gradients: bool, eager: bool
) -> Callable[..., Any]:
    import jax

    compiled = (lambda made: made) if eager else jax.jit
    if not gradients:
        return compiled(lambda *arguments: ([], function(*arguments)[1]))

    def total(wanted, *others):
        value, extra = function(wanted, *others)
        return value.sum(), extra

    return compiled(jax.grad(total, has_aux=True))


def _torch(
    function: Callable[..., Any], gradients: bool, eager: bool
) -> Callable[..., Any]:  # eager or not, torch compiles nothing here
    import torch

    def compiled(wanted, *others):
        if not gradients:
            with torch.no_grad():
                return [], function(wanted, *others)[1]
        wanted = [tensor.detach().requires_grad_() for tensor in wanted]
        with torch.enable_grad():
            value, extra = function(wanted, *others)
            found = torch.autograd.grad(
                value.sum(), wanted, allow_unused=True, materialize_grads=True
            )
        return list(found), keras.tree.map_structure(lambda t: t.detach(), extra)

    return compiled


def with_slope(value: Tensor, x: Tensor, slope: Callable[[], Tensor]) -> Tensor:
    """Gives a known value the gradient that a rule asks for.

    The result is `value`; its derivative by `x` is `slope()`, elementwise. This is
    `x * [m] + [value - x * [m]]` with m the slope and [.] = stop_gradient, written so
    that TensorFlow computes nothing of it on the way forward: four passes over
    memory less, about a third of DenseNet-121's gradient on a CPU. The other
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


def linear_in(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Runs a function linear in x, and keeps nothing of it for the backward pass.

    What it makes of weights, as their positive part, is as large as the network. In
    TensorFlow's graph all of it would be computed at once, before the first layer, and
    kept to the end; so it waits for x, and in the backward pass it is computed again.
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
        shape = tf.shape(x)  # all of x that a linear function's derivative needs

        def grad(upstream):
            with tf.control_dependencies([upstream]), tf.GradientTape() as tape:
                again = tf.zeros(shape, x.dtype)
                tape.watch(again)
                z = function(again)
            with tf.control_dependencies([upstream]):
                return tape.gradient(z, again, upstream)

        return y, grad

    return step(x)


def gradient_only(x: Tensor) -> Tensor:
    """Returns zero, with the derivative one by x."""
    return x - keras.ops.stop_gradient(x)


def with_backward(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    backward: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Gives a step a backward pass of its own.

    Args:
        function: The step, from `x` to its result.
        x: What it depends on.
        backward: A function from `x` and the derivative by the result to that by `x`.
    """

    @keras.ops.custom_gradient
    def step(x):  # computes all in here: JAX allows no traced value from outside
        def grad(*args, upstream=None):
            return backward(x, args[0] if upstream is None else upstream)

        return function(x), grad

    return step(x)
