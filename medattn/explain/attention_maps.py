"""Attention read from the model: rollout, transformer attribution, heads and gates."""

import numpy as np
from keras import ops

from medattn.explain.analyzer import choose
from medattn.explain.gradients import value_and_gradients
from medattn.explain.places import checked_pictures, spread, token_grid, upsampled
from medattn.explain.whole import Whole
from medattn.layers import (
    BAM,
    CBAM,
    AttentionLayer,
    ChannelAttention,
    CoordinateAttention,
    EfficientChannelAttention,
    GlobalContext,
    MultiHeadSelfAttention,
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


class AttentionReader(Whole):
    """Keeps the attention layers in one piece and looks at what goes into them."""

    wanted = AttentionLayer

    def stays_closed(self, layer):
        if isinstance(layer, self.wanted):
            return True
        inside = layer._flatten_layers(include_self=False)
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

        def does(step, args, kwargs):
            at = [place for place, stage in enumerate(self.stages) if stage is step]
            if not at:
                return self.does(step, args, kwargs)
            scores = self.scores(step, args[0])
            seen.append(scores)
            if watched is None:
                return self.does(step, args, kwargs)
            x = ops.cast(args[0], step.operation.compute_dtype)
            scores = ops.cast(scores + watched[at[0]], step.operation.compute_dtype)
            return ops.cast(step.operation.mix(x, scores), "float32")

        return self.forward(images, does), seen

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


class Rollout(AttentionReader):
    """Attention, followed from the class token down through all layers.

    R = A_L' ... A_2' A_1' with A' = (A + 1) / 2, where A is the mean over heads and the
    one stands for the residual connection; the map is the class token's row of R. Where
    there is no class token, it is the mean of all rows. It is the same for every class.

    Args:
        start_layer: The first layer to be counted, from 0.

    Reference:
        [Abnar and Zuidema, 2020](https://arxiv.org/abs/2005.00928), section 3 and
        equation 1.
    """

    options = {"start_layer": 0}
    wanted = MultiHeadSelfAttention

    def prepare(self):
        super().prepare()
        layers = len(self.stages)
        whole = isinstance(self.start_layer, int) and not isinstance(
            self.start_layer, bool
        )
        if not whole or not 0 <= self.start_layer < layers:
            raise ValueError(
                "No layer is left to look at. Expected a start_layer from 0 to "
                f"{layers - 1}. Received: start_layer={self.start_layer!r}"
            )
        tokens = {step.outputs[0].shape[1] for step in self.stages}
        shapes = [tensor.shape[1:3] for tensor in self.model.inputs]
        grids = [token_grid(n, shapes[0]) for n in tokens if n is not None]
        if len(grids) != 1 or grids[0] is None or len(shapes) > 1:
            raise ValueError(
                "The tokens cannot be placed on the image. Expected one image, and in "
                "every layer a token for each square patch of it, with at most a class "
                f"token before them. Received: {sorted(tokens, key=str)} tokens and "
                f"images of {shapes}"
            )
        self.first, self.rows, self.columns = grids[0]
        self._read = value_and_gradients(
            lambda images, neurons: (0.0, self.read(images)[1]), slopes=False
        )

    def _explain(self, images, neurons):
        _, scores = self._read(images, neurons)
        mixed = [(each.mean(axis=1) + np.eye(each.shape[-1])) / 2 for each in scores]
        return self._drawn(mixed[self.start_layer :], images)

    def _drawn(self, factors, images):
        """Multiplies the layers' matrices, and draws the class token's row."""
        total = factors[0]  # (batch, tokens, tokens)
        for factor in factors[1:]:
            total = factor @ total
        row = total[:, 0] if self.first else total.mean(axis=1)
        maps = row[:, self.first :].reshape(-1, self.rows, self.columns)
        return [spread(upsampled(maps, images[0].shape[1:3]), images[0])]


class TransformerAttribution(Rollout):
    """Attention times its gradient, positive parts only, rolled out: for one class.

    R <- R + E_h[(dA * A)+] R, from R = 1 on, layer by layer, with dA the derivative of
    the class's logit by the attention A and E_h the mean over heads; the map is the
    class token's row of R without the one it began with.

    This is the later, simpler form: the first (CVPR 2021, arXiv 2012.09838) has the LRP
    relevance of A in the place of A itself.

    Args:
        start_layer: The first layer to be counted, from 0.

    Reference:
        [Chefer, Gur and Wolf, 2021](https://arxiv.org/abs/2103.15679), equations 5
        and 6.
    """

    def prepare(self):
        super().prepare()

        def logit(watched, images, neurons):
            outputs, scores = self.read(images, watched)
            return choose(outputs, neurons), scores

        self._gradient = value_and_gradients(logit)

    def _explain(self, images, neurons):
        zeros = [
            np.zeros((len(images[0]), step.operation.heads, n, n), np.float32)
            for step in self.stages
            for n in [step.outputs[0].shape[1]]
        ]
        slopes, scores = self._gradient(zeros, images, neurons)
        one = np.eye(scores[0].shape[-1])
        factors = [
            np.maximum(a * da, 0).mean(axis=1) + one
            for a, da in zip(scores, slopes, strict=True)
        ]
        return self._drawn(factors[self.start_layer :], images)


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

        self._read = value_and_gradients(scores, slopes=False)

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


def attention_heads(model, x):
    """Reads what every head of a transformer attends to.

    Args:
        model: A functional or Sequential `keras.Model` with `MultiHeadSelfAttention`.
        x: `(batch, height, width, channels)`, pixels in [0, 1].

    Returns:
        `(batch, layers, heads, tokens, tokens)`: how much each token (row) takes from
        each (column); every row sums to one. Token 0 of a DeiT is the class token.
    """
    reader = Rollout(model)
    images, neurons = reader._checked(x, None)
    return np.stack(reader._read(images, neurons)[1], axis=1)


def class_token_maps(model, x):
    """Draws what the class token attends to, head by head.

    Args:
        model: As in `attention_heads`.
        x: `(batch, height, width, channels)`, pixels in [0, 1].

    Returns:
        `(batch, layers, heads, height, width)`, the class token's attention to each
        patch, enlarged bilinearly.
    """
    return class_token_reader(model)(x)


def class_token_reader(model):
    """Compiles `class_token_maps` once, for a model that many images are shown to.

    Args:
        model: As in `attention_heads`.

    Returns:
        A function from images to what `class_token_maps` returns.
    """
    reader = Rollout(model)
    if not reader.first:
        raise ValueError(
            "There is no class token to look from. Expected a model with one token "
            f"before the patches. Received: {model.name!r}, with "
            f"{reader.rows * reader.columns} patches and nothing else"
        )

    def read(x):
        images, neurons = reader._checked(x, None)
        scores = np.stack(reader._read(images, neurons)[1], axis=1)
        height, width = images[0].shape[1:3]
        patches = scores[:, :, :, 0, 1:].reshape(-1, reader.rows, reader.columns)
        large = upsampled(patches, (height, width))
        return large.reshape(*scores.shape[:3], height, width)

    return read


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


ATTENTION_ANALYZERS = {
    "attention.rollout": Rollout,
    "attention.transformer": TransformerAttribution,
    "attention.spatial_gate": SpatialGate,
    "attention.channel_gate": ChannelGate,
}
