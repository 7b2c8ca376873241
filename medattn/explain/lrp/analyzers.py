"""The LRP analyzers by name: which rule at which layer, and its numbers."""

from functools import partial

from keras import ops

from medattn.explain.graph.linear_layers import LinearLayer
from medattn.explain.lrp import rules
from medattn.explain.lrp.base import LRP
from medattn.explain.lrp.rules import LinearRule
from medattn.layers.tensor import Tensor


class LRPZ(LRP):
    """LRP with rule z at every linear layer."""

    def rule(self, layer: LinearLayer) -> LinearRule:
        return rules.z


class LRPEpsilon(LRP):
    """LRP with the epsilon rule at every linear layer.

    Args:
        epsilon: Keeps denominators away from zero, in the units of the activations;
            larger values absorb more and give sparser maps. iNNvestigate's default.
        bias: Whether the biases count in the denominators.
    """

    options = LRP.options | {"epsilon": 1e-7, "bias": True}
    epsilon: float
    bias: bool

    def prepare(self) -> None:
        """Checks the options, and prepares as every LRP analyzer."""
        check_epsilon(self.epsilon)
        super().prepare()

    def rule(self, layer: LinearLayer) -> LinearRule:
        return partial(rules.epsilon, epsilon=self.epsilon, bias=self.bias)


class LRPGamma(LRP):
    """LRP with the gamma rule at every linear layer.

    Args:
        gamma: How much contributions of the neuron's own sign are favoured.
    """

    options = LRP.options | {"gamma": 0.25}
    gamma: float

    def prepare(self) -> None:
        """Checks the options, and prepares as every LRP analyzer."""
        if not self.gamma >= 0:
            raise ValueError(
                "Favouring cannot be negative. Expected gamma >= 0. "
                f"Received: gamma={self.gamma!r}"
            )
        super().prepare()

    def rule(self, layer: LinearLayer) -> LinearRule:
        return partial(rules.gamma, gamma=self.gamma)


class LRPFixedAlphaBeta(LRP):
    """LRP with the alpha-beta rule and the numbers that the name says."""

    alpha: float = 1
    beta: float = 0
    bias: bool = True

    @property
    def cancels(self) -> bool:
        """Whether positive and negative relevance grow beyond their sum."""
        return self.beta > 0

    def rule(self, layer: LinearLayer) -> LinearRule:
        return partial(
            rules.alpha_beta, alpha=self.alpha, beta=self.beta, bias=self.bias
        )


class LRPAlphaBeta(LRPFixedAlphaBeta):
    """LRP with the alpha-beta rule at every linear layer.

    Args:
        alpha: Weight of what excites; default `1 + beta`.
        beta: Weight of what inhibits; default `alpha - 1`, or 1.
        bias: Whether the biases count in the sums.
    """

    options = LRP.options | {"alpha": None, "beta": None, "bias": True}

    def prepare(self) -> None:
        """Checks the options, and prepares as every LRP analyzer."""
        if self.alpha is None:
            self.alpha = 1 + (1 if self.beta is None else self.beta)
        if self.beta is None:
            self.beta = self.alpha - 1
        if not (self.alpha >= 1 and abs(self.alpha - self.beta - 1) < 1e-6):
            raise ValueError(
                "Alpha and beta would not keep the relevance. Expected alpha >= 1 and "
                f"alpha - beta = 1. Received: alpha={self.alpha!r}, beta={self.beta!r}"
            )
        super().prepare()


class LRPAlpha2Beta1(LRPFixedAlphaBeta):
    """LRP with alpha 2 and beta 1."""

    alpha, beta = 2, 1


class LRPAlpha2Beta1IgnoreBias(LRPAlpha2Beta1):
    """LRP with alpha 2 and beta 1, biases left out of the sums."""

    bias = False


class LRPAlpha1Beta0(LRPFixedAlphaBeta):
    """LRP with alpha 1 and beta 0."""


class LRPAlpha1Beta0IgnoreBias(LRPFixedAlphaBeta):
    """LRP with alpha 1 and beta 0, biases left out of the sums; rule z-plus.

    Where no input can be negative, half of the work is left out anyway; so `lrp.z_plus`
    and `lrp.z_plus_fast` are one here.
    """

    bias = False


class LRPFlat(LRP):
    """LRP with even shares everywhere: where the network looks, not what it finds."""

    relevance_is_gradient = input_independent = True

    def rule(self, layer: LinearLayer) -> LinearRule:
        return rules.flat


class LRPWSquare(LRP):
    """LRP with shares by squared weights everywhere."""

    relevance_is_gradient = input_independent = True

    def rule(self, layer: LinearLayer) -> LinearRule:
        return rules.w_square


class LRPPresetA(LRP):
    """LRP-epsilon at dense layers, alpha 1 and beta 0 at convolutions (Preset A).

    Args:
        epsilon: Of the dense layers, in the units of the activations.

    Reference:
        [Kohlbrenner et al., 2020](https://arxiv.org/abs/1910.09840), section 3.
    """

    options = LRP.options | {"epsilon": 0.1}
    epsilon: float
    convolutions = (1, 0)

    def prepare(self) -> None:
        """Checks the options, and prepares as every LRP analyzer."""
        check_epsilon(self.epsilon)
        super().prepare()

    def rule(self, layer: LinearLayer) -> LinearRule:
        if layer.kind in ("Dense", "EinsumDense"):
            return partial(rules.epsilon, epsilon=self.epsilon)
        alpha, beta = self.convolutions
        return partial(rules.alpha_beta, alpha=alpha, beta=beta)


