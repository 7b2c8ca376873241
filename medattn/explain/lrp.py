"""Layer-wise relevance propagation, as the gradient of a rewritten network.

Each step of the network is replaced by an expression with the same value and another
derivative, so that *input times gradient* shares relevance by LRP's rules. Every
expression is homogeneous: its value is the sum of its inputs times their derivatives.
Therefore nothing is lost on the way, and what goes to constants (biases, the shifts of
batch norms, the stabiliser) can be booked where it happens.

With `z` the output of a linear step, `w x` its linear part, and `k = z / (z + epsilon
sign z)`, the step becomes

    w x * [k] + ledger * [z - w x k]          [.] = stop_gradient, ledger = 1

which has the value z, gives x the relevance `x w R / (z + epsilon sign z)`, and books
the rest under the step's name.

A gate `x * s` becomes `x * [s]`: the signal takes the relevance, the gate is held.
"""

import keras
from keras import ops

from medattn.explain.graph import is_symbolic, tensors

NORMALISERS = ("Normalization", "Rescaling")
GATES = ("Sigmoid", "HardSigmoid", "Softmax")


def linear(walk, layer, x):
    """Shares a dense or convolutional layer's relevance by the epsilon rule.

    R_j = x_j sum_k w_jk R_k / (z_k + epsilon sign(z_k))

    Reference:
        [Bach et al., 2015](https://doi.org/10.1371/journal.pone.0130140), equation 58.
    """
    z = layer(x)
    if not layer.use_bias:
        return walk.share(z, z)
    return walk.share(z, z - layer.bias)


def batch_norm(walk, layer, x):
    """Treats a batch norm as the linear step it is in inference: `z = scale x + shift`.

    A bias-free convolution in front of it passes its relevance on whole (see `Walk`),
    so that the two share as one linear layer, as if the norm were folded in.
    """
    if layer.axis not in (-1, len(x.shape) - 1):
        raise ValueError(
            f"The batch norm {layer.name!r} works on axis {layer.axis}. Expected the "
            "last axis, the channels. "
            f"Received: axis={layer.axis}"
        )
    scale = ops.rsqrt(layer.moving_variance + layer.epsilon)
    if layer.scale:
        scale = scale * layer.gamma
    shift = -layer.moving_mean * scale
    if layer.center:
        shift = shift + layer.beta
    signal = scale * x
    return walk.share(signal + shift, signal)


def as_it_is(walk, operation, *args, **kwargs):
    """Keeps a step whose own derivative already shares relevance without loss.

    Sums, averages, paddings, reshapings and concatenations are linear without a
    constant; a ReLU passes what it lets through, a maximum passes to the winner.
    """
    return operation(*args, **kwargs)


def relu(walk, layer, x):
    """Keeps a ReLU; one that bends elsewhere than at zero is not homogeneous."""
    for option in ("max_value", "threshold"):
        if getattr(layer, option, None):
            raise ValueError(
                f"The ReLU {layer.name!r} has {option}={getattr(layer, option)}, for "
                "which there is no rule yet. Expected a plain ReLU. "
                f"Received: {layer!r}"
            )
    return layer(x)


def gate(walk, operation, *args):
    """Lets the signal take all relevance of a product, and holds the gate constant.

    Reference:
        [Arras et al., 2019](https://doi.org/10.1007/978-3-030-28954-6_11), section 11.3
        (signal takes it all).
    """
    names = keras.tree.flatten(walk.step.args)
    held = [
        ops.stop_gradient(factor) if id(name) in walk.gates else factor
        for factor, name in zip(keras.tree.flatten(args), names, strict=True)
    ]
    product = held[0]
    for factor in held[1:]:
        product = product * factor
    return product


RULES = {
    "Activation": relu,
    "Add": as_it_is,
    "AveragePooling2D": as_it_is,
    "BatchNormalization": batch_norm,
    "Concatenate": as_it_is,
    "Conv2D": linear,
    "Dense": linear,
    "DepthwiseConv2D": linear,
    "Dropout": as_it_is,
    "Flatten": as_it_is,
    "GlobalAveragePooling2D": as_it_is,
    "MaxPooling2D": as_it_is,
    "Mean": as_it_is,
    "Multiply": gate,
    "ReLU": relu,
    "Relu": as_it_is,
    "Reshape": as_it_is,
    "ZeroPadding2D": as_it_is,
}


def rule_of(operation):
    """Returns the name under which an operation's rule is found, or None."""
    name = type(operation).__name__
    if not type(operation).__module__.startswith("keras."):
        return None  # somebody's own layer that happens to share a name
    activation = getattr(operation, "activation", None)
    if activation is None:
        return name
    allowed = (
        keras.activations.relu if name == "Activation" else keras.activations.linear
    )
    return name if activation is allowed else None


