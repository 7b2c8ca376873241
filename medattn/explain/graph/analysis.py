"""What is what in an opened network: carriers, gates, constants, folded norms."""

import keras

from medattn.explain.graph.linear_layers import FOLDABLE, kind_of
from medattn.explain.graph.trace import ACTIVATION, LINEAR, WHOLE, from_keras, tensors

NORMALISERS = ("Normalization", "Rescaling")
GATES = ("HardSigmoid", "Sigmoid", "Softmax")
GATE_ACTIVATIONS = ("hard_sigmoid", "sigmoid", "softmax")
QUOTIENTS = ("Divide", "TrueDivide")
PRODUCTS = ("Dot", "Einsum", "Matmul", "Multiply")
BLIND = ("OnesLike", "Shape", "ZerosLike")  # read a tensor's shape, not its entries
# What makes of gates another gate, and of non-negative tensors another one.
PLACING = (
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "BroadcastTo",
    "Concatenate",
    "ExpandDims",
    "Flatten",
    "GetItem",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "Max",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Mean",
    "Multiply",
    "Permute",
    "Repeat",
    "RepeatVector",
    "Reshape",
    "Resize",
    "Split",
    "Squeeze",
    "Stack",
    "Sum",
    "Tile",
    "Transpose",
    "Unstack",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
)
PADDINGS = ("Cropping2D", "Flatten", "Pad", "Reshape", "ZeroPadding1D", "ZeroPadding2D")


def name_of(step):
    """Returns the name by which a step's rule is found.

    The class of the layer or operation; `"Activation"` for a fused activation.
    """
    if step.part == ACTIVATION:
        return "Activation"
    return type(step.operation).__name__


def is_relu(step):
    """Whether a step is the plain rectifier."""
    name = name_of(step)
    if name in ("Relu", "ReLU"):
        return not any(
            getattr(step.operation, option, None)
            for option in ("max_value", "negative_slope", "threshold")
        )
    return name == "Activation" and bend_of(step) == "relu"


def bend_of(step):
    """Returns the name of an activation step's function."""
    activation = step.operation.activation
    return getattr(activation, "__name__", type(activation).__name__)


class Survey:
    """Reads the graph once, before anything is computed.

    Args:
        graph: From `open_model`.
        output: Which of the graph's outputs is explained.
        held: Whether a softmax is a gate, so that attention weighs and is not itself
            explained.
        gates: Whether there are gates at all.

    Attributes:
        gates: Tensors that only weigh others.
        carriers: Tensors through which relevance flows, from the logits back.
        first: Outputs of the leading normalising layers.
        beginning: The image, normalised or not, however padded.
        folded: From the output of a linear step to the batch norm that alone reads it.
        producer: From a tensor to the step that makes it.
        nonnegative: Tensors known to have no negative entries.
    """

    def __init__(self, graph, output, *, held=True, gates=True):
        self.graph = graph
        self.held = held
        self.gating = gates
        self.output = output
        self.producer, readers = {}, {}
        for step in graph.steps:
            for tensor in step.outputs:
                self.producer[id(tensor)] = step
            for source in ids((step.args, step.kwargs)):
                readers.setdefault(source, []).append(step)
        readers.setdefault(id(output), []).append(None)  # the world reads it too
        self.readers = readers
        self._forward()
        self._backward()
        self._fold()

    def _forward(self):
        """Finds gates, constants, normalisers and signs, from the image on."""
        graph = self.graph
        self.depends = set(ids(graph.inputs))
        self.first, self.gates, self.nonnegative = set(), set(), set()
        start = set(self.depends)
        self.beginning = set(start)
        for step in graph.steps:
            name, outputs = name_of(step), ids(step.outputs)
            sources = ids((step.args, step.kwargs))
            if name not in BLIND and not self.depends.isdisjoint(sources):
                self.depends.update(outputs)
            if name in NORMALISERS and sources and start.issuperset(sources):
                start.update(outputs)
                self.first.update(outputs)
                self.beginning.update(outputs)
            elif name in PADDINGS and sources and self.beginning.issuperset(sources):
                self.beginning.update(outputs)
            gated = name in GATES or (
                name == "Activation" and bend_of(step) in GATE_ACTIVATIONS
            )
            if name == "Softmax" or name == "Activation" and bend_of(step) == "softmax":
                gated = self.held
            live = [s for s in sources if s in self.depends]
            weighs = name in (*PLACING, "Add", "Subtract") and live
            gated = gated or weighs and self.gates.issuperset(live)
            if gated and self.gating:
                self.gates.update(outputs)
            squashed = name == "Activation" and bend_of(step) in GATE_ACTIVATIONS
            bounded = is_relu(step) or name in GATES or squashed
            kept = (
                name in (*PLACING, *PADDINGS, "Add", "Relu6", "Maximum")
                and len(sources) == len(_operands(step))
                and sources
                and self.nonnegative.issuperset(sources)
            )
            if bounded or kept:
                self.nonnegative.update(outputs)

    def _backward(self):
        """Follows relevance from the logits back, along everything but gates."""
        self.carriers = {id(self.output)} & self.depends
        for step in reversed(self.graph.steps):
            outputs = ids(step.outputs)
            if self.carriers.isdisjoint(outputs) or self.first.issuperset(outputs):
                continue
            self.carriers.update(self.signals(step))

    def signals(self, step):
        """Returns the sources of a step that relevance goes to: not gates, not scales.

        Where all that a product holds are gates, they are its signals.
        """
        sources = [s for s in ids((step.args, step.kwargs)) if s in self.depends]
        if name_of(step) in PRODUCTS:
            return [s for s in sources if s not in self.gates] or sources
        if name_of(step) in QUOTIENTS:
            return [s for s in sources if s == id(keras.tree.flatten(step.args)[0])]
        return sources

    def _fold(self):
        """Finds the batch norms that can be one layer with the step before them."""
        self.folded, self.norms = {}, set()
        for step in self.graph.steps:
            if step.part != WHOLE or not from_keras(step.operation):
                continue
            if kind_of(step.operation) not in FOLDABLE:
                continue
            after = self.readers.get(id(step.outputs[0]), [])
            if (
                len(after) == 1
                and after[0] is not None
                and from_keras(after[0].operation)
                and name_of(after[0]) == "BatchNormalization"
            ):
                self.folded[id(step.outputs[0])] = after[0]
                self.norms.add(id(after[0].outputs[0]))

    def rectified(self, tensor):
        """Whether a plain ReLU is all that reads a tensor."""
        after = self.readers.get(id(tensor), [])
        return bool(after) and all(s is not None and is_relu(s) for s in after)


def is_linear(step):
    """Whether a step is a layer with a kernel, or a batch norm."""
    return step.part in (WHOLE, LINEAR) and kind_of(step.operation) is not None


def ids(arguments):
    return [id(tensor) for tensor in tensors(arguments)]


def _operands(step):
    """Returns all leaves of a sum or product, numbers and variables too."""
    if name_of(step) not in ("Add", "Multiply", "Concatenate", "Maximum", "Stack"):
        return tensors((step.args, step.kwargs))
    leaves = keras.tree.flatten(step.args)
    return [leaf for leaf in leaves if not isinstance(leaf, (str, type(None)))]
