"""DeepLIFT's rules for linear layers: Rescale, and RevealCancel's two parts.

A linear layer takes differences as it takes values, without its bias; so Rescale has
nothing to choose here. RevealCancel keeps positive and negative contributions apart up
to the next nonlinearity.
"""

from keras import ops

from medattn.explain.deeplift.pairs import Pair
from medattn.explain.graph.linear_layers import LinearLayer
from medattn.layers.tensor import Tensor

Parts = tuple[Tensor, Tensor]  # the positive and the negative part of a difference


def rescale(layer: LinearLayer, pair: Pair) -> Pair:
    """Sends a difference through a linear layer, which its bias does not change.

    dz_k = sum_j w_jk dx_j

    Args:
        layer: A linear layer.
        pair: Its input.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), section 3.5.1.
    """
    reference = LinearLayer(layer.layer).output(pair.reference)
    return Pair(reference, layer.total(pair.difference))


def reveal_cancel(
    layer: LinearLayer, pair: Pair, before: Parts | None
) -> tuple[Pair, Parts]:
    """Sends a difference through a linear layer in its positive and negative part.

    dz+_k = sum_j max(0, w_jk dx_j) and dz-_k = sum_j min(0, w_jk dx_j)

    A batch norm, which has one input a neuron, passes the parts of the layer before it.

    Args:
        layer: A linear layer.
        pair: Its input.
        before: The parts of its input, if they are known.

    Returns:
        The output, and its two parts.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), section 3.5.3.
    """
    reference = LinearLayer(layer.layer).output(pair.reference)
    if layer.kind == "BatchNormalization" and before is not None:
        up, down = before
        rising, falling = ops.relu(layer.kernel), ops.relu(-layer.kernel)
        parts = up * rising - down * falling, down * rising - up * falling
    else:
        parts = layer.positive(pair.difference), layer.negative(pair.difference)
    total = layer.total(ops.stop_gradient(pair.difference))
    return Pair(reference, sum_of_parts(*parts, total)), parts


def sum_of_parts(up: Tensor, down: Tensor, total: Tensor) -> Tensor:
    """Adds a positive and a negative part whose sum is known better than they are.

    Where both are large and their sum is small, float32 loses its digits. What they
    miss of the total is shared by their size.

    Args:
        up: The positive part.
        down: The negative part.
        total: Their sum, computed in one piece.
    """
    size = ops.abs(up) + ops.abs(down)
    missed = ops.stop_gradient(total - up - down)
    return up + down + size * ops.divide_no_nan(missed, ops.stop_gradient(size))
