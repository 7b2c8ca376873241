"""Attention between tokens, of whichever layers: softmaxes that weigh values."""

from collections.abc import Sequence
from typing import Any

from medattn.explain.analyzer import Analyzer
from medattn.explain.attention.reader import attention_layers
from medattn.explain.graph.linear_operations import LinearOperation
from medattn.explain.graph.steps import (
    ACTIVATION,
    Step,
    activation_name,
    ids,
    moving_inputs,
    name_of,
    sources,
)
from medattn.explain.spatial import check_image_inputs, token_grid
from medattn.layers.tensor import Tensor

BETWEEN = ("Cast", "Copy", "Where")  # what may stand between scores and values


class TokenReader(Analyzer):
    """Opens the model, and reads how much each token takes from each.

    So it does not matter whose layer it is: `medattn.layers`, Keras's
    MultiHeadAttention, keras_hub's, or one written by hand.

    Attributes:
        stages: The softmaxes, in the order in which they are computed.
        first: The number of tokens before the patches: a class token, say.
        rows: Of patches.
        columns: Of patches.
    """

    def prepare(self) -> None:
        """Finds the attention, and the patches among its tokens."""
        check_image_inputs(self.graph.inputs, self.names)
        self.stages = attention_steps(self.graph.steps, set(moving_inputs(self.graph)))
        if not self.stages:
            raise ValueError(
                "There is no such attention to read. Expected a model with attention "
                "between tokens: a softmax of (batch, heads, tokens, tokens) that "
                f"weighs values. Received: {self.model.name!r}, whose attention layers "
                f"are {attention_layers(self.model) or 'none at all'}"
            )
        images = [tuple(tensor.shape) for tensor in self.graph.inputs]
        shapes = {self.shape_of(step) for step in self.stages}
        grids = {
            token_grid(keys, images[0][1:3])
            if batch == images[0][0] and targets == keys
            else None
            for batch, _, targets, keys in shapes
        }
        grid = grids.pop()
        if grid is None or grids or len(images) > 1:
            raise ValueError(
                "The tokens have no positions in the image. Expected one image, and in "
                "every layer a token for each square patch of it, with at most two "
                "tokens before them, each of which attends to all: no windows, no "
                f"reduced keys. Received: attention of {sorted(shapes)} for images of "
                f"{images}"
            )
        self.first, self.rows, self.columns = grid

    @staticmethod
    def shape_of(step: Step) -> tuple[Any, ...]:
        """Returns the shape of a stage's scores, `(batch, heads, tokens, tokens)`."""
        shape = tuple(step.outputs[0].shape)
        return (shape[0], 1, *shape[1:]) if len(shape) == 3 else shape

    def read(
        self, images: Sequence[Tensor], offsets: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Computes the explained output, and the scores of every stage.

        Args:
            images: One tensor an input.
            offsets: Added to the scores, one tensor a stage: zeros, by which the output
                can be differentiated.
        """
        index = {id(step.outputs[0]): n for n, step in enumerate(self.stages)}
        all_scores = []

        def compute(step: Step, args: Any, kwargs: Any) -> Any:
            y = self.compute_step(step, args, kwargs)
            at = index.get(id(step.outputs[0]))
            if at is None:
                return y
            has_heads = len(y.shape) == 4
            all_scores.append(y if has_heads else y[:, None])
            if offsets is None:
                return y
            return y + (offsets[at] if has_heads else offsets[at][:, 0])

        return self.forward(images, compute), all_scores


def attention_steps(steps: Sequence[Step], moving: set[int]) -> list[Step]:
    """Finds the softmaxes over tokens that weigh the values of the tokens.

    Args:
        steps: All steps of a graph.
        moving: Ids of the inputs that are explained; what depends on them is added.
    """
    readers: dict[int, list[Step]] = {}
    for step in steps:
        if not moving.isdisjoint(ids(sources(step))):
            moving.update(ids(step.outputs))
        for tensor in sources(step):
            readers.setdefault(id(tensor), []).append(step)

    def weighs(tensor: Any) -> bool:
        for step in readers.get(id(tensor), []):
            if _sums_over_last(step, tensor, moving):
                return True
            if name_of(step) in BETWEEN and weighs(step.outputs[0]):
                return True
        return False

    return [
        step for step in steps if _is_softmax(step, moving) and weighs(step.outputs[0])
    ]


def _is_softmax(step: Step, moving: set[int]) -> bool:
    """Whether a step is a softmax over the last axis, of three axes or four."""
    name, output = name_of(step), step.outputs[0]
    if name == "Activation" or step.part == ACTIVATION:
        name = activation_name(step).capitalize()
    axis = getattr(step.operation, "axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    rank = len(output.shape)
    right = name == "Softmax" and axis in (-1, rank - 1) and rank in (3, 4)
    return right and id(output) in moving


def _sums_over_last(step: Step, scores: Any, moving: set[int]) -> bool:
    """Whether a step sums values that move, weighed along the last axis of scores."""
    if isinstance(step.operation, LinearOperation) or len(sources(step)) != 2:
        return False
    one, other = sources(step)
    value = other if one is scores else one
    if id(value) not in moving or value is scores:
        return False
    if name_of(step) == "Matmul":
        return one is scores
    if name_of(step) != "Einsum":
        return False
    given, _, made = step.operation.subscripts.replace(" ", "").partition("->")
    label = given.split(",")[0 if one is scores else 1][-1]
    return label not in made
