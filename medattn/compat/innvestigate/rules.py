"""iNNvestigate's LRP rules by their names, as rules of medattn."""

from collections.abc import Callable
from functools import partial
from typing import Any

from keras import ops

from medattn.explain.graph.linear_layers import LinearLayer
from medattn.explain.lrp import rules
from medattn.explain.lrp.rules import LinearRule, Term, with_bias
from medattn.layers.tensor import Tensor

Rule = str | type | LinearRule


def signed(
    layer: LinearLayer,
    x: Tensor,
    probe: Tensor,
    *,
    alpha: tuple[float, float],
    beta: tuple[float, float],
) -> list[Term]:
    """Shares by the signs of input and weight: iNNvestigate's `AlphaBetaX` rules.

    R = a_0 R[x+ w+] + b_1 R[x- w-] - b_0 R[x+ w-] - b_1 R[x- w+], each part with the
    bias of its weights' sign in its sum; b_1 stands where a_1 would be expected, as in
    iNNvestigate's code.

    Args:
        layer: A linear layer.
        x: Its input.
        probe: Not used.
        alpha: Weights of what excites.
        beta: Weights of what inhibits.
    """
    weights, terms = layer.weights(), []
    for input_sign, weight_sign, share in (
        (1, 1, alpha[0]),
        (-1, -1, beta[1]),
        (1, -1, -beta[0]),
        (-1, 1, -beta[1]),
    ):
        if not share:
            continue
        part = weight_sign * ops.relu(weight_sign * weights)
        signal = layer.apply(input_sign * ops.relu(input_sign * x), part)
        bias = layer.bias
        if bias is not None:
            bias = weight_sign * ops.relu(weight_sign * bias)
        terms.append(Term(signal, partial(with_bias, signal, bias), share))
    return terms


def alpha_beta(alpha: float, beta: float, bias: bool = True) -> LinearRule:
    """Makes the alpha-beta rule, with the bias in both sums."""
    return partial(
        rules.alpha_beta, alpha=alpha, beta=beta, bias=bias, bias_in_both=True
    )


RULES: dict[str, LinearRule] = {
    "Z": rules.z,
    "Epsilon": partial(rules.epsilon, epsilon=1e-7),
    "WSquare": rules.w_square,
    "Flat": rules.flat,
    "Alpha2Beta1": alpha_beta(2, 1),
    "Alpha2Beta1IgnoreBias": alpha_beta(2, 1, bias=False),
    "Alpha1Beta0": alpha_beta(1, 0),
    "Alpha1Beta0IgnoreBias": alpha_beta(1, 0, bias=False),
    "AlphaBetaX1000": partial(signed, alpha=(1, 0), beta=(0, 0)),
    "AlphaBetaX1010": partial(signed, alpha=(1, 0), beta=(0, -1)),
    "AlphaBetaX1001": partial(signed, alpha=(1, 1), beta=(0, 0)),
    "AlphaBetaX2m100": partial(signed, alpha=(2, 0), beta=(1, 0)),
    "ZPlus": alpha_beta(1, 0, bias=False),
    "ZPlusFast": alpha_beta(1, 0, bias=False),
}
NEED_NO_INPUT = (rules.flat, rules.w_square)


def rule_named(rule: Any) -> LinearRule:
    """Returns the rule that a script names.

    Args:
        rule: A name such as `"Z"` or `"ZRule"`, a class of such a name, or a function
            of `medattn.explain.lrp.rules`.

    Raises:
        ValueError: If there is no such rule.
    """
    name = rule.__name__ if isinstance(rule, type) else rule
    if isinstance(name, str):
        found = RULES.get(name.removesuffix("Rule"))
        if found is not None:
            return found
    elif isinstance(rule, Callable):  # type: ignore[arg-type]
        known: LinearRule = rule
        return known
    raise ValueError(
        f"Unknown LRP rule. Expected one of {sorted(RULES)}, or a class of such a "
        f"name. Received: rule={rule!r}"
    )
