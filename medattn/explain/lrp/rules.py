"""LRP's rules for linear layers: who gets which share of a neuron's relevance.

Each rule names the contributions it counts (`signal`, made of the layer's input) and
the sum that they are divided by (`whole`):

    R_j = sum over terms of  weight * sum_k (share of j in signal_k) R_k / whole_k

What is left, `whole - signal`, is what the bias (or the stabiliser) has absorbed. Where
`whole` is nothing, a term's relevance has nowhere to go: it is dropped, and counted.
"""

from collections import namedtuple

from keras import ops

Term = namedtuple("Term", "signal whole weight slope", defaults=(1.0, None))


def z(unit, x, probe):
    """Shares in proportion to the contributions.

    R_j = sum_k x_j w_jk R_k / z_k

    Reference:
        [Bach et al., 2015](https://doi.org/10.1371/journal.pone.0130140), equation 56.
    """
    signal = unit.total(x)
    return [Term(signal, lambda: with_bias(signal, unit.bias))]


def epsilon(unit, x, probe, *, epsilon, bias=True):
    """Shares in proportion to the contributions, with denominators kept from zero.

    R_j = sum_k x_j w_jk R_k / (z_k + epsilon sign(z_k))

    Args:
        unit: A linear layer, the batch norm that follows it folded in.
        x: Its input.
        probe: Not used.
        epsilon: In the units of the activations; larger values absorb more.
        bias: Whether the bias counts in `z_k`.

    Reference:
        [Bach et al., 2015](https://doi.org/10.1371/journal.pone.0130140), equation 58.
    """
    signal = unit.total(x)

    def whole():
        z = with_bias(signal, unit.bias if bias else None)
        return z + epsilon * ops.cast(ops.where(z >= 0, 1.0, -1.0), z.dtype)

    def slope(z, rectified):  # z / (z + epsilon sign z), in fewer passes
        size = z if rectified else ops.abs(z)
        return size / (size + epsilon)

    plain = bias and epsilon > 0
    return [Term(signal, whole, slope=slope if plain else None)]


def gamma(unit, x, probe, *, gamma):
    """Favours the contributions that have the sign of the neuron.

    R_j = sum_k (c_jk + gamma c_jk[sign z_k]) R_k / sum_j(...), with c_jk = x_j w_jk
    and c[+] its positive, c[-] its negative part; the bias likewise in the sum.

    Args:
        unit: A linear layer.
        x: Its input.
        probe: Not used.
        gamma: 0 is rule z; large values tend to rule z-plus where z_k > 0.

    Reference:
        [Montavon et al., 2019](https://doi.org/10.1007/978-3-030-28954-6_10), section
        10.2.3; for inputs of both signs as in Andéol et al., 2021.
    """
    total, positive = unit.total(x), unit.positive(x)
    up = ops.cast(with_bias(total, unit.bias) > 0, total.dtype)
    up = ops.stop_gradient(up)
    favoured = up * positive + (1 - up) * (total - positive)
    signal = total + gamma * favoured

    def whole():
        if unit.bias is None:
            return signal
        b = unit.bias + ops.zeros_like(signal)
        return signal + b + gamma * (up * ops.relu(b) + (up - 1) * ops.relu(-unit.bias))

    return [Term(signal, whole)]


def alpha_beta(unit, x, probe, *, alpha, beta, bias=True):
    """Shares alpha among the contributions that excite, minus beta among the others.

    R_j = sum_k (alpha c_jk[+] / sum_j c_jk[+] - beta c_jk[-] / sum_j c_jk[-]) R_k

    A bias of the layer itself enters both sums as it is, as in iNNvestigate 2.1; the
    shift of a folded batch norm enters by its sign, as in the paper.

    Args:
        unit: A linear layer.
        x: Its input.
        probe: Not used.
        alpha: Weight of what excites.
        beta: Weight of what inhibits; `alpha - beta = 1` for relevance to be kept.
        bias: Whether the bias counts in the sums.

    Reference:
        [Bach et al., 2015](https://doi.org/10.1371/journal.pone.0130140), equation 60.
    """
    up = down = unit.bias if bias else None
    if up is not None and (unit.batch_norm or unit.kind == "BatchNormalization"):
        up, down = ops.relu(unit.bias), -ops.relu(-unit.bias)
    positive = unit.positive(x)
    terms = [Term(positive, lambda: with_bias(positive, up), alpha)]
    if beta:
        negative = unit.negative(x)
        terms.append(Term(negative, lambda: with_bias(negative, down), -beta))
    return terms


def flat(unit, x, probe):
    """Shares evenly among all inputs of a neuron.

    R_j = sum_k R_k / n_k

    Reference:
        [Bach et al., 2016](https://arxiv.org/abs/1606.06320), section 2.
    """
    signal = unit.ones(probe)
    return [Term(signal, lambda: signal)]


def w_square(unit, x, probe):
    """Shares by squared weights, whatever the input.

    R_j = sum_k w_jk^2 R_k / sum_j w_jk^2

    Reference:
        [Montavon et al., 2017](https://doi.org/10.1016/j.patcog.2016.11.008), eq. 12.
    """
    signal = unit.squared(probe)
    return [Term(signal, lambda: signal)]


def bounded(unit, x, probe, *, low, high):
    """Shares by how far each contribution is above the least that it could be.

    R_j = sum_k (x_j w_jk - l w_jk[+] - h w_jk[-]) R_k / sum_j(...)

    Args:
        unit: A linear layer that reads the image.
        x: The image.
        probe: Ones of its shape, which carry the relevance of the bounds.
        low: The least value of a pixel.
        high: The greatest.

    Reference:
        [Montavon et al., 2017](https://doi.org/10.1016/j.patcog.2016.11.008), eq. 19.
    """
    signal = unit.bounded(x, unit.bound(low) * probe, unit.bound(high) * probe)
    return [Term(signal, lambda: signal)]


def with_bias(signal, bias):
    """Adds a bias that may be none."""
    return signal if bias is None else signal + bias
