"""LRP's rules for all steps that are not linear layers, each one small function.

A rule takes the propagator, the step and the values of its inputs, and returns the
step's value as an expression in which relevance is *input times derivative* (see
`medattn.explain.lrp.propagate`). Below, [.] = stop_gradient. DeepLIFT's rules, in
`medattn.explain.deeplift.nonlinear`, have the same names.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import keras
from keras import ops

from medattn.explain.backend import with_slope
from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.compute import compute_step
from medattn.explain.graph.norms import (
    in_groups,
    shape_of_weights,
    standardised,
    weights_of_norm,
)
from medattn.explain.graph.operations import (
    ADD_OR_CONCAT,
    NONLINEARITIES,
    NORMALISERS,
    PASSTHROUGH,
    PRODUCTS,
    QUOTIENTS,
    ZERO_AT_ZERO,
)
from medattn.explain.graph.registry import Rule
from medattn.explain.graph.steps import (
    Step,
    activation_name,
    is_relu,
    is_symbolic,
    name_of,
)
from medattn.layers.tensor import Tensor


class Propagation(Protocol):
    """What a rule may ask of the propagator that runs it.

    Attributes:
        analysis: What is known of the graph.
        audit: Ones whose derivatives are what was absorbed, or None.
        relevance_is_gradient: Whether relevance is the derivative itself.
        choose_rule: From a linear layer to its rule.
    """

    analysis: Analysis
    audit: Tensor | None
    relevance_is_gradient: bool
    choose_rule: Rule

    def absorbed(self, step: Step, constant: Tensor) -> Tensor:
        """Returns a constant whose relevance goes to the audit."""
        ...

    def absorb_constants(self, step: Step, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Returns the arguments, constants among them as of `absorbed`."""
        ...

    def audited(self, step: Step, amount: Tensor, dropped: bool = False) -> Tensor:
        """Returns a term by which an amount of relevance goes to the audit."""
        ...


def passthrough(propagator: Propagation, step: Step, *args: Any, **kwargs: Any) -> Any:
    """Keeps a step that is linear without a constant, or passes some entries on.

    Sums, averages, reshapings; a ReLU, a maximum that passes to the largest.
    """
    return compute_step(step, args, kwargs)


def add_or_concat(
    propagator: Propagation, step: Step, *args: Any, **kwargs: Any
) -> Any:
    """Keeps a sum or a concatenation; what enters as a constant goes to the audit.

    R_a = a / (a + b) R for a sum; a constant, as a position, absorbs its part.
    """
    return compute_step(step, *propagator.absorb_constants(step, args, kwargs))


def product(propagator: Propagation, step: Step, *args: Any, **kwargs: Any) -> Tensor:
    """Gives the signal all relevance of a product, and detaches the gate.

    y = x * [s]; two signals share evenly, y = (a * [b] + [a] * b) / 2.

    Reference:
        [Arras et al., 2019](https://doi.org/10.1007/978-3-030-28954-6_11), section 11.3
        (signal takes it all); [Achtibat et al., 2024](https://arxiv.org/abs/2402.05602),
        equation 15 (even shares).
    """
    names = keras.tree.flatten((step.args, step.kwargs))
    leaves = keras.tree.flatten((args, kwargs))
    signals = set(propagator.analysis.signals(step))
    factors = [index for index, name in enumerate(names) if id(name) in signals]
    result: Tensor = 0
    for factor in factors:
        detached = [
            leaf
            if index == factor or not is_symbolic(name)
            else ops.stop_gradient(leaf)
            for index, (leaf, name) in enumerate(zip(leaves, names, strict=True))
        ]
        result = result + compute_step(
            step, *keras.tree.pack_sequence_as((args, kwargs), detached)
        )
    return result if len(factors) == 1 else result / len(factors)


def quotient(propagator: Propagation, step: Step, x: Tensor, y: Any) -> Tensor:
    """Gives the numerator all relevance, and detaches the denominator."""
    return x / (ops.stop_gradient(y) if ops.is_tensor(y) else y)


