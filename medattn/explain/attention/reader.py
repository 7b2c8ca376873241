"""Attention layers kept in one piece, so that their scores can be looked at."""

from keras import ops

from medattn.explain.spatial import checked_pictures
from medattn.explain.unopened import Whole
from medattn.layers import AttentionLayer
from medattn.layers.keras_private import all_layers


class AttentionReader(Whole):
    """Keeps the attention layers in one piece and looks at what goes into them."""

    wanted = AttentionLayer

    def stays_closed(self, layer):
        if isinstance(layer, self.wanted):
            return True
        inside = all_layers(layer, include_self=False)
        return not any(isinstance(each, self.wanted) for each in inside)

    def prepare(self):
        checked_pictures(self)
        self.stages = self.chosen_stages()

    def chosen_stages(self):
        """Returns the steps of the model that are attention of the wanted kind."""
        found = self._found(lambda step: isinstance(step.operation, self.wanted))
        return found or self._refuse(f"a {self.wanted.__name__} layer")

    def scores(self, step, x):
        """Computes what is read from a stage, given its input."""
        return ops.cast(step.operation.scores(x), "float32")

    def read(self, images, watched=None):
        """Computes the explained output, and the scores of every stage.

        Args:
            images: One tensor an input.
            watched: To be added to the scores, one tensor a stage: zeros, by which the
                output can be differentiated.
        """
        seen = []

        def compute(step, args, kwargs):
            at = [place for place, stage in enumerate(self.stages) if stage is step]
            if not at:
                return self.compute_step(step, args, kwargs)
            scores = self.scores(step, args[0])
            seen.append(scores)
            if watched is None:
                return self.compute_step(step, args, kwargs)
            x = ops.cast(args[0], step.operation.compute_dtype)
            scores = ops.cast(scores + watched[at[0]], step.operation.compute_dtype)
            return ops.cast(step.operation.mix(x, scores), "float32")

        return self.forward(images, compute), seen

    def _found(self, fits):
        return [step for step in self.graph.steps if fits(step)]

    def _refuse(self, needed):
        has = {
            step.operation.name: type(step.operation).__name__
            for step in self._found(lambda s: isinstance(s.operation, AttentionLayer))
        }
        raise ValueError(
            f"There is no such attention to read. Expected a model with {needed} of "
            f"medattn.layers. Received: {self.model.name!r}, whose attention layers "
            f"are {has or 'none at all'}"
        )
