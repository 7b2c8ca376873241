"""Attention between tokens: rollout, transformer attribution, heads, class token."""

import numpy as np

from medattn.explain.analyzer import choose
from medattn.explain.attention.reader import AttentionReader
from medattn.explain.backend import value_and_gradients
from medattn.explain.spatial import spread, token_grid, upsampled
from medattn.layers import MultiHeadSelfAttention


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
            lambda images, neurons: (0.0, self.read(images)[1]), gradients=False
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
