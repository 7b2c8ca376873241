"""Gates that a model writes by hand, found by what they compute."""

from typing import Literal, NamedTuple, TypeAlias

import keras

from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.steps import Graph, is_symbolic, name_of, sources
from medattn.layers import AttentionLayer
from medattn.layers.keras_private import all_layers
from medattn.layers.tensor import Tensor

Kind: TypeAlias = Literal["spatial", "channel"]
KINDS: tuple[Kind, ...] = ("spatial", "channel")


class WrittenGate(NamedTuple):
    """A product in which one factor weighs the other.

    Attributes:
        gate: The number of the gate among the leaves of the arguments.
        signal: That of what it weighs.
        kinds: What it weighs: channels, positions or both.
    """

    gate: int
    signal: int
    kinds: tuple[Kind, ...]


def has_attention_layer(model: keras.Model) -> bool:
    """Whether a model has an attention layer of `medattn.layers`."""
    inside = all_layers(model, include_self=False)
    return any(isinstance(layer, AttentionLayer) for layer in inside)


def written_gates(graph: Graph, output: Tensor) -> dict[int, WrittenGate]:
    """Finds the gates of a graph.

    A gate is a factor in [0, 1] of a product with features `(batch, height, width,
    channels)` that is no gate; x sigmoid(x), an activation, is none.

    Args:
        graph: An opened model.
        output: What is explained.

    Returns:
        From the id of the product to its gate.
    """
    analysis, found = Analysis(graph, output), {}
    for step in graph.steps:
        leaves = keras.tree.flatten((step.args, step.kwargs))
        tensors = [n for n, leaf in enumerate(leaves) if is_symbolic(leaf)]
        if name_of(step) != "Multiply" or len(tensors) != 2:
            continue
        gates = [n for n in tensors if id(leaves[n]) in analysis.gates]
        signals = [n for n in tensors if n not in gates]
        if len(gates) != 1 or len(step.outputs[0].shape) != 4:
            continue
        gate, signal = gates[0], signals[0]
        made = analysis.producer[id(leaves[gate])]
        if any(source is leaves[signal] for source in sources(made)):
            continue
        kinds = _kinds_of(tuple(leaves[gate].shape))
        if kinds:
            found[id(step.outputs[0])] = WrittenGate(gate, signal, kinds)
    return found


def _kinds_of(shape: tuple[int | None, ...]) -> tuple[Kind, ...]:
    """Says what a gate of this shape weighs."""
    if len(shape) != 4:
        return ()
    positions = shape[1] != 1 or shape[2] != 1
    channels = shape[3] != 1
    weighs = {"spatial": positions, "channel": channels}
    return tuple(kind for kind in KINDS if weighs[kind])
