"""The base of analyzers that read the scores of attention layers."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import keras
from keras import ops

from medattn.explain.graph.steps import Step
from medattn.explain.spatial import check_image_inputs
from medattn.explain.unopened import LayerwiseAnalyzer
from medattn.layers import AttentionLayer
from medattn.layers.keras_private import all_layers
from medattn.layers.tensor import Tensor


class AttentionReader(LayerwiseAnalyzer):
    """Leaves attention layers unopened, and computes their scores from their inputs."""

    def stays_closed(self, layer: keras.Layer) -> bool:
        if isinstance(layer, AttentionLayer):
            return True
        inside = all_layers(layer, include_self=False)
        return not any(isinstance(each, AttentionLayer) for each in inside)

    def prepare(self) -> None:
        check_image_inputs(self.graph.inputs, self.names)
        self.stages = self.chosen_stages()

    def chosen_stages(self) -> list[Step]:
        """Returns the steps whose scores are read."""
        raise TypeError(f"{type(self).__name__} does not say what it reads.")

    def scores(self, step: Step, x: Tensor) -> Tensor:
        """Computes the scores of a stage from its input."""
        return ops.cast(step.operation.scores(x), "float32")

    def read(self, images: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Computes the explained output, and the scores of every stage.

        Args:
            images: One tensor per input.
        """
        all_scores = []

        def compute(step: Step, args: Any, kwargs: Any) -> Any:
            if any(step is stage for stage in self.stages):
                all_scores.append(self.scores(step, args[0]))
            return self.compute_step(step, args, kwargs)

        return self.forward(images, compute), all_scores

    def _steps_where(self, condition: Callable[[Step], bool]) -> list[Step]:
        return [step for step in self.graph.steps if condition(step)]

    def _refuse(self, needed: str) -> NoReturn:
        present = attention_layers(self.model)
        raise ValueError(
            f"There is no such attention to read. Expected a model with {needed} of "
            f"medattn.layers. Received: {self.model.name!r}, whose attention layers "
            f"are {present or 'none at all'}"
        )


def attention_layers(model: keras.Model) -> dict[str, str]:
    """Lists the attention layers of a model, from their names to their classes."""
    kinds = (
        AttentionLayer,
        keras.layers.AdditiveAttention,
        keras.layers.Attention,
        keras.layers.GroupQueryAttention,
        keras.layers.MultiHeadAttention,
    )
    return {
        layer.name: type(layer).__name__
        for layer in all_layers(model)
        if isinstance(layer, kinds)
    }
