"""The scores of gates on positions and channels, and as maps of the image."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from medattn.explain.analyzer import Analyzer
from medattn.explain.attention.reader import AttentionReader
from medattn.explain.attention.written_gates import (
    KINDS,
    Kind,
    has_attention_layer,
    written_gates,
)
from medattn.explain.backend import value_and_gradients
from medattn.explain.graph.steps import Step
from medattn.explain.spatial import spread, upsampled
from medattn.layers import (
    BAM,
    CBAM,
    AttentionLayer,
    ChannelAttention,
    CoordinateAttention,
    EfficientChannelAttention,
    GlobalContext,
    SpatialAttention,
    SqueezeExcite,
)
from medattn.layers.tensor import Tensor

KINDS_OF: dict[type[AttentionLayer], tuple[Kind, ...]] = {
    BAM: KINDS,
    CBAM: KINDS,
    ChannelAttention: ("channel",),
    CoordinateAttention: KINDS,
    EfficientChannelAttention: ("channel",),
    GlobalContext: ("spatial",),
    SpatialAttention: ("spatial",),
    SqueezeExcite: ("channel",),
}


class GateReader(AttentionReader):
    """The scores of the model's gates as a map; the same for every class.

    Gates of `medattn.layers` are read by their `scores`. A model without such is opened
    and read by what it computes: a factor in [0, 1] of a product, with one weight a
    channel or one a position, is a gate, whoever wrote it.

    Args:
        layer: Name of one gate; None takes the mean over all.
    """

    options = {"layer": None}
    layer: str | None
    kind: Kind

    def stays_closed(self, layer: keras.Layer) -> bool:
        if has_attention_layer(self.model):
            return super().stays_closed(layer)
        return Analyzer.stays_closed(self, layer)

    def chosen_stages(self) -> list[Step]:
        self.written = written_gates(self.graph, self.output)
        stages = self._steps_where(
            lambda step: self.kind in (_kinds(step) or self._kinds_written(step))
        )
        if not stages:
            self._refuse(f"a {self.kind} gate, such as CBAM,")
        names = self.names_of(stages)
        if self.layer is None:
            return stages
        if self.layer not in names:
            raise ValueError(
                f"The model has no such {self.kind} gate. Expected one of {names}. "
                f"Received: layer={self.layer!r}"
            )
        return [stages[names.index(self.layer)]]

    def prepare(self) -> None:
        super().prepare()
        self._read = value_and_gradients(
            lambda images, neurons: (0.0, self.read(images)[1]), gradients=False
        )

    def names_of(self, stages: Sequence[Step]) -> list[str]:
        """Names gates by their layer, or by the layer or operation that weighs."""
        names: list[str] = []
        for step in stages:
            written = id(step.outputs[0]) in self.written and step.path
            name = first = step.path[-1] if written else step.operation.name
            while name in names:
                name = f"{first} ({names.count(name) + len(names)})"
            names.append(name)
        return names

    def _kinds_written(self, step: Step) -> tuple[Kind, ...]:
        gate = self.written.get(id(step.outputs[0]))
        return () if gate is None else gate.kinds

    def read(
        self, images: Sequence[Tensor], offsets: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Computes the explained output, and the scores of every gate.

        Args:
            images: One tensor per input.
            offsets: Not used.
        """
        found = []

        def compute(step: Step, args: Any, kwargs: Any) -> Any:
            if any(step is each for each in self.stages):
                found.append(self._scores_from(step, args, kwargs))
            return self.compute_step(step, args, kwargs)

        return self.forward(images, compute), found

    def _scores_from(self, step: Step, args: Any, kwargs: Any) -> Tensor:
        gate = self.written.get(id(step.outputs[0]))
        if gate is None:
            return self.scores(step, args[0])
        leaves = keras.tree.flatten((args, kwargs))
        scores, x = leaves[gate.gate], leaves[gate.signal]
        axes = -1 if self.kind == "spatial" else (1, 2)
        scores = ops.mean(ops.cast(scores, "float32"), axis=axes, keepdims=True)
        return self.as_map(scores, ops.cast(x, "float32"))

    def scores(self, step: Step, x: Tensor) -> Tensor:
        x = ops.cast(x, step.operation.compute_dtype)
        scores = _scores_by_kind(step.operation, x)[self.kind]
        return ops.cast(self.as_map(scores, x), "float32")

    def as_map(self, scores: Tensor, x: Tensor) -> Tensor:
        """Turns scores into a map, `(batch, height, width, 1)`.

        Args:
            scores: The scores of a gate.
            x: The input of the gate.
        """
        return scores

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        _, scores = self._read(images, neurons)
        found = []
        for x in images:
            large = [upsampled(each[..., 0], x.shape[1:3]) for each in scores]
            found.append(spread(np.mean(large, axis=0), x))
        return found


