"""Which rule a step has: from a method's table, or registered by a user."""

from collections.abc import Callable, Container, Mapping
from typing import Any, Literal, NamedTuple

import keras

from medattn.explain.graph.linear_layers import LINEAR_LAYERS
from medattn.explain.graph.steps import Step, activation_name, from_keras, name_of

Rule = Callable[..., Any]
Method = Literal["lrp", "deep_lift"]


class RegisteredRules(NamedTuple):
    """The rules of one class; None where a method has none."""

    lrp: Rule | None = None
    deep_lift: Rule | None = None


REGISTERED: dict[type, RegisteredRules] = {}


def register_rule(
    operation: type, lrp: Rule | None = None, *, deep_lift: Rule | None = None
) -> None:
    """Gives the analyzers a rule for a layer or operation that they do not know.

    Without a rule of its own a composite layer is opened and explained by its parts;
    a layer whose parts cannot be seen needs one.

    Args:
        operation: The class, of a `keras.Layer` or a `keras.Operation`.
        lrp: A function `rule(propagator, step, *args, **kwargs)` that returns the
            step's value as an expression in which relevance is *input times
            derivative*: detach with `keras.ops.stop_gradient` what is to get none, and
            give to `propagator.absorbed(step, constant)` what is no input's.
            `passthrough` and `nonlinearity` of `medattn.explain.lrp.nonlinear` are two
            that often do. For the rules that are not by proportion (flat, w-square) it
            is converted.
        deep_lift: A function `rule(propagator, step, *args, **kwargs)` whose symbolic
            inputs come as pairs `(reference, difference)`; returns such a pair, see
            `medattn.explain.deeplift.propagate`.

    Raises:
        ValueError: If neither rule is given, or `operation` is no class of Keras.
    """
    known = isinstance(operation, type) and issubclass(
        operation, (keras.Layer, keras.Operation)
    )
    if not known or (lrp is None and deep_lift is None):
        raise ValueError(
            "A rule is registered for a class. Expected a subclass of keras.Layer or "
            "keras.Operation, and a function for lrp, deep_lift or both. Received: "
            f"operation={operation!r}, lrp={lrp!r}, deep_lift={deep_lift!r}"
        )
    old = REGISTERED.get(operation, RegisteredRules())
    REGISTERED[operation] = RegisteredRules(lrp or old.lrp, deep_lift or old.deep_lift)


def is_registered(step: Step) -> bool:
    """Whether a user has registered a rule for a step's class."""
    return type(step.operation) in REGISTERED


def rule_of(step: Step, rules: Mapping[str, Rule], method: Method) -> Rule | None:
    """Returns the rule for a step that is not linear, or None.

    Args:
        step: The step.
        rules: The method's own table, from names of operations to rules.
        method: Which of the registered rules counts.
    """
    if is_registered(step):
        return getattr(REGISTERED[type(step.operation)], method)
    if not from_keras(step.operation):
        return None
    if name_of(step) == "Activation" and activation_name(step) == "softmax":
        return rules["Softmax"]
    return rules.get(name_of(step))


def stays_closed(layer: keras.Layer, names: Container[str]) -> bool:
    """Whether a layer stays in one piece: it has a rule, or is linear.

    Args:
        layer: A layer.
        names: The operations that have a rule.
    """
    if type(layer) in REGISTERED:
        return True
    name = type(layer).__name__
    return from_keras(layer) and (name in names or name in LINEAR_LAYERS)