class LRPPresetB(LRPPresetA):
    """LRP-epsilon at dense layers, alpha 2 and beta 1 at convolutions (Preset B)."""

    convolutions = (2, 1)

    @property
    def cancels(self) -> bool:
        """Whether positive and negative relevance grow beyond their sum."""
        return True


class LRPPresetAFlat(LRPPresetA):
    """Preset A, and even shares at the layers that read the image."""

    options = LRPPresetA.options | {"input_layer_rule": "flat"}


class LRPPresetBFlat(LRPPresetB):
    """Preset B, and even shares at the layers that read the image."""

    options = LRPPresetB.options | {"input_layer_rule": "flat"}


class LRPPresetBFlatUntil(LRPPresetBFlat):
    """Preset B, and even shares from the image up to a layer.

    Args:
        until_layer_idx: The last linear layer with even shares, counted from 0.
    """

    options = LRPPresetBFlat.options | {"until_layer_idx": 0}
    until_layer_idx: int
    relevance_is_gradient = True

    def rule(self, layer: LinearLayer) -> LinearRule:
        if layer.index <= self.until_layer_idx:
            return rules.flat
        return super().rule(layer)


class LRPAttention(LRPEpsilon):
    """AttnLRP: relevance goes through the softmax of self-attention too.

    Products of two signals share evenly, a softmax by its first-order expansion,
    LayerNorm and GELU as everywhere here. Gates made by a sigmoid stay detached.

    Reference:
        [Achtibat et al., 2024](https://arxiv.org/abs/2402.05602).
    """

    softmax_is_gate = False


class DeepTaylor(LRP):
    """Deep Taylor decomposition, as iNNvestigate does it.

    Rule z-plus at every layer with a kernel, w-square at a batch norm that stands
    alone; only a positive logit is explained. Sums and averages share by contribution,
    so that the relevance adds up (iNNvestigate gives each term of a sum all of it, and
    each entry of an average an even part).

    Reference:
        [Montavon et al., 2017](https://doi.org/10.1016/j.patcog.2016.11.008).
    """

    relevance_is_gradient = True

    def rule(self, layer: LinearLayer) -> LinearRule:
        if layer.kind == "BatchNormalization":
            return rules.w_square
        return partial(rules.alpha_beta, alpha=1, beta=0, bias=False)

    def head(self, outputs: Tensor) -> Tensor:
        """Keeps a positive logit only."""
        return ops.relu(outputs)


class BoundedDeepTaylor(DeepTaylor):
    """Deep Taylor decomposition with the bounds of a pixel at the first layer.

    Args:
        low: The minimum of a pixel.
        high: The maximum.
    """

    options = DeepTaylor.options | {"low": 0.0, "high": 1.0}
    low: float
    high: float

    def prepare(self) -> None:
        """Checks the options, and prepares as every LRP analyzer."""
        if not self.low < self.high:
            raise ValueError(
                "The bounds of a pixel are the wrong way round. Expected low < high. "
                f"Received: low={self.low!r}, high={self.high!r}"
            )
        self.input_layer_rule = (self.low, self.high)
        super().prepare()


def check_epsilon(epsilon: float) -> None:
    """Refuses a stabiliser that would not stabilise."""
    if not epsilon >= 0:
        raise ValueError(
            "The stabiliser of LRP cannot be negative. Expected epsilon >= 0. "
            f"Received: epsilon={epsilon!r}"
        )


LRP_ANALYZERS: dict[str, type[LRP]] = {
    "lrp.z": LRPZ,
    "lrp.epsilon": LRPEpsilon,
    "lrp.gamma": LRPGamma,
    "lrp.w_square": LRPWSquare,
    "lrp.flat": LRPFlat,
    "lrp.alpha_beta": LRPAlphaBeta,
    "lrp.alpha_2_beta_1": LRPAlpha2Beta1,
    "lrp.alpha_2_beta_1_IB": LRPAlpha2Beta1IgnoreBias,
    "lrp.alpha_1_beta_0": LRPAlpha1Beta0,
    "lrp.alpha_1_beta_0_IB": LRPAlpha1Beta0IgnoreBias,
    "lrp.z_plus": LRPAlpha1Beta0IgnoreBias,
    "lrp.z_plus_fast": LRPAlpha1Beta0IgnoreBias,
    "lrp.sequential_preset_a": LRPPresetA,
    "lrp.sequential_preset_b": LRPPresetB,
    "lrp.sequential_preset_a_flat": LRPPresetAFlat,
    "lrp.sequential_preset_b_flat": LRPPresetBFlat,
    "lrp.sequential_preset_b_flat_until_idx": LRPPresetBFlatUntil,
    "lrp.attention": LRPAttention,
    "deep_taylor": DeepTaylor,
    "deep_taylor.bounded": BoundedDeepTaylor,
}