class SpatialGate(GateReader):
    """The scores of the spatial gates: their weight of each position.

    A gate with a weight for every value (BAM, coordinate attention) is averaged over
    channels.

    Args:
        layer: Name of one gate; None takes the mean over all.

    Reference:
        [Woo et al., 2018](https://doi.org/10.1007/978-3-030-01234-2_1), equation 3.
    """

    kind: Kind = "spatial"


class ChannelGate(GateReader):
    """The effect of the channel gates on each position.

    A channel gate has one weight s_c for the whole image; its effect on a position with
    the features x_c is their mean weighted by the features, sum_c s_c |x_c| / sum_c
    |x_c|. For the weights themselves see `gate_maps`.

    Args:
        layer: Name of one gate; None takes the mean over all.

    Reference:
        [Hu et al., 2018](https://doi.org/10.1109/CVPR.2018.00745), equation 4.
    """

    kind: Kind = "channel"

    def as_map(self, scores: Tensor, x: Tensor) -> Tensor:
        size = ops.abs(x)
        return ops.divide_no_nan(
            ops.sum(scores * size, axis=-1, keepdims=True),
            ops.sum(size, axis=-1, keepdims=True),
        )


class _ScoreReader(GateReader):
    """The gates' scores, not as maps."""

    options = {"layer": None, "kind": "spatial"}


def gate_maps(
    model: keras.Model, x: np.ndarray, *, kind: Kind = "spatial"
) -> dict[str, np.ndarray]:
    """Reads the gates of every stage.

    Args:
        model: A functional or Sequential `keras.Model` with gates of `medattn.layers`.
        x: `(batch, height, width, channels)`, pixels in [0, 1].
        kind: `"spatial"`: the weight of each position, or `"channel"`: of each channel.
            A gate with a weight for every value is averaged over the other.

    Returns:
        From the layer's name to its scores: `(batch, rows, columns, 1)` for spatial
        gates, `(batch, 1, 1, channels)` for channel gates, in the size of each stage.
    """
    return gate_reader(model, kind=kind)(x)


def gate_reader(
    model: keras.Model, *, kind: Kind = "spatial"
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Compiles `gate_maps` once, for many calls with one model.

    Args:
        model: See `gate_maps`.
        kind: See `gate_maps`.

    Returns:
        A function from images to what `gate_maps` returns.
    """
    if kind not in KINDS:
        raise ValueError(
            f"Unknown kind of gate. Expected one of {KINDS}. Received: kind={kind!r}"
        )
    reader = _ScoreReader(model, kind=kind)
    names = reader.names_of(reader.stages)

    def read(x: np.ndarray) -> dict[str, np.ndarray]:
        images, neurons = reader._checked(x, None)
        return dict(zip(names, reader._read(images, neurons)[1], strict=True))

    return read


def _kinds(step: Step) -> tuple[Kind, ...]:
    """Returns what a step's gate weighs: positions, channels, both or neither."""
    return next((KINDS_OF[k] for k in KINDS_OF if isinstance(step.operation, k)), ())


def _scores_by_kind(layer: AttentionLayer, x: Tensor) -> dict[Kind, Tensor]:
    """Computes a gate's weights of channels and of positions.

    A gate that weighs only one of them has a mean for the other.
    """
    if isinstance(layer, CBAM):
        channel = layer.channel.scores(x)
        return {"channel": channel, "spatial": layer.spatial.scores(x * channel)}
    scores = layer.scores(x)
    return {
        "channel": ops.mean(scores, axis=(1, 2), keepdims=True),
        "spatial": ops.mean(scores, axis=-1, keepdims=True),
    }
