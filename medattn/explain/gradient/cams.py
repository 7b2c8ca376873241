"""Class activation maps, computed by tf-keras-vis."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from scipy.ndimage import zoom

from medattn.explain.gradient.split_network import (
    FeatureMap,
    FeatureMapLayer,
    split_model,
)
from medattn.explain.graph.linear_layers import is_linear
from medattn.explain.graph.operations import NORMALISERS
from medattn.explain.graph.steps import Graph, Step, ids, name_of, sources, tensors
from medattn.explain.neurons import as_row, choose
from medattn.explain.spatial import check_positions, spread, token_grid
from medattn.explain.unopened import LayerwiseAnalyzer
from medattn.layers import MultiHeadSelfAttention
from medattn.layers.tensor import Tensor

Score: TypeAlias = Callable[[Tensor], Tensor]  # from logits to one value per sample


class CAM(LayerwiseAnalyzer):
    """A class activation map: the feature maps of a layer, weighted for one class.

    Computed by tf-keras-vis, on the TensorFlow backend, and enlarged to the image by
    its code (linearly, corner pixels on corner pixels), not normalised. The value of a
    pixel is >= 0 and spread evenly over its channels, so that their sum is the CAM. It
    is not a part of the logit, so there is no audit.

    Args:
        layer: Name of the layer whose feature maps are weighted; None takes the last
            one with a spatial map after a convolution. In a transformer the tokens of
            the patches are the map, and None takes the input of the last attention:
            after it only the class token has an effect.
    """

    options = {"layer": None}
    layer: str | None

    def visualizer_class(self) -> Callable[..., Any]:
        """Returns tf-keras-vis's class; imported late, since it imports scipy."""
        raise TypeError(f"{type(self).__name__} names no class of tf-keras-vis.")

    def prepare(self) -> None:
        check_backend(type(self).__name__)
        inputs, names = self.graph.inputs, self.names or []
        self.check_inputs(inputs, names)
        self.maps: dict[int, FeatureMap] = {
            index: self.find_feature_map(index) for index in self._inputs
        }
        self.feature_map = self.maps[self._inputs[0]]
        self._networks: dict[int, Any] = {}  # one for each map, by its step's output
        for each in self.maps.values():
            network = split_model(self, each)
            visualizer = self.visualizer_class()(network)
            self._networks.setdefault(_key(each), (network, visualizer))
        self.network = self._networks[_key(self.feature_map)][0]

    def check_inputs(self, inputs: Sequence[Any], names: Sequence[str]) -> None:
        """Refuses to explain an input that has no positions."""
        check_positions(
            [inputs[n] for n in self._inputs], [names[n] for n in self._inputs]
        )

    def find_feature_map(self, index: int) -> FeatureMap:
        """Finds the step whose output is the feature map of one input.

        Args:
            index: Which input; where there are other images, the map is of it alone.

        Raises:
            ValueError: If there is none, or `layer` has none; the message lists those
                that have.
        """
        image = self.graph.inputs[index]
        rank = len(image.shape)
        reached = _inputs_reaching(self.graph)
        images = {n for n, x in enumerate(self.graph.inputs) if len(x.shape) == rank}
        after_convolution: set[int] = set()
        found: dict[str, FeatureMap] = {}
        outputs: list[tuple[int, str]] = []  # the tensors of the maps, in order
        for step in self.graph.steps:
            read = ids((step.args, step.kwargs))
            if not has_weights(step) and after_convolution.isdisjoint(read):
                continue
            after_convolution.update(ids(step.outputs))
            if reached[id(step.outputs[0])] & images != {index}:
                continue
            shape = step.outputs[0].shape
            grid = None
            if rank == 4 and len(shape) == 3 and shape[1] is not None:
                grid = token_grid(shape[1], image.shape[1:3])
            not_spatial = len(shape) != rank or set(shape[1:-1]) == {1}
            if len(step.outputs) > 1 or not_spatial and grid is None:
                continue
            if step.outputs[0] is self.output:  # a map itself, as a segmentation
                continue
            found[step.operation.name] = FeatureMap(step, grid)
            outputs.append((id(step.outputs[0]), step.operation.name))
        if not found:
            raise ValueError(
                "There is no feature map to weigh. Expected a model with a convolution "
                "before its positions are pooled (and before several images are joined)"
                f". Received: {self.model.name!r}, which has none"
            )
        if self.layer is None:
            return found[self._default_layer(outputs)]
        if self.layer not in found:
            raise ValueError(
                "This layer has no feature map. Expected one of "
                f"{list(found)}. Received: layer={self.layer!r}"
            )
        return found[self.layer]

    def _default_layer(self, outputs: list[tuple[int, str]]) -> str:
        """Names the last map, or in a transformer the input of the last attention."""
        inputs = [
            ids(tensors(step.args))
            for step in self.graph.steps
            if isinstance(step.operation, MultiHeadSelfAttention)
        ]
        if inputs:
            return [name for tensor, name in outputs if tensor in inputs[-1]][-1]
        return outputs[-1][1]

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        import tensorflow as tf

        logits = np.asarray(as_row(self.network([tf.constant(x) for x in images])))
        if neurons.ndim == 1:
            neurons = np.where(neurons < 0, logits.argmax(-1), neurons)
        maps = [np.zeros(x.shape, np.float32) for x in images]
        for index, feature_map in self.maps.items():
            network, visualizer = self._networks[_key(feature_map)]
            cam = np.asarray(self.cam(network, visualizer, images, neurons))
            size = images[index].shape[:-1]
            factors = [new / old for new, old in zip(size, cam.shape, strict=True)]
            large = zoom(cam, factors, order=1)
            maps[index] = spread(large, images[index])
        self._say_if_empty(maps)
        return maps

    def _say_if_empty(self, maps: Sequence[np.ndarray]) -> None:
        """Warns of maps that are zero everywhere."""
        empty = [
            sample
            for index in self._inputs
            for sample, each in enumerate(maps[index])
            if not each.any()
        ]
        if empty:
            warnings.warn(
                "A map is zero everywhere: no feature map speaks for this neuron. "
                f"Received: the samples {sorted(set(empty))}",
                stacklevel=4,
            )

    def cam(
        self,
        network: keras.Model,
        visualizer: Any,
        images: list[np.ndarray],
        neurons: np.ndarray,
    ) -> np.ndarray:
        """Computes a map in its own size with tf-keras-vis, `(batch, ...)`."""

        def logit(outputs: Tensor) -> Tensor:
            return choose(as_row(outputs), ops.convert_to_tensor(neurons))

        found: np.ndarray = visualizer(
            self.score(logit),
            list(images),
            penultimate_layer=FeatureMapLayer(network),
            seek_penultimate_conv_layer=False,
            normalize_cam=False,
            expand_cam=False,
        )
        return found

    def score(self, logit: Score) -> Score:
        """Returns the function to differentiate, given that which picks the logit."""
        return logit


