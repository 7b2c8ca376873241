"""The base of analyzers that read the scores of attention layers."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

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

    layer_class: ClassVar[type[AttentionLayer]] = AttentionLayer

    def stays_closed(self, layer: keras.Layer) -> bool:
        if isinstance(layer, self.layer_class):
            return True
        inside = all_layers(layer, include_self=False)
        return not any(isinstance(each, self.layer_class) for each in inside)

    def prepare(self) -> None:
        check_image_inputs(self.model.inputs)
        self.stages = self.chosen_stages()

    def chosen_stages(self) -> list[Step]:
        """Returns the steps whose scores are read."""
        found = self._steps_where(
            lambda step: isinstance(step.operation, self.layer_class)
        )
        if not found:
            self._refuse(f"a {self.layer_class.__name__} layer")
        return found

    def scores(self, step: Step, x: Tensor) -> Tensor:
        """Computes the scores of a stage from its input."""
        return ops.cast(step.operation.scores(x), "float32")

    def read(
        self, images: Sequence[Tensor], offsets: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Computes the explained output, and the scores of every stage.

        Args:
            images: One tensor per input.
            offsets: Added to the scores, one tensor per stage: zeros, by which the
                output can be differentiated.
        """
        all_scores = []

        def compute(step: Step, args: Any, kwargs: Any) -> Any:
            index = next((n for n, s in enumerate(self.stages) if s is step), None)
            if index is None:
                return self.compute_step(step, args, kwargs)
            scores = self.scores(step, args[0])
            all_scores.append(scores)
            if offsets is None:
                return self.compute_step(step, args, kwargs)
            x = ops.cast(args[0], step.operation.compute_dtype)
            scores = ops.cast(scores + offsets[index], step.operation.compute_dtype)
            return ops.cast(step.operation.mix(x, scores), "float32")

        return self.forward(images, compute), all_scores

    def _steps_where(self, condition: Callable[[Step], bool]) -> list[Step]:
        return [step for step in self.graph.steps if condition(step)]

    def _refuse(self, needed: str) -> NoReturn:
        present = {
            step.operation.name: type(step.operation).__name__
            for step in self._steps_where(
                lambda s: isinstance(s.operation, AttentionLayer)
            )
        }
        raise ValueError(
            f"There is no such attention to read. Expected a model with {needed} of "
            f"medattn.layers. Received: {self.model.name!r}, whose attention layers "
            f"are {present or 'none at all'}"
        )
