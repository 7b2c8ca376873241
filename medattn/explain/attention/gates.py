"""Gates on places and channels: their scores, and what they leave of an image."""

import numpy as np
from keras import ops

from medattn.explain.attention.reader import AttentionReader
from medattn.explain.backend import value_and_gradients
from medattn.explain.spatial import spread, upsampled
from medattn.layers import (
    BAM,
    CBAM,
    ChannelAttention,
    CoordinateAttention,
    EfficientChannelAttention,
    GlobalContext,
    SpatialAttention,
    SqueezeExcite,
)

KINDS = ("spatial", "channel")
KINDS_OF = {
    BAM: KINDS,
    CBAM: KINDS,
    ChannelAttention: ("channel",),
    CoordinateAttention: KINDS,
    EfficientChannelAttention: ("channel",),
    GlobalContext: ("spatial",),
    SpatialAttention: ("spatial",),
    SqueezeExcite: ("channel",),
}


class Gates(AttentionReader):
    """The scores of the model's gates, drawn over the image; the same for every class.

    Args:
        layer: Name of the gate to draw; None takes the mean over all.
    """

    options = {"layer": None}
    kind = None

    def chosen_stages(self):
        stages = self._found(lambda step: self.kind in _kinds(step))
        if not stages:
            self._refuse(f"a {self.kind} gate, such as CBAM,")
        names = [step.operation.name for step in stages]
        if self.layer is None:
            return stages
        if self.layer not in names:
            raise ValueError(
                f"The model has no such {self.kind} gate. Expected one of {names}. "
                f"Received: layer={self.layer!r}"
            )
        return [stages[names.index(self.layer)]]

    def prepare(self):
        super().prepare()

        def scores(images, neurons):
            return 0.0, self.read(images)[1]

        self._read = value_and_gradients(scores, gradients=False)

    def scores(self, step, x):
        x = ops.cast(x, step.operation.compute_dtype)
        return ops.cast(self.drawn(_parts(step.operation, x)[self.kind], x), "float32")

    def drawn(self, scores, x):
        """Turns scores into `(batch, height, width, 1)`."""
        return scores

    def _explain(self, images, neurons):
        _, scores = self._read(images, neurons)
        found = []
        for x in images:
            large = [upsampled(each[..., 0], x.shape[1:3]) for each in scores]
            found.append(spread(np.mean(large, axis=0), x))
        return found


class SpatialGate(Gates):
    """Where the spatial gates let through: their weight of each place.

    A gate with a weight for every value (BAM, coordinate attention) is averaged over
    channels.

    Args:
        layer: Name of the gate to draw; None takes the mean over all.

    Reference:
        [Woo et al., 2018](https://doi.org/10.1007/978-3-030-01234-2_1), equation 3.
    """

    kind = "spatial"


class ChannelGate(Gates):
    """What the channel gates leave of each place.

    A channel gate has one weight s_c for the whole image; on a place with the features
    x_c it acts as their mean weighted by the features, sum_c s_c |x_c| / sum_c |x_c|,
    which is drawn. For the weights themselves see `gate_maps`.

    Args:
        layer: Name of the gate to draw; None takes the mean over all.

    Reference:
        [Hu et al., 2018](https://doi.org/10.1109/CVPR.2018.00745), equation 4.
    """

    kind = "channel"

    def drawn(self, scores, x):
        size = ops.abs(x)
        return ops.divide_no_nan(
            ops.sum(scores * size, axis=-1, keepdims=True),
            ops.sum(size, axis=-1, keepdims=True),
        )


class _Weights(Gates):
    """The gates' scores as they are."""

    options = {"layer": None, "kind": "spatial"}

    def drawn(self, scores, x):
        return scores


def gate_maps(model, x, *, kind="spatial"):
    """Reads the gates of every stage.

    Args:
        model: A functional or Sequential `keras.Model` with gates of `medattn.layers`.
        x: `(batch, height, width, channels)`, pixels in [0, 1].
        kind: `"spatial"`: the weight of each place, or `"channel"`: of each channel.
            A gate with a weight for every value is averaged over the other.

    Returns:
        From the layer's name to its scores: `(batch, rows, columns, 1)` for spatial
        gates, `(batch, 1, 1, channels)` for channel gates, of each stage's own size.
    """
    return gate_reader(model, kind=kind)(x)


def gate_reader(model, *, kind="spatial"):
    """Compiles `gate_maps` once, for a model that many images are shown to.

    Args:
        model: As in `gate_maps`.
        kind: As in `gate_maps`.

    Returns:
        A function from images to what `gate_maps` returns.
    """
    if kind not in KINDS:
        raise ValueError(
            f"Unknown kind of gate. Expected one of {KINDS}. Received: kind={kind!r}"
        )
    reader = _Weights(model, kind=kind)
    names = [step.operation.name for step in reader.stages]

    def read(x):
        images, neurons = reader._checked(x, None)
        return dict(zip(names, reader._read(images, neurons)[1], strict=True))

    return read


def _kinds(step):
    """Names what a step's gate weighs."""
    return next((KINDS_OF[k] for k in KINDS_OF if isinstance(step.operation, k)), ())


def _parts(layer, x):
    """Computes a gate's weights of channels and of places, as far as it has them."""
    if isinstance(layer, CBAM):
        channel = layer.channel.scores(x)
        return {"channel": channel, "spatial": layer.spatial.scores(x * channel)}
    scores = layer.scores(x)
    return {
        "channel": ops.mean(scores, axis=(1, 2), keepdims=True),
        "spatial": ops.mean(scores, axis=-1, keepdims=True),
    }
