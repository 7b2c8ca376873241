"""LRP's rules for linear layers: which share of a neuron's relevance each input gets.

Each rule names the contributions it counts (`signal`, made of the layer's input) and
the denominator that they are divided by:

    R_j = sum over terms of  weight * sum_k (share of j in signal_k) R_k / denominator_k

What is left, `denominator - signal`, is what the bias (or the stabiliser) has absorbed.
Where the denominator is zero, a term's relevance has nowhere to go: it is dropped, and
the audit counts it.

A rule is a function of a `LinearLayer` (the batch norm that follows it folded in), its
input, and a probe: ones of the input's shape, for rules that do not look at the input.
"""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from medattn.explain.graph.linear_layers import LinearLayer
from medattn.layers.tensor import Tensor


class Term(NamedTuple):
    """One part of a rule.

    Attributes:
        signal: What the rule counts, same shape as the layer's output.
        denominator: Computes what the signal is divided by, same shape.
        weight: Of this part among the rule's.
        slope: A shorter way to `z / denominator`, from z and whether z is behind a
            ReLU; None if there is none.
    """

    signal: Tensor
    denominator: Callable[[], Tensor]
    weight: float = 1.0
    slope: Callable[[Tensor, bool], Tensor] | None = None


LinearRule = Callable[[LinearLayer, Tensor, Tensor], list[Term]]


def z(layer: LinearLayer, x: Tensor, probe: Tensor) -> list[Term]:
    """Shares in proportion to the contributions.

    R_j = sum_k x_j w_jk R_k / z_k

    Reference:
        [Bach et al., 2015](https://doi.org/10.1371/journal.pone.0130140), equation 56.
    """
    signal = layer.total(x)
    return [Term(signal, lambda: with_bias(signal, layer.bias))]


def epsilon(
    layer: LinearLayer, x: Tensor, probe: Tensor, *, epsilon: float, bias: bool = True
) -> list[Term]:
    """Shares in proportion to the contributions, with denominators kept from zero.

    R_j = sum_k x_j w_jk R_k / (z_k + epsilon sign(z_k))

    Args:
        layer: A linear layer.
        x: Its input.
        probe: Not used.
        epsilon: In the units of the activations; larger values absorb more.
        bias: Whether the bias counts in `z_k`.

    Reference:
        [Bach et al., 2015](https://doi.org/10.1371/journal.pone.0130140), equation 58.
    """
    signal = layer.total(x)

    def denominator() -> Tensor:
        z = with_bias(signal, layer.bias if bias else None)
        return z + epsilon * ops.cast(ops.where(z >= 0, 1.0, -1.0), z.dtype)

    def slope(z: Tensor, rectified: bool) -> Tensor:
        size = z if rectified else ops.abs(z)
        return size / (size + epsilon)

    plain = bias and epsilon > 0
    return [Term(signal, denominator, slope=slope if plain else None)]


def gamma(layer: LinearLayer, x: Tensor, probe: Tensor, *, gamma: float) -> list[Term]:
    """Favours the contributions that have the sign of the neuron.

    R_j = sum_k (c_jk + gamma c_jk[sign z_k]) R_k / sum_j(...), with c_jk = x_j w_jk
    and c[+] its positive, c[-] its negative part; the bias likewise in the sum.

    Args:
        layer: A linear layer.
        x: Its input.
        probe: Not used.
        gamma: 0 is rule z; large values tend to rule z-plus where z_k > 0.

    Reference:
        [Montavon et al., 2019](https://doi.org/10.1007/978-3-030-28954-6_10), section
        10.2.3; for inputs of both signs as in Andéol et al., 2021.
    """
    total, positive = layer.total(x), layer.positive(x)
    excited = ops.cast(with_bias(total, layer.bias) > 0, total.dtype)
    excited = ops.stop_gradient(excited)
    favoured = excited * positive + (1 - excited) * (total - positive)
    signal = total + gamma * favoured

    def denominator() -> Tensor:
        if layer.bias is None:
            return signal
        b = layer.bias + ops.zeros_like(signal)
        return (
            signal
            + b
            + gamma * (excited * ops.relu(b) + (excited - 1) * ops.relu(-layer.bias))
        )

    return [Term(signal, denominator)]


def alpha_beta(
    layer: LinearLayer,
    x: Tensor,
    probe: Tensor,
    *,
    alpha: float,
    beta: float,
    bias: bool = True,
) -> list[Term]:
    """Shares alpha among the contributions that excite, minus beta among the others.

    R_j = sum_k (alpha c_jk[+] / sum_j c_jk[+] - beta c_jk[-] / sum_j c_jk[-]) R_k

    A bias of the layer itself enters both sums as it is, as in iNNvestigate 2.1; the
    shift of a folded batch norm enters by its sign, as in the paper.

    Args:
        layer: A linear layer.
        x: Its input.
        probe: Not used.
        alpha: Weight of what excites.
        beta: Weight of what inhibits; `alpha - beta = 1` for relevance to be kept.
        bias: Whether the bias counts in the sums.

    Reference:
        [Bach et al., 2015](https://doi.org/10.1371/journal.pone.0130140), equation 60.
    """
    exciting = inhibiting = layer.bias if bias else None
    has_shift = layer.norm is not None or layer.kind == "BatchNormalization"
    if exciting is not None and has_shift:
        exciting, inhibiting = ops.relu(layer.bias), -ops.relu(-layer.bias)
    positive = layer.positive(x)
    terms = [Term(positive, lambda: with_bias(positive, exciting), alpha)]
    if beta:
        negative = layer.negative(x)
        terms.append(Term(negative, lambda: with_bias(negative, inhibiting), -beta))
    return terms


def flat(layer: LinearLayer, x: Tensor, probe: Tensor) -> list[Term]:
    """Shares evenly among all inputs of a neuron.

    R_j = sum_k R_k / n_k

    Reference:
        [Bach et al., 2016](https://arxiv.org/abs/1606.06320), section 2.
    """
    signal = layer.ones(probe)
    return [Term(signal, lambda: signal)]


def w_square(layer: LinearLayer, x: Tensor, probe: Tensor) -> list[Term]:
    """Shares by squared weights, whatever the input.

    R_j = sum_k w_jk^2 R_k / sum_j w_jk^2

    Reference:
        [Montavon et al., 2017](https://doi.org/10.1016/j.patcog.2016.11.008), eq. 12.
    """
    signal = layer.squared(probe)
    return [Term(signal, lambda: signal)]


def bounded(
    layer: LinearLayer, x: Tensor, probe: Tensor, *, low: float, high: float
) -> list[Term]:
    """Shares by how far each contribution is above the minimum that it could have.

    R_j = sum_k (x_j w_jk - l w_jk[+] - h w_jk[-]) R_k / sum_j(...)

    Args:
        layer: A linear layer that reads the image.
        x: The image.
        probe: Ones of its shape, which carry the relevance of the bounds.
        low: The minimum of a pixel.
        high: The maximum.

    Reference:
        [Montavon et al., 2017](https://doi.org/10.1016/j.patcog.2016.11.008), eq. 19.
    """
    assert layer.uniform_input is not None  # the layer reads the image
    lowest, highest = layer.uniform_input(low), layer.uniform_input(high)
    signal = layer.bounded(x, lowest * probe, highest * probe)
    return [Term(signal, lambda: signal)]


def with_bias(signal: Tensor, bias: Tensor | None) -> Tensor:
    """Adds a bias that may be None."""
    return signal if bias is None else signal + bias
