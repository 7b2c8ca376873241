"""A network split in two at a feature map, in the form that tf-keras-vis needs."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
from keras import ops

from medattn.explain.analyzer import Analyzer
from medattn.explain.backend import runs_eagerly
from medattn.explain.graph.steps import Step, ids, tensors
from medattn.layers.tensor import Tensor

Compute: TypeAlias = Callable[[Sequence[Tensor]], list[Tensor]]


class FeatureMap(NamedTuple):
    """A step whose output is a feature map.

    Attributes:
        step: The step.
        grid: For tokens `(first, rows, columns)` as of `token_grid`; else None.
    """

    step: Step
    grid: tuple[int, int, int] | None


class FeatureMapLayer(keras.layers.Layer):
    """What tf-keras-vis asks for: a layer whose output is the feature map."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self._map = network.feature_map

    @property
    def output(self) -> keras.KerasTensor:
        return self._map


class NetworkPart(keras.layers.Layer):
    """Some steps of the network as one layer, compiled, and differentiable.

    tf-keras-vis takes a feature map as the output of a layer of the outermost model
    with one call. Here it may be in a nested model, in a gate, or a sequence of tokens;
    so the network is split in two after it.
    """

    def __init__(
        self,
        function: Compute,
        inputs: Sequence[keras.KerasTensor],
        outputs: Sequence[keras.KerasTensor],
        name: str,
    ) -> None:
        import tensorflow as tf

        super().__init__(name=name, dtype="float32")
        self._outputs = outputs
        specs = [tf.TensorSpec([None, *x.shape[1:]], _compute_dtype(x)) for x in inputs]
        self._function, self._is_compiled = function, False
        self._compiled = tf.function(function, input_signature=[specs], autograph=False)

    def call(self, arrays: list[Tensor]) -> list[Tensor]:
        if runs_eagerly(self._is_compiled):
            return self._function(arrays)
        found = self._compiled(arrays)
        self._is_compiled = True
        return found

    def compute_output_spec(self, arrays: list[Tensor]) -> list[keras.KerasTensor]:
        return [keras.KerasTensor(x.shape, _compute_dtype(x)) for x in self._outputs]


def split_model(analyzer: Analyzer, feature_map: FeatureMap) -> keras.Model:
    """Builds the model for tf-keras-vis: logits out, feature map known.

    Args:
        analyzer: An analyzer of the model.
        feature_map: Where to split.

    Returns:
        A functional model whose attribute `feature_map` is the symbolic map.
    """
    images = [
        keras.Input(batch_shape=tensor.shape, name=f"image_{index}")
        for index, tensor in enumerate(analyzer.model.inputs)
    ]
    before, after = _split(analyzer, feature_map)
    map_tensor, *others = before(images)
    (logits,) = after([map_tensor, *others])
    model = keras.Model(images, logits, name=analyzer.model.name)
    model.feature_map = map_tensor
    predict = model.predict
    # Score-CAM calls it for every feature map, with a progress bar each time.
    model.predict = lambda *args, **kwargs: predict(*args, verbose=0, **kwargs)
    return model


def _split(
    analyzer: Analyzer, feature_map: FeatureMap
) -> tuple[NetworkPart, NetworkPart]:
    """Splits the network after the feature map.

    Returns:
        Two parts: from the images to the map and to whatever else the second needs;
        from those to the logits.
    """
    last, grid = feature_map
    graph, compute = analyzer.graph, analyzer.compute_step
    cut = next(n for n, step in enumerate(graph.steps) if step is last) + 1
    first, second = graph.steps[:cut], graph.steps[cut:]
    source = last.outputs[0]
    shared = _shared_tensors(graph.inputs, first, second, source)
    if grid is not None:  # other tokens, such as the class token, are passed separately
        start, rows, columns = grid
        tokens, channels = source.shape[1:]
        other_tokens = keras.KerasTensor((None, start, channels), source.dtype)
        patch_map = keras.KerasTensor((None, rows, columns, channels), source.dtype)

    def before(images: Sequence[Tensor]) -> list[Tensor]:
        values = dict(zip(ids(graph.inputs), images, strict=True))
        analyzer.run_steps(first, values, compute)
        found = values[id(source)]
        others = [values[id(x)] for x in shared]
        if grid is None:
            return [found, *others]
        patches = ops.reshape(found[:, start:], (-1, rows, columns, channels))
        return [patches, found[:, :start], *others]

    def after(arrays: Sequence[Tensor]) -> list[Tensor]:
        found, *others = arrays
        if grid is not None:
            rest, *others = others
            patches = ops.reshape(found, (-1, tokens - start, channels))
            found = ops.concatenate([rest, patches], axis=1)
        values = {id(source): found}
        values |= zip(ids(shared), others, strict=True)
        analyzer.run_steps(second, values, compute)
        return [values[id(analyzer.output)]]

    between = [source] if grid is None else [patch_map, other_tokens]
    between += shared
    return (
        NetworkPart(before, graph.inputs, between, "before"),
        NetworkPart(after, between, [analyzer.output], "after"),
    )


def _shared_tensors(
    inputs: Sequence[Any], first: Sequence[Step], second: Sequence[Step], source: Any
) -> list[Any]:
    """Lists the tensors of the first part that the second reads, without `source`."""
    made = {id(x): x for x in inputs}
    made |= {id(x): x for step in first for x in step.outputs}
    read = {tensor for s in second for tensor in ids(tensors((s.args, s.kwargs)))}
    return [x for name, x in made.items() if name in read and x is not source]


def _compute_dtype(tensor: keras.KerasTensor) -> str:
    """Returns the type in which steps are computed: float32 for half precision."""
    return "float32" if "float" in tensor.dtype else tensor.dtype
