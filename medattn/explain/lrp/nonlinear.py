"""LRP's rules for all steps that are not linear layers, each one small function.

A rule takes the walk, the step and the values of its inputs, and returns the step's
value as an expression in which relevance is *input times derivative* (see
`medattn.explain.lrp.propagate`).
"""

import keras
from keras import ops

from medattn.explain.backend import with_slope
from medattn.explain.graph import analysis as of
from medattn.explain.graph.linear_layers import LINEAR, check_axis, value
from medattn.explain.graph.trace import WHOLE, Step, from_keras, is_symbolic
from medattn.explain.precision import working


def as_it_is(walk, step, *args, **kwargs):
    """Keeps a step that is linear without a constant, or passes on what it lets pass.

    Sums, averages, reshapings; a ReLU, a maximum that passes to the winner.
    """
    return walk.plain(step, args, kwargs)


def together(walk, step, *args, **kwargs):
    """Keeps a sum or a concatenation; what enters as a constant goes to the ledger.

    R_a = a / (a + b) R for a sum; what is no signal, as a position, absorbs its part.
    """
    return walk.plain(step, *walk.entries(step, args, kwargs))


def product(walk, step, *args, **kwargs):
    """Lets the signal take all relevance of a product, and holds the gate constant.

    y = x * [s]; two signals share evenly, y = (a * [b] + [a] * b) / 2.

    Reference:
        [Arras et al., 2019](https://doi.org/10.1007/978-3-030-28954-6_11), section 11.3
        (signal takes it all); [Achtibat et al., 2024](https://arxiv.org/abs/2402.05602),
        equation 15 (even shares).
    """
    names = keras.tree.flatten((step.args, step.kwargs))
    leaves = keras.tree.flatten((args, kwargs))
    signals = set(walk.survey.signals(step))
    places = [place for place, name in enumerate(names) if id(name) in signals]
    result = 0
    for place in places:
        held = [
            leaf if at == place or not is_symbolic(name) else ops.stop_gradient(leaf)
            for at, (leaf, name) in enumerate(zip(leaves, names, strict=True))
        ]
        result = result + walk.plain(
            step, *keras.tree.pack_sequence_as((args, kwargs), held)
        )
    return result if len(places) == 1 else result / len(places)


def quotient(walk, step, x, y):
    """Shares what is divided, and holds what it is divided by."""
    return x / (ops.stop_gradient(y) if ops.is_tensor(y) else y)


def bend(walk, step, x):
    """Passes relevance through a nonlinearity to its only input.

    y = x * [(f(x) - f(0)) / x] + f(0): for GELU, SiLU, tanh and the like, f(0) = 0.

    Reference:
        [Achtibat et al., 2024](https://arxiv.org/abs/2402.05602), equation 9.
    """
    if of.is_relu(step):
        return walk.plain(step, (x,), {})
    y = ops.stop_gradient(walk.plain(step, (x,), {}))
    if of.name_of(step) == "Activation" and of.bend_of(step) in CENTRED:
        return with_slope(y, x, lambda: divided(y, x))
    start = ops.stop_gradient(walk.plain(step, (ops.zeros_like(x),), {}))
    carrier = with_slope(y - start, x, lambda: divided(y - start, x))
    return carrier + walk.absorbed(step, start)


def softmax(walk, step, x):
    """Shares a softmax by its first-order expansion; the rest is absorbed.

    R_i = x_i (R_i^out - s_i sum_j R_j^out)

    Reference:
        [Achtibat et al., 2024](https://arxiv.org/abs/2402.05602), equation 13.
    """
    s = ops.stop_gradient(walk.plain(step, (x,), {}))
    axis = getattr(step.operation, "axis", -1)
    carrier = s * (x - ops.sum(s * x, axis=axis, keepdims=True))
    return carrier + walk.absorbed(step, s - ops.stop_gradient(carrier))