def nonlinearity(propagator: Propagation, step: Step, x: Tensor) -> Tensor:
    """Passes relevance through a nonlinearity to its only input.

    y = x * [(f(x) - f(0)) / x] + f(0): for GELU, SiLU, tanh and the like, f(0) = 0.

    Reference:
        [Achtibat et al., 2024](https://arxiv.org/abs/2402.05602), equation 9.
    """
    if is_relu(step):
        return compute_step(step, (x,), {})
    y = ops.stop_gradient(compute_step(step, (x,), {}))
    if name_of(step) == "Activation" and activation_name(step) in ZERO_AT_ZERO:
        return with_slope(y, x, lambda: ops.divide_no_nan(y, x))
    at_zero = ops.stop_gradient(compute_step(step, (ops.zeros_like(x),), {}))
    carrier = with_slope(y - at_zero, x, lambda: ops.divide_no_nan(y - at_zero, x))
    return carrier + propagator.absorbed(step, at_zero)


def softmax(propagator: Propagation, step: Step, x: Tensor) -> Tensor:
    """Shares a softmax by its first-order expansion; the rest is absorbed.

    R_i = x_i (R_i^out - s_i sum_j R_j^out)

    Reference:
        [Achtibat et al., 2024](https://arxiv.org/abs/2402.05602), equation 13.
    """
    s = ops.stop_gradient(compute_step(step, (x,), {}))
    axis = getattr(step.operation, "axis", -1)
    carrier = s * (x - ops.sum(s * x, axis=axis, keepdims=True))
    return carrier + propagator.absorbed(step, s - ops.stop_gradient(carrier))


def layer_norm(propagator: Propagation, step: Step, x: Tensor) -> Tensor:
    """Treats a layer norm as linear: its standard deviation is detached.

    y = gamma (x - mean x) [1 / std x] + beta

    Reference:
        [Ali et al., 2022](https://arxiv.org/abs/2202.07304), section 3.2.
    """
    layer = step.operation
    bare = layer.rms_scaling  # Keras scales then, and centres nothing
    y = standardised(
        x, layer.axis, layer.epsilon, ops.stop_gradient, divide_centred=not bare
    )
    return _scaled(propagator, step, y, layer.axis)


def rms_norm(propagator: Propagation, step: Step, x: Tensor) -> Tensor:
    """Treats a root-mean-square norm as linear: its scale is detached."""
    layer = step.operation
    y = standardised(x, layer.axis, layer.epsilon, ops.stop_gradient, centre=False)
    return _scaled(propagator, step, y, layer.axis)


def group_norm(propagator: Propagation, step: Step, x: Tensor) -> Tensor:
    """Treats a group norm as linear: each group's standard deviation is detached."""
    layer = step.operation
    parts, axes = in_groups(layer, x)
    y = standardised(parts, axes, layer.epsilon, ops.stop_gradient)
    return _scaled(propagator, step, ops.reshape(y, ops.shape(x)), -1)


def normaliser(propagator: Propagation, step: Step, x: Tensor) -> Tensor:
    """Treats a Normalization or Rescaling inside the network as scale and shift."""
    y = compute_step(step, (x,), {})
    at_zero = ops.stop_gradient(compute_step(step, (ops.zeros_like(x),), {}))
    return y - at_zero + propagator.absorbed(step, at_zero)


def _scaled(
    propagator: Propagation, step: Step, y: Tensor, axes: int | Sequence[int]
) -> Tensor:
    """Applies a norm's own scale and shift, the shift absorbed."""
    shape = shape_of_weights(axes, y)
    scale, shift = weights_of_norm(step.operation)
    if scale is not None:
        y = y * ops.reshape(scale, shape)
    if shift is not None:
        shift = ops.reshape(shift, shape) + ops.zeros_like(y)
        y = y + propagator.absorbed(step, ops.stop_gradient(shift))
    return y


RULES: dict[str, Rule] = (
    dict.fromkeys(PASSTHROUGH, passthrough)
    | dict.fromkeys(ADD_OR_CONCAT, add_or_concat)
    | dict.fromkeys(NONLINEARITIES, nonlinearity)
    | dict.fromkeys(PRODUCTS, product)
    | dict.fromkeys(QUOTIENTS, quotient)
    | dict.fromkeys(NORMALISERS, normaliser)
    | {
        "GroupNormalization": group_norm,
        "LayerNormalization": layer_norm,
        "RMSNormalization": rms_norm,
        "Softmax": softmax,
    }
)
