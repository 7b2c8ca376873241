"""What a constant of the network is: a bias, a position, a class token, or another."""

from typing import Any, NamedTuple

import keras
from keras import ops

from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.linear_layers import LinearLayer
from medattn.explain.graph.operations import MIXING_SUMS, SHAPE_READERS
from medattn.explain.graph.steps import Step, is_symbolic, name_of, sources
from medattn.explain.lrp.rules import Term
from medattn.layers.tensor import Tensor

NORM_RULES = ("layer_norm", "group_norm", "normaliser")
SOFTMAX_RULES = ("softmax", "log_softmax", "logsumexp")


class Constant(NamedTuple):
    """One constant that a sum or a concatenation reads.

    Attributes:
        part: What it is, one of `medattn.explain.audit.PARTS`.
        if_uniform: What it is if it has the same entries at every position.
        shape: Its shape for one sample, as it enters the step.
    """

    part: str
    if_uniform: str
    shape: tuple[int | None, ...]


def part_of_step(rule: Any) -> str:
    """Names what a step's own constant is, by its rule."""
    name = getattr(rule, "__name__", "")
    if name in NORM_RULES:
        return "norm_shifts"
    return "rule_loss" if name in SOFTMAX_RULES else "constants"


def rest_by_part(
    layer: LinearLayer, term: Term, denominator: Tensor, size: Tensor
) -> dict[str, Tensor]:
    """Splits what a rule's denominator has beyond its signal.

    A bias b and a norm's shift a that are folded into one share in proportion,
    b / (b + a) and a / (b + a); so each gets what it adds to the denominator.

    Args:
        layer: The linear layer.
        term: One term of its rule.
        denominator: The term's denominator.
        size: The value of the term's signal.

    Returns:
        From the part's name to its amount; together they are `denominator - size`.
    """
    rest = denominator - size
    if layer.bias is None:
        return {"stabiliser": rest}
    parts = {}
    if term.stabiliser is not None:
        parts["stabiliser"] = ops.stop_gradient(term.stabiliser())
        rest = rest - parts["stabiliser"]
    if layer.kind == "BatchNormalization":
        return parts | {"norm_shifts": rest}
    if layer.shift is None:
        return parts | {"biases": rest}
    own = layer.bias - layer.shift
    biases = rest * ops.divide_no_nan(own + ops.zeros_like(rest), layer.bias)
    return parts | {"biases": biases, "norm_shifts": rest - biases}


def constant_of(analysis: Analysis, step: Step, leaf: Any) -> Constant:
    """Says what a constant is that a sum or a concatenation reads.

    In a tensor `(batch, ..., channels)` what is added and differs along the axes
    between is a position, what is the same there a bias; a learned row that is put
    before or after the tokens `(batch, tokens, dim)` is a class token, and so is one
    that is added where there is one token. What depends on an input that is not
    explained is that input's.

    Args:
        analysis: An `Analysis` of the graph.
        step: The step that reads it.
        leaf: The argument: a symbolic tensor, a variable, an array or a number.
    """
    shape = tuple(step.outputs[0].shape)
    rank = len(shape)
    has = tuple(getattr(leaf, "shape", ()))
    own = (1,) * (rank - len(has)) + has
    learned, other = _ancestors(analysis, leaf)
    adds = name_of(step) in MIXING_SUMS
    # A sum is as large as its largest term; a concatenation reads parts as they are.
    entering = shape[1:] if adds else own[1:]
    if other:
        return Constant("others", "others", entering)
    between = own[1:-1]
    varies = any(size != 1 for size in between)
    if not adds:
        axis = getattr(step.operation, "axis", None)
        if name_of(step) != "Concatenate" or axis is None or rank < 3:
            return Constant("constants", "constants", entering)
        if axis % rank == rank - 1:
            return Constant(
                "positions" if varies else "constants", "constants", entering
            )
        part = "class_token" if rank == 3 and learned else "constants"
        return Constant(part, part, entering)
    plain = "biases" if learned else "constants"
    if varies:
        return Constant("positions", plain, entering)
    one_token = rank == 3 and shape[1] == 1 and len(has) == 3
    part = "class_token" if one_token and learned else plain
    return Constant(part, part, entering)


def is_condition(leaf: Any) -> bool:
    """Whether an argument is true or false in every entry."""
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and keras.backend.standardize_dtype(dtype) == "bool"


def is_uniform(constant: Tensor, rank: int) -> Tensor:
    """Computes whether a constant has the same entries at every position, 1 or 0.

    Args:
        constant: What is added to a tensor `(batch, ..., channels)`.
        rank: The number of that tensor's axes, three or more.
    """
    missing = rank - len(constant.shape)
    every = ops.reshape(constant, (1,) * missing + tuple(ops.shape(constant)))
    first = every[(slice(None), *[slice(0, 1)] * (rank - 2))]
    return ops.cast(ops.all(every == first), constant.dtype)


def _ancestors(analysis: Analysis, leaf: Any) -> tuple[bool, bool]:
    """Whether a tensor depends on a weight, and on an input that is not explained."""
    if not is_symbolic(leaf):
        return isinstance(leaf, keras.Variable), False
    inputs = {id(x) for x in analysis.graph.inputs}
    learned = other = False
    stack, seen = [leaf], set()
    while stack:
        tensor = stack.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        other |= id(tensor) in inputs
        step = analysis.producer.get(id(tensor))
        if step is None:
            continue
        leaves = keras.tree.flatten((step.args, step.kwargs))
        learned |= bool(getattr(step.operation, "weights", None))
        learned |= any(isinstance(each, keras.Variable) for each in leaves)
        if name_of(step) not in SHAPE_READERS:
            stack += sources(step)
    # A mask made of the image depends on it in jumps only, and is no other input.
    return learned, other and id(leaf) not in analysis.depends
