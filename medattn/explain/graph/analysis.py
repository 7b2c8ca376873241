"""Which tensors of a traced model carry relevance, and which are gates or constants."""

import keras

from medattn.explain.graph.linear_layers import FOLDABLE, kind_of
from medattn.explain.graph.operations import (
    GATE_ACTIVATIONS,
    GATE_PRESERVING,
    GATES,
    NORMALISERS,
    PADDINGS,
    PRODUCTS,
    QUOTIENTS,
    SHAPE_READERS,
)
from medattn.explain.graph.steps import (
    COMPLETE,
    Graph,
    Step,
    activation_name,
    from_keras,
    ids,
    is_relu,
    name_of,
    producers,
    sources,
)
from medattn.layers.tensor import Tensor


class Analysis:
    """Reads the graph once, before anything is computed.

    Args:
        graph: From `open_model`.
        output: Which of the graph's outputs is explained.
        softmax_is_gate: Whether a softmax is a gate, so that attention weighs and is
            not itself explained.
        gates: Whether there are gates at all.

    Attributes:
        depends: Ids of the tensors that depend on the image. So are all of these ids:
        gates: Tensors that only weigh others.
        carriers: Tensors through which relevance flows, from the logits back.
        normalised: Outputs of the leading normalising layers.
        pixels: The image, normalised or not, however padded.
        nonnegative: Tensors known to have no negative entries.
        folded: From the output of a linear step to the batch norm that alone reads it.
        producer: From a tensor to the step that makes it.
        readers: From a tensor to the steps that read it; None stands for the caller.
    """

    def __init__(
        self,
        graph: Graph,
        output: Tensor,
        *,
        softmax_is_gate: bool = True,
        gates: bool = True,
    ):
        self.graph = graph
        self.softmax_is_gate = softmax_is_gate
        self.has_gates = gates
        self.output = output
        self.producer = producers(graph.steps)
        self.readers: dict[int, list[Step | None]] = {}
        for step in graph.steps:
            for source in ids(sources(step)):
                self.readers.setdefault(source, []).append(step)
        self.readers.setdefault(id(output), []).append(None)
        self._find_gates_and_signs()
        self._find_carriers()
        self._find_folded()

    def _find_gates_and_signs(self) -> None:
        """Finds gates, constants, normalisers and signs, from the image on."""
        graph = self.graph
        self.depends = set(ids(graph.inputs))
        self.normalised: set[int] = set()
        self.gates: set[int] = set()
        self.nonnegative: set[int] = set()
        unpadded = set(self.depends)
        self.pixels = set(unpadded)
        for step in graph.steps:
            name, outputs, read = name_of(step), ids(step.outputs), ids(sources(step))
            if name not in SHAPE_READERS and not self.depends.isdisjoint(read):
                self.depends.update(outputs)
            if name in NORMALISERS and read and unpadded.issuperset(read):
                unpadded.update(outputs)
                self.normalised.update(outputs)
                self.pixels.update(outputs)
            elif name in PADDINGS and read and self.pixels.issuperset(read):
                self.pixels.update(outputs)
            if self.has_gates and self._is_gate(step, read):
                self.gates.update(outputs)
            if self._is_nonnegative(step, read):
                self.nonnegative.update(outputs)

    def _is_gate(self, step: Step, read: list[int]) -> bool:
        """Whether a step makes a gate, given the ids of what it reads."""
        name = name_of(step)
        activation = activation_name(step) if name == "Activation" else None
        if name == "Softmax" or activation == "softmax":
            gate = self.softmax_is_gate
        else:
            gate = name in GATES or activation in GATE_ACTIVATIONS
        moving = [source for source in read if source in self.depends]
        keeps = bool(moving) and name in (*GATE_PRESERVING, "Add", "Subtract")
        return gate or keeps and self.gates.issuperset(moving)

    def _is_nonnegative(self, step: Step, read: list[int]) -> bool:
        """Whether a step's output has no negative entries."""
        name = name_of(step)
        if is_relu(step) or name in GATES:
            return True
        if name == "Activation" and activation_name(step) in GATE_ACTIVATIONS:
            return True
        return (
            name in (*GATE_PRESERVING, *PADDINGS, "Add", "Relu6", "Maximum")
            and len(read) == _count_operands(step)
            and bool(read)
            and self.nonnegative.issuperset(read)
        )

    def _find_carriers(self) -> None:
        """Follows relevance from the logits back, along everything but gates."""
        self.carriers = {id(self.output)} & self.depends
        for step in reversed(self.graph.steps):
            outputs = ids(step.outputs)
            if self.carriers.isdisjoint(outputs) or self.normalised.issuperset(outputs):
                continue
            self.carriers.update(self.signals(step))

    def signals(self, step: Step) -> list[int]:
        """Returns the ids of what relevance goes to: no gates, no denominators.

        Where all factors of a product are gates, they are its signals.
        """
        read = [source for source in ids(sources(step)) if source in self.depends]
        if name_of(step) in PRODUCTS:
            return [source for source in read if source not in self.gates] or read
        if name_of(step) in QUOTIENTS:
            numerator = id(keras.tree.flatten(step.args)[0])
            return [source for source in read if source == numerator]
        return read

    def only_relu_reads(self, step: Step) -> bool:
        """Whether nothing but a ReLU reads a step's output."""
        readers = self.readers.get(id(step.outputs[0]), [])
        return len(readers) == 1 and readers[0] is not None and is_relu(readers[0])

    def _find_folded(self) -> None:
        """Finds the batch norms that can be one layer with the step before them."""
        self.folded: dict[int, Step] = {}
        for step in self.graph.steps:
            if step.part != COMPLETE or not from_keras(step.operation):
                continue
            if kind_of(step.operation) not in FOLDABLE:
                continue
            after = self.readers.get(id(step.outputs[0]), [])
            reader = after[0] if len(after) == 1 else None
            if (
                reader is not None
                and from_keras(reader.operation)
                and name_of(reader) == "BatchNormalization"
            ):
                self.folded[id(step.outputs[0])] = reader


def _count_operands(step: Step) -> int:
    """Counts all leaves of a sum or product, numbers and variables too."""
    if name_of(step) not in ("Add", "Multiply", "Concatenate", "Maximum", "Stack"):
        return len(sources(step))
    leaves = keras.tree.flatten(step.args)
    return len([leaf for leaf in leaves if not isinstance(leaf, (str, type(None)))])