class GradCAM(CAM):
    """Feature maps, each weighted by the mean of the logit's derivative by it.

    CAM = relu(sum_k A_k mean_hw(d logit / d A_k)); see `CAM` for the rest.

    Args:
        layer: See `CAM`.

    Reference: [Selvaraju et al., 2017](https://arxiv.org/abs/1610.02391), eq. 1 and 2.
    """

    def visualizer_class(self) -> Callable[..., Any]:
        from tf_keras_vis.gradcam import Gradcam

        return Gradcam


class GradCAMPlusPlus(CAM):
    """As Grad-CAM, with a weight for each position, where the derivative is positive.

    The paper's score is exp(logit), whose exp only scales the map, and overflows; here
    it is exp(logit - [logit]) = 1, with [.] held constant.

    Args:
        layer: See `CAM`.

    Reference:
        [Chattopadhyay et al., 2018](https://arxiv.org/abs/1710.11063), eq. 5, 6, 10.
    """

    def visualizer_class(self) -> Callable[..., Any]:
        from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus

        return GradcamPlusPlus

    def score(self, logit: Score) -> Score:
        return lambda outputs: logit(outputs) - ops.stop_gradient(logit(outputs))


class LayerCAM(CAM):
    """Feature maps times the positive part of the logit's derivative, elementwise.

    CAM = relu(sum_k A_k relu(d logit / d A_k)); see `CAM` for the rest.

    Args:
        layer: See `CAM`.

    Reference:
        [Jiang et al., 2021](https://doi.org/10.1109/TIP.2021.3089943), eq. 5 and 6.
    """

    def visualizer_class(self) -> Callable[..., Any]:
        from tf_keras_vis.layercam import Layercam

        return Layercam