class Walk:
    """Runs a graph with every step replaced by its rule.

    Args:
        graph: From `open_model`.
        epsilon: The stabiliser, in the units of the activations.

    Raises:
        ValueError: If a step that carries relevance has no rule.
    """

    def __init__(self, graph, *, epsilon):
        self.graph = graph
        self.epsilon = epsilon
        self.gates = set()  # tensors that only weigh others
        self.carriers = set()  # tensors through which relevance flows
        self.first = set()  # outputs of the leading normalising layers
        self.folded = set()  # bias-free convolutions whose only reader is a batch norm
        self._survey()
        self.lines = []  # names of the steps that may hold a constant
        self.line_of = {}
        for step in graph.steps:
            output = id(step.outputs[0])
            may_hold = RULES.get(rule_of(step.operation)) in (linear, batch_norm)
            if may_hold and output in self.carriers and output not in self.folded:
                self.line_of[output] = len(self.lines)
                self.lines.append(_unlike(step.operation.name, self.lines))

    def _survey(self):
        """Finds gates, carriers, normalisers and foldable convolutions."""
        readers = {}
        start = {id(tensor) for tensor in self.graph.inputs}
        for step in self.graph.steps:
            name = type(step.operation).__name__
            outputs, sources = _ids(step.outputs), _ids((step.args, step.kwargs))
            for source in sources:
                readers.setdefault(source, []).append(step)
            if name in GATES or (
                name in ("Multiply", "Reshape")
                and sources
                and self.gates.issuperset(sources)
            ):
                self.gates.update(outputs)
            if name in NORMALISERS and start.issuperset(sources):
                start.update(outputs)
                self.first.update(outputs)
        # From the logits back, along everything but gates.
        self.carriers = set(_ids(self.graph.outputs))
        for step in reversed(self.graph.steps):
            outputs, sources = _ids(step.outputs), _ids((step.args, step.kwargs))
            if self.carriers.isdisjoint(outputs) or self.first.issuperset(outputs):
                continue
            rule = rule_of(step.operation)
            if rule not in RULES:
                raise ValueError(
                    f"The step {step.operation.name!r} "
                    f"({type(step.operation).__name__}) has no LRP rule. "
                    f"Expected one of {sorted(RULES)}. Received: {step.operation!r}"
                )
            if rule == "Multiply":
                sources = [source for source in sources if source not in self.gates]
                if len(sources) != 1:
                    raise ValueError(
                        f"The product {step.operation.name!r} has {len(sources)} "
                        "factors that are not gates. Expected one signal, and gates "
                        f"that come from one of {GATES}. Received: {step.operation!r}"
                    )
            self.carriers.update(sources)
        for step in self.graph.steps:
            after = readers.get(id(step.outputs[0]), [])
            if (
                rule_of(step.operation) in ("Conv2D", "DepthwiseConv2D")
                and not step.operation.use_bias
                and len(after) == 1
                and rule_of(after[0].operation) == "BatchNormalization"
            ):
                self.folded.add(id(step.outputs[0]))

    def share(self, z, signal):
        """Puts the epsilon rule on `z`, whose part `signal` is linear in the input."""
        output = id(self.step.outputs[0])
        if output in self.folded:
            return z
        shared = signal
        if self.epsilon > 0:  # else 0 / 0 where nothing came in
            size = ops.abs(z)
            shared = signal * ops.stop_gradient(size / (size + self.epsilon))
        constant = ops.stop_gradient(z - shared)
        if self.ledger is not None:
            line = self.ledger[:, self.line_of[output]]
            constant = constant * ops.reshape(line, (-1,) + (1,) * (len(z.shape) - 1))
        return shared + constant

    def __call__(self, image, probe, ledger=None):
        """Runs the rewritten network.

        Args:
            image: `(batch, height, width, channels)`.
            probe: Ones of the same shape. The derivative by it is the relevance: it
                multiplies the image after the leading normalisation, so relevance
                speaks of pixels.
            ledger: Ones, `(batch, lines)`. The derivative by it is what each step of
                `lines` has absorbed. None to leave it out.

        Returns:
            The network's output, `(batch, classes)`.
        """
        self.ledger = ledger
        begun = {}  # the same, with relevance starting there
        values = {id(self.graph.inputs[0]): image}

        def value(leaf):
            if not is_symbolic(leaf):
                return leaf
            name = id(leaf)
            if not self.begins(name):
                return values[name]
            if name not in begun:
                begun[name] = ops.stop_gradient(values[name]) * probe
            return begun[name]

        for step in self.graph.steps:
            outputs = _ids(step.outputs)
            if self.first.issuperset(outputs):
                plain = keras.tree.map_structure(
                    lambda leaf: values[id(leaf)] if is_symbolic(leaf) else leaf,
                    (step.args, step.kwargs),
                )
                result = step.operation(*plain[0], **plain[1])
            else:
                self.step = step
                args, kwargs = keras.tree.map_structure(value, (step.args, step.kwargs))
                if self.carriers.isdisjoint(outputs):
                    result = step.operation(*args, **kwargs)
                else:
                    rule = RULES[rule_of(step.operation)]
                    result = rule(self, step.operation, *args, **kwargs)
            values.update(zip(outputs, keras.tree.flatten(result), strict=True))
        return values[id(self.graph.outputs[0])]

    def begins(self, name):
        """Whether relevance starts at a tensor: the image, or the normalised image."""
        return name in self.first or name == id(self.graph.inputs[0])


def _ids(arguments):
    return [id(tensor) for tensor in tensors(arguments)]


def _unlike(name, taken):
    """Returns the name, numbered if it is taken."""
    numbered = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbered if n not in taken)
