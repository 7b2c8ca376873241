"""The analyzers that the page offers: groups, units, what each needs of a network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import SELF_ATTENTION
from medattn_app.domain.texts import Words

Group = Literal["adds", "slopes", "late", "read", "none"]
Unit = Literal["logits", "slope", "shape"]
Need = Literal["", "spatial", "channel", "tokens"]
GROUPS: tuple[Group, ...] = get_args(Group)
UNITS: tuple[Unit, ...] = get_args(Unit)


@dataclass(frozen=True)
class Method:
    """One way to make a map.

    The page calls it `method.<name>` and says of it `hint.<name>`, see
    `texts/methods.yaml`.

    Attributes:
        name: Of `medattn.explain.list_analyzers()`.
        group: Its heading in the list of methods: the text `group.<group>`.
        measure: What one pixel's number means: the text `unit.<measure>`.
        needs: What a network must have to be read: `"spatial"` or `"channel"` gates,
            or `"tokens"`; nothing if empty.
        options: Options of the analyzer on this page, pairs of name and value.
    """

    name: str
    group: Group
    measure: Unit
    needs: Need = ""
    options: tuple[tuple[str, object], ...] = ()

    @property
    def unit(self) -> str:
        """What one pixel's number means, in English, for endpoints."""
        return Words()(f"unit.{self.measure}")

    def can_read(self, cell: Cell) -> bool:
        """Whether it can explain a shipped network."""
        return {
            "": True,
            "tokens": cell.attention == SELF_ATTENTION,
            "spatial": cell.attention == "CBAM",
            "channel": cell.attention in ("SE", "CBAM"),
        }[self.needs]

    def what_is_missing(self, cell: Cell, words: Words) -> str:
        """Says why it cannot explain a network."""
        block = f"({cell.attention})"
        if cell.attention == "none":
            block = words("explore.without")
        return words(
            "needs.missing",
            method=words(f"method.{self.name}"),
            needed=words(f"needs.{self.needs}"),
            backbone=cell.backbone,
            block=block,
        )


_METHODS = (
    Method("lrp.epsilon", "adds", "logits"),
    Method("lrp.gamma", "adds", "logits"),
    Method("lrp.alpha_1_beta_0", "adds", "logits"),
    Method("lrp.alpha_2_beta_1", "adds", "logits"),
    Method("lrp.sequential_preset_a", "adds", "logits"),
    Method("lrp.sequential_preset_b", "adds", "logits"),
    Method("lrp.attention", "adds", "logits"),
    Method("deep_lift.rescale", "adds", "logits"),
    Method("deep_lift.reveal_cancel", "adds", "logits"),
    Method("integrated_gradients", "adds", "logits", options=(("steps", 16),)),
    Method("input_t_gradient", "slopes", "logits"),
    Method("gradient", "slopes", "slope"),
    Method("smoothgrad", "slopes", "slope", options=(("augment_by_n", 16),)),
    Method("guided_backprop", "slopes", "shape"),
    Method("gradcam", "late", "shape"),
    Method("gradcam_plus_plus", "late", "shape"),
    Method("layercam", "late", "shape"),
    Method("attention.spatial_gate", "read", "shape", needs="spatial"),
    Method("attention.channel_gate", "read", "shape", needs="channel"),
    Method("attention.rollout", "read", "shape", needs="tokens"),
    Method("attention.transformer", "read", "shape", needs="tokens"),
    Method("random", "none", "shape"),
)
METHODS: Mapping[str, Method] = {method.name: method for method in _METHODS}