class ScoreCAM(CAM):
    """Feature maps, each weighted by the class's probability on the masked image.

    CAM = relu(sum_k A_k softmax(f(x * A_k))_c), with A_k enlarged and scaled to [0, 1]
    as a mask on the image: one prediction per feature map, and no gradient.

    Args:
        layer: See `CAM`.
        max_n: Number of feature maps, those of the largest standard deviation in
            any sample; None takes all.

    Reference: [Wang et al., 2020](https://arxiv.org/abs/1910.01279), algorithm 1.
    """

    options = CAM.options | {"max_n": None}
    max_n: int | None

    def visualizer_class(self) -> Callable[..., Any]:
        from tf_keras_vis.scorecam import Scorecam

        return Scorecam

    def prepare(self) -> None:
        shape = self._output_shape or ()
        if len(shape) != 1 or (shape[0] or 0) < 2:
            raise ValueError(
                "Score-CAM weighs by a softmax, which is always 1 for a single logit. "
                "Expected a model with two or more logits. Received: "
                f"{self.model.name!r} with {shape}"
            )
        super().prepare()
        channels = self.feature_map.step.outputs[0].shape[-1]
        is_integer = isinstance(self.max_n, int) and not isinstance(self.max_n, bool)
        if self.max_n is not None and not (is_integer and 1 <= self.max_n <= channels):
            raise ValueError(
                "No such number of feature maps. Expected max_n=None, or from 1 to "
                f"{channels}. Received: max_n={self.max_n!r}"
            )

    def check_inputs(self, inputs: Sequence[Any], names: Sequence[str]) -> None:
        """Refuses an input that cannot be masked."""
        check_positions(inputs, names)

    def cam(
        self,
        network: keras.Model,
        visualizer: Any,
        images: list[np.ndarray],
        neurons: np.ndarray,
    ) -> np.ndarray:
        import tensorflow as tf

        if neurons.ndim > 1:
            raise ValueError(
                "Score-CAM weighs by the probability of one class. Expected one neuron "
                f"a sample. Received: pairs {neurons.tolist()}"
            )
        # One image at a time: the choice of maps must not depend on other images.
        found = []
        for sample, neuron in enumerate(neurons):
            found.append(
                visualizer(
                    lambda p, neuron=neuron: tf.reshape(p[..., neuron], (-1,)),
                    [x[sample : sample + 1] for x in images],
                    penultimate_layer=FeatureMapLayer(network),
                    seek_penultimate_conv_layer=False,
                    normalize_cam=False,
                    expand_cam=False,
                    max_N=self.max_n,
                )
            )
        return np.concatenate(found)


def has_weights(step: Step) -> bool:
    """Whether a step is a linear layer, or one of the user's with weights inside."""
    layer = step.operation
    if is_linear(step):
        return True
    known = isinstance(layer, keras.Layer) and name_of(step) not in NORMALISERS
    return known and bool(getattr(layer, "weights", None))


def _key(feature_map: FeatureMap) -> int:
    return id(feature_map.step.outputs[0])


def _inputs_reaching(graph: Graph) -> dict[int, set[int]]:
    """Lists for each tensor which inputs it depends on."""
    reached = {id(tensor): {n} for n, tensor in enumerate(graph.inputs)}
    for step in graph.steps:
        read = [reached.get(tensor, set()) for tensor in ids(sources(step))]
        reached |= {tensor: set().union(*read) for tensor in ids(step.outputs)}
    return reached


def check_backend(name: str) -> None:
    """Raises ValueError on the backends that tf-keras-vis does not support."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(
            f"{name} is computed by tf-keras-vis, which supports only TensorFlow. "
            "Expected keras.backend.backend() == 'tensorflow' (set KERAS_BACKEND), or "
            f"another analyzer, such as 'lrp.epsilon'. Received: {backend!r}"
        )


CAM_ANALYZERS: dict[str, type[CAM]] = {
    "gradcam": GradCAM,
    "gradcam_plus_plus": GradCAMPlusPlus,
    "scorecam": ScoreCAM,
    "layercam": LayerCAM,
}