def layer_norm(walk, step, x):
    """Treats a layer norm as linear: its standard deviation is held.

    y = gamma (x - mean x) [1 / std x] + beta

    Reference:
        [Ali et al., 2022](https://arxiv.org/abs/2202.07304), section 3.2.
    """
    layer = step.operation
    axes = layer.axis
    centred = x - ops.mean(x, axis=axes, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
    y = x if layer.rms_scaling else centred  # Keras scales then, and centres nothing
    y = y * ops.stop_gradient(ops.rsqrt(variance + layer.epsilon))
    return _scaled(walk, step, y, axes)


def rms_norm(walk, step, x):
    """Treats a root-mean-square norm as linear: its scale is held."""
    layer = step.operation
    size = ops.mean(ops.square(x), axis=layer.axis, keepdims=True)
    y = x * ops.stop_gradient(ops.rsqrt(size + layer.epsilon))
    return _scaled(walk, step, y, layer.axis)


def group_norm(walk, step, x):
    """Treats a group norm as linear: each group's standard deviation is held."""
    layer = step.operation
    check_axis(layer, len(x.shape))
    groups = x.shape[-1] if layer.groups == -1 else layer.groups
    shape = ops.shape(x)
    parts = ops.reshape(x, (*shape[:-1], groups, x.shape[-1] // groups))
    axes = (*range(1, len(x.shape) - 1), -1)
    centred = parts - ops.mean(parts, axis=axes, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
    y = centred * ops.stop_gradient(ops.rsqrt(variance + layer.epsilon))
    return _scaled(walk, step, ops.reshape(y, shape), -1)


def normaliser(walk, step, x):
    """Treats a Normalization or Rescaling inside the network as scale and shift."""
    y = walk.plain(step, (x,), {})
    start = ops.stop_gradient(walk.plain(step, (ops.zeros_like(x),), {}))
    return y - start + walk.absorbed(step, start)


def _scaled(walk, step, y, axes):
    """Applies a norm's own scale and shift, the shift absorbed."""
    axes = [axes] if isinstance(axes, int) else list(axes)
    axes = [axis % len(y.shape) for axis in axes]
    shape = [y.shape[axis] if axis in axes else 1 for axis in range(len(y.shape))]
    scale, shift = weights_of_norm(step.operation)
    if scale is not None:
        y = y * ops.reshape(scale, shape)
    if shift is not None:
        shift = ops.reshape(shift, shape) + ops.zeros_like(y)
        y = y + walk.absorbed(step, ops.stop_gradient(shift))
    return y


def weights_of_norm(layer):
    """Reads a norm's scale and shift, either of which may be None."""
    scale = getattr(layer, "gamma", None)
    if type(layer).__name__ == "RMSNormalization":
        scale = layer.scale  # its name for it
    shift = getattr(layer, "beta", None)
    return tuple(None if weight is None else value(weight) for weight in (scale, shift))


BENDS = (
    "Activation Celu Elu ELU Erf Exp Gelu GLU HardShrink HardSigmoid HardSilu HardTanh "
    "LeakyRelu LeakyReLU LogSigmoid PReLU Relu ReLU Relu6 Selu Sigmoid Silu "
    "SoftShrink Softplus Softsign Sqrt Square Swish Tanh TanhShrink Threshold"
).split()
CENTRED = ("elu", "gelu", "leaky_relu", "selu", "silu", "swish", "tanh")  # f(0) = 0
PLACES = (
    "AveragePooling1D AveragePooling2D AveragePooling3D BroadcastTo Cast Copy "
    "Cropping1D Cropping2D Cropping3D ExpandDims Flatten Flip GetItem "
    "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
    "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Max "
    "MaxPooling1D MaxPooling2D MaxPooling3D Mean Moveaxis Negative Pad Permute "
    "Repeat RepeatVector Reshape Resize Roll Split Squeeze Sum Swapaxes Tile "
    "Transpose Unstack UpSampling1D UpSampling2D UpSampling3D "
    "ZeroPadding1D ZeroPadding2D ZeroPadding3D"
).split()
SUMS = "Add Average Concatenate Maximum Minimum Stack Subtract Where".split()
AVERAGES = ("Average", "GlobalAverage", "Mean", "Negative", "Sum")
TOTALS = ("Add", "Average", "Subtract")  # these two lines share by contribution
NORMS = {
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
}
RULES = (
    dict.fromkeys(PLACES, as_it_is)
    | dict.fromkeys(SUMS, together)
    | dict.fromkeys(BENDS, bend)
    | dict.fromkeys(of.PRODUCTS, product)
    | dict.fromkeys(of.QUOTIENTS, quotient)
    | dict.fromkeys(of.NORMALISERS, normaliser)
    | NORMS
    | {"Softmax": softmax}
)
REGISTERED = {}  # classes that a user has brought a rule for: (LRP's, DeepLIFT's)


def register_rule(operation, lrp=None, *, deep_lift=None):
    """Teaches the analyzers a layer or operation that they do not know.

    Without a rule of its own a composite layer is opened and explained by its parts;
    what has no parts that can be seen needs one.

    Args:
        operation: The class, of a `keras.Layer` or a `keras.Operation`.
        lrp: A function `rule(walk, step, *args, **kwargs)` that returns the step's
            value as an expression in which relevance is *input times derivative*: hold
            with `keras.ops.stop_gradient` what is to get none, and give to
            `walk.absorbed(step, constant)` what is no input's. `as_it_is` and `bend` of
            this module are two that often do. For the rules that are not by
            proportion (flat, w-square) it is converted.
        deep_lift: A function `rule(walk, step, *args, **kwargs)` whose symbolic inputs
            come as pairs `(reference, difference)`; returns such a pair, see
            `medattn.explain.deeplift.propagate`.

    Raises:
        ValueError: If neither rule is given, or `operation` is no class of Keras.
    """
    known = isinstance(operation, type) and issubclass(
        operation, (keras.Layer, keras.Operation)
    )
    if not known or (lrp is None and deep_lift is None):
        raise ValueError(
            "A rule is registered for a class. Expected a subclass of keras.Layer or "
            "keras.Operation, and a function for lrp, deep_lift or both. Received: "
            f"operation={operation!r}, lrp={lrp!r}, deep_lift={deep_lift!r}"
        )
    old = REGISTERED.get(operation, (None, None))
    REGISTERED[operation] = (lrp or old[0], deep_lift or old[1])


def rule_of(step, rules=RULES, place=0):
    """Returns the rule for a step that is not linear, or None."""
    if type(step.operation) in REGISTERED:
        return REGISTERED[type(step.operation)][place]
    if not from_keras(step.operation):
        return None
    if of.name_of(step) == "Activation" and of.bend_of(step) == "softmax":
        return rules["Softmax"]
    return rules.get(of.name_of(step))


def closed(layer, rules=RULES):
    """Whether a layer stays closed: it has a rule, or is linear."""
    if type(layer) in REGISTERED:
        return True
    name = type(layer).__name__
    return from_keras(layer) and (name in rules or name in LINEAR)


class _Bare:
    """Stands in for a walk where nothing is explained: a constant is itself."""

    @staticmethod
    def absorbed(step, constant):
        return constant


def done(operation, args, kwargs):
    """Calls a layer or operation in the working precision, whatever its own.

    `layer.call` instead of `layer(...)` casts nothing; the few that cast in `call`
    itself are written out.
    """
    name = type(operation).__name__
    if name == "Cast" and from_keras(operation) and "float" in str(operation.dtype):
        return args[0]
    if name in of.NORMALISERS and operation.compute_dtype != working():
        x = ops.cast(args[0], working())
        if name == "Rescaling":
            return x * operation.scale + operation.offset
        mean, width = value(operation.mean), ops.sqrt(value(operation.variance))
        width = ops.maximum(width, keras.config.epsilon())
        return x * width + mean if operation.invert else (x - mean) / width
    if name in NORMS and from_keras(operation) and operation.compute_dtype != working():
        whole = Step(operation, args, kwargs, (), WHOLE)
        return NORMS[name](_Bare, whole, args[0])
    return operation.call(*args, **kwargs)


def divided(a, b):
    """Divides, with nothing where the denominator is nothing."""
    return ops.divide_no_nan(a, b)
