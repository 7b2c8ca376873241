"""How flat and w-square pass the steps that are no layers: blind to the values.

A rule that shares by what comes in divides by sums that may vanish; where relevance no
longer follows the values, as under these two, a share of it would grow without bound.
So a sum, a product and a norm are taken here for what they are too: linear maps, with
weights of which these rules make ones, or squares. Relevance is the derivative.
"""

import keras
from keras import ops

from medattn.explain.graph import analysis as of
from medattn.explain.graph.trace import is_symbolic
from medattn.explain.lrp.nonlinear import (
    TOTALS,
    divided,
    group_norm,
    layer_norm,
    normaliser,
    product,
    quotient,
    rms_norm,
    rule_of,
)


def blind_rule(step):
    """Returns how a step is passed without a look at its values, or None.

    Args:
        step: One that is no linear layer.

    Returns:
        A function of the walk, the step and its arguments.
    """
    if of.name_of(step) in TOTALS:
        return evenly
    if rule_of(step) in (layer_norm, group_norm, rms_norm, normaliser, quotient):
        return on
    return weighed if rule_of(step) is product else None


def evenly(walk, step, args, kwargs):
    """Gives each of a sum's n signals the same share: R_a = R / n; a constant none."""
    y = ops.stop_gradient(walk.plain(step, args, kwargs))
    signals = _signals(walk, step, args, kwargs)
    for _, leaf in signals:
        y = y + (shadow(leaf) + ops.zeros_like(y)) / len(signals)
    return y


def on(walk, step, args, kwargs):
    """Hands relevance on to what is scaled, centred or divided: R_i = R_i."""
    y = ops.stop_gradient(walk.plain(step, args, kwargs))
    return y + shadow(_signals(walk, step, args, kwargs)[0][1])


def weighed(walk, step, args, kwargs):
    """Takes a product for a linear map of its signal; the weights are what is held.

    R_j = sum_k R_k / n_k, or sum_k g_jk^2 R_k / sum_j g_jk^2; two signals take half.
    """
    y = ops.stop_gradient(walk.plain(step, args, kwargs))
    signals = _signals(walk, step, args, kwargs)
    part = 1 / len(signals)
    for place, leaf in signals:
        if of.name_of(step) == "Multiply":
            y = y + (shadow(leaf) + ops.zeros_like(y)) * part
            continue
        held = Held(walk, step, args, kwargs, place)
        (term,) = walk.choose(held)(held, leaf, shadow(leaf) + 1)
        whole = ops.stop_gradient(term.whole())
        y = y + shadow(term.signal) * divided(part * ops.ones_like(whole), whole)
        if walk.ledger is not None:
            nothing = part * ops.cast(whole == 0, whole.dtype)
            y = y + walk.booked(step, nothing, drop=True)
    return y


class Held:
    """A product as a linear layer of one of its factors.

    Args:
        walk: The `Walk`.
        step: A matrix product or its like.
        args: Its arguments' values.
        kwargs: Those by name.
        place: The factor's, among the leaves of both.
    """

    first, kind = False, "Product"

    def __init__(self, walk, step, args, kwargs, place):
        self.walk, self.step, self.place = walk, step, place
        self.args, self.kwargs = args, kwargs

    def ones(self, x):
        return self._times(x, lambda g: ops.ones_like(ops.convert_to_tensor(g)))

    def squared(self, x):
        return self._times(x, lambda g: ops.square(ops.convert_to_tensor(g)))

    def _times(self, x, weights):
        leaves = keras.tree.flatten((self.args, self.kwargs))
        changed = [
            x
            if at == self.place
            else (ops.stop_gradient(weights(g)) if _is_factor(g) else g)
            for at, g in enumerate(leaves)
        ]
        packed = keras.tree.pack_sequence_as((self.args, self.kwargs), changed)
        return self.walk.plain(self.step, *packed)


def shadow(x):
    """Has the value zero and the derivative one."""
    return x - ops.stop_gradient(x)


def _signals(walk, step, args, kwargs):
    """Lists the places and values of the arguments that relevance goes to."""
    names = keras.tree.flatten((step.args, step.kwargs))
    leaves = keras.tree.flatten((args, kwargs))
    signals = set(walk.survey.signals(step)) & walk.survey.carriers
    return [
        (place, leaf)
        for place, (name, leaf) in enumerate(zip(names, leaves, strict=True))
        if is_symbolic(name) and id(name) in signals
    ]


def _is_factor(leaf):
    return ops.is_tensor(leaf) or isinstance(leaf, keras.Variable)
