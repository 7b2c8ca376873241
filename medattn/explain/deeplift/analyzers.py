"""The DeepLIFT analyzers by name: which rule, compared with which reference."""

from medattn.explain.deeplift.base import DeepLift


class DeepLiftRescale(DeepLift):
    """DeepLIFT with the Rescale rule.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), section 3.5.2.
    """


class DeepLiftRevealCancel(DeepLift):
    """DeepLIFT with the RevealCancel rule: opposite contributions do not hide.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), section 3.5.3.
    """

    reveal_cancel = True


DEEP_LIFT_ANALYZERS: dict[str, type[DeepLift]] = {
    "deep_lift.rescale": DeepLiftRescale,
    "deep_lift.reveal_cancel": DeepLiftRevealCancel,
}
