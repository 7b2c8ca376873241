"""LRP as iNNvestigate puts it together: rules by name, list or condition."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from medattn.compat.innvestigate.rules import NEED_NO_INPUT, Rule, rule_named
from medattn.explain.graph.linear_layers import LinearLayer, is_linear
from medattn.explain.graph.steps import name_of
from medattn.explain.lrp import rules
from medattn.explain.lrp.base import LRP
from medattn.explain.lrp.rules import LinearRule

Condition = Callable[[keras.Layer], bool]
FUSE_MODES = ("one_linear", "two_linear")


class RuleLRP(LRP):
    """LRP with the rules that a script names; a batch norm is a layer of its own.

    Args:
        rule: A rule for all layers with a kernel; a list of such, the first for the
            layer that reads the image; or a list of pairs (condition, rule), where a
            condition is a function of a layer, and the first that holds decides.
        input_layer_rule: Another rule for the layers that read the image, or the
            bounds `(low, high)` of a pixel.
        until_layer_idx: The last of the model's layers with `until_layer_rule`.
        until_layer_rule: Another rule for the first layers.
        bn_layer_rule: The rule of a batch norm; None is z.
        bn_layer_fuse_mode: `"one_linear"`.
    """

    options = LRP.options | {
        "rule": None,
        "input_layer_rule": None,
        "until_layer_idx": None,
        "until_layer_rule": None,
        "bn_layer_rule": None,
        "bn_layer_fuse_mode": "one_linear",
    }
    folds_norms = False
    until_layer_idx: int | None
    until_layer_rule: Rule | None
    bn_layer_rule: Rule | None
    bn_layer_fuse_mode: str

    def prepare(self) -> None:
        """Reads the rules, and prepares as every LRP analyzer."""
        if self.bn_layer_fuse_mode not in FUSE_MODES:
            raise ValueError(
                f"Unknown fuse mode. Expected one of {FUSE_MODES}. Received: "
                f"bn_layer_fuse_mode={self.bn_layer_fuse_mode!r}"
            )
        if self.bn_layer_fuse_mode == "two_linear":
            raise NotImplementedError(
                "A batch norm is one linear layer here. Expected "
                "bn_layer_fuse_mode='one_linear'. Received: 'two_linear'"
            )
        if self.options_of_rule is None:
            raise ValueError("LRP needs rules. Expected rule=. Received: rule=None")
        self._read_rules(self.options_of_rule)
        self._bounds_or_rule = _input_rule(self.input_layer_rule)
        self.input_layer_rule = None  # this class chooses
        named = [self.norm_rule, *self.by_order, *(r for _, r in self.by_condition)]
        self.relevance_is_gradient = any(r in NEED_NO_INPUT for r in named)
        kernels = [
            step.operation
            for step in self.graph.steps
            if is_linear(step) and name_of(step) != "BatchNormalization"
        ]
        self._order = {id(layer): n for n, layer in enumerate(kernels)}
        missing = len(kernels) - len(self.by_order) - (self._bounds_or_rule is not None)
        if not self.by_condition and missing > 0:
            raise ValueError(
                f"There are too few rules. Expected one for each of {len(kernels)} "
                f"layers with a kernel. Received: {len(self.by_order)}"
            )
        super().prepare()

    @property
    def options_of_rule(self) -> Any:
        """The option `rule`, which hides the method of that name."""
        return self.__dict__.get("rule")

    def _read_rules(self, given: Any) -> None:
        """Sorts what was given into rules by order and rules by condition."""
        self.by_order: list[LinearRule] = []
        self.by_condition: list[tuple[Condition, LinearRule]] = []
        is_list = isinstance(given, list | tuple)
        if is_list and given and isinstance(given[0], tuple):
            self.by_condition = [(holds, rule_named(rule)) for holds, rule in given]
        elif is_list:
            self.by_order = [rule_named(rule) for rule in given]
        else:
            self.by_condition = [(lambda layer: True, rule_named(given))]
        if self.until_layer_rule is not None and self.until_layer_idx is not None:
            first = {id(x) for x in self.model.layers[: self.until_layer_idx + 1]}
            until = rule_named(self.until_layer_rule)
            self.by_condition.insert(0, (lambda layer: id(layer) in first, until))
        norm = self.bn_layer_rule
        self.norm_rule = rules.z if norm is None else rule_named(norm)

    def chosen_rule(self, layer: LinearLayer) -> LinearRule:
        """Returns the rule for a linear layer."""
        if layer.kind == "BatchNormalization":
            return self.norm_rule
        if layer.reads_image and self._bounds_or_rule is not None:
            return self._bounds_or_rule
        for holds, rule in self.by_condition:
            if holds(layer.layer):
                return rule
        order = self._order.get(id(layer.layer), -1) - len(self._order)
        if self.by_order and -order <= len(self.by_order):
            return self.by_order[order]
        raise ValueError(
            "No rule applies to a layer. Expected a condition that holds for it. "
            f"Received: {layer.layer.name!r}"
        )


def _input_rule(given: Any) -> LinearRule | None:
    """Returns the rule of the layers that read the image, or None."""
    if isinstance(given, Sequence) and not isinstance(given, str):
        low, high = given
        return partial(rules.bounded, low=low, high=high)
    return None if given is None else rule_named(given)
