"""Compares a graph with the model's own layers, and names the first fault."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from keras import ops

from medattn.explain.graph.model_runner import ModelRunner, is_half_precision
from medattn.explain.graph.steps import Graph, described, ids
from medattn.layers.keras_private import all_layers

RELATIVE = 2e-3  # of the largest value of a tensor: more than float32 rounds
HALF = 5e-2  # the same for half precision
# Of the largest value that a step reads: where a sum almost cancels, what is left is
# rounded as its terms are.
CANCELLED = 2e-6


def differ(one: Any, other: Any, relative: float = RELATIVE, read: float = 0.0) -> bool:
    """Whether two tensors differ by more than rounding, or in their shapes.

    Args:
        one, other: The tensors.
        relative: How much of the largest value of `other` is rounding.
        read: The largest value of what they were computed from.
    """
    a, b = (np.asarray(ops.convert_to_numpy(x), np.float64) for x in (one, other))
    if a.shape != b.shape:
        return True
    known = np.isfinite(b)
    if (known != np.isfinite(a)).any():
        return True
    scale = np.abs(b[known]).max(initial=0.0)
    distance = np.abs(a[known] - b[known]).max(initial=0.0)
    return bool(distance > relative * scale + CANCELLED * read + 1e-6)


class Opened(Protocol):
    """What is compared: an analyzer that has opened its model."""

    graph: Graph
    model: Any
    runner: ModelRunner

    def plain_values(self, images: Sequence[np.ndarray]) -> dict[int, Any]:
        """Computes every step as the model does."""
        ...

    def rewritten_values(
        self, images: Sequence[np.ndarray]
    ) -> tuple[dict[int, Any], Any]:
        """Computes every step as it is rewritten."""
        ...


def check_opened(analyzer: Opened, images: Sequence[np.ndarray]) -> None:
    """Compares an opened model's output with the model's own.

    Args:
        analyzer: What has opened the model.
        images: One array for each input of the graph.

    Raises:
        ValueError: If they differ by more than rounding; names the first such step.
    """
    runner, graph = analyzer.runner, analyzer.graph
    tensors = [ops.convert_to_tensor(image) for image in images]
    own_values = runner.started(tensors)
    end = runner.model.outputs[runner.index]
    whole = runner.inputs is None
    (own,) = [runner.whole(tensors)] if whole else runner.run([end], own_values)
    rewritten, _ = analyzer.rewritten_values(images)
    relative = HALF if is_half_precision(runner.model) else RELATIVE
    last = id(graph.outputs[runner.index])
    plain: dict[int, Any] = {} if rewritten else analyzer.plain_values(images)
    values = rewritten if last in rewritten else plain
    if last in values and not differ(values[last], own, relative):
        return
    plain = plain or analyzer.plain_values(images)
    runner.run([tensor for tensor, _ in graph.known], own_values)
    fault = first_fault(graph, own_values, plain, rewritten, relative)
    if fault is None:
        return
    raise ValueError(
        "The opened model does not compute what the model does. Expected the same "
        "output, up to rounding; the first step that differs is "
        f"{fault}. Give it a rule with medattn.explain.register_rule, or explain with "
        f"'integrated_gradients', which opens nothing. Received: {runner.model.name!r}"
    )


def first_fault(
    graph: Graph,
    own: Mapping[int, Any],
    plain: Mapping[int, Any],
    rewritten: Mapping[int, Any],
    relative: float = RELATIVE,
) -> str | None:
    """Names the first step whose value is not what the model computes, or None.

    Args:
        graph: The opened model.
        own: The model's own values, by the ids of its tensors.
        plain: The graph's, computed step by step, by the ids of its tensors.
        rewritten: The graph's with every step replaced by its rule.
        relative: How much of a tensor's largest value is rounding.
    """
    names = {id(name): tensor for tensor, name in graph.known}
    for step in graph.steps:
        read = _largest(
            plain[each] for each in ids((step.args, step.kwargs)) if each in plain
        )
        for output in ids(step.outputs):
            tensor = names.get(output)
            if tensor is not None and id(tensor) in own and output in plain:
                if differ(plain[output], own[id(tensor)], relative, read):
                    return f"{described(step)}, as it was opened"
            if output in rewritten and output in plain:
                if differ(rewritten[output], plain[output], relative, read):
                    return f"{described(step)}, as its rule computes it"
    return None


def _largest(tensors: Iterable[Any]) -> float:
    """Returns the largest finite magnitude among tensors."""
    found = 0.0
    for tensor in tensors:
        array = np.abs(np.asarray(ops.convert_to_numpy(tensor), np.float64))
        found = max(found, array[np.isfinite(array)].max(initial=0.0))
    return found


def place_not_finite(analyzer: Opened, images: Sequence[np.ndarray]) -> str:
    """Says where an opened model computes the first value that is no number."""
    for values in (analyzer.plain_values(images), analyzer.rewritten_values(images)[0]):
        step = nonfinite_step(analyzer.graph, values)
        if step is not None:
            return f"; the first such value comes from the step {step}"
    return ", whose values are finite, but not all of their derivatives"


def check_unquantised(model: Any) -> None:
    """Refuses a model some of whose weights are whole numbers with a scale."""
    for layer in all_layers(model):
        mode = getattr(layer, "quantization_mode", None)
        if mode is None or not getattr(layer, "weights", None):
            continue
        raise ValueError(
            "The model is quantised: its layers round what they compute. Expected the "
            "model as it was before model.quantize(), or 'integrated_gradients', which "
            f"runs the model as it is. Received: the layer {layer.name!r}, in {mode!r}"
        )


def nonfinite_step(graph: Graph, values: Mapping[int, Any]) -> str | None:
    """Names the first step with a value that is NaN or infinite, or None."""
    for step in graph.steps:
        for output in ids(step.outputs):
            found: Sequence[Any] = [values[output]] if output in values else []
            for value in found:
                array = np.asarray(ops.convert_to_numpy(value))
                if array.dtype.kind == "f" and not np.isfinite(array).all():
                    return described(step)
    return None
