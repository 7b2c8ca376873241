"""Class activation maps, computed by tf-keras-vis."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops

from medattn.explain.gradient.split_network import (
    FeatureMap,
    FeatureMapLayer,
    split_model,
)
from medattn.explain.graph.linear_layers import is_linear
from medattn.explain.graph.steps import ids, tensors
from medattn.explain.spatial import check_image_inputs, spread, token_grid
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
        check_image_inputs(self.model.inputs)
        self.feature_map = self.find_feature_map()
        self.network = split_model(self, self.feature_map)
        self._visualizer = self.visualizer_class()(self.network)

    def find_feature_map(self) -> FeatureMap:
        """Finds the step whose output is the feature map.

        Raises:
            ValueError: If there is none, or `layer` has none; the message lists those
                that have.
        """
        image = self.model.inputs[0].shape[1:3]
        after_convolution: set[int] = set()
        found: dict[str, FeatureMap] = {}
        outputs: list[tuple[int, str]] = []  # the tensors of the maps, in order
        for step in self.graph.steps:
            read = ids((step.args, step.kwargs))
            if not is_linear(step) and after_convolution.isdisjoint(read):
                continue
            after_convolution.update(ids(step.outputs))
            shape = step.outputs[0].shape
            grid = None
            if len(shape) == 3 and shape[1] is not None:
                grid = token_grid(shape[1], image)
            not_spatial = len(shape) != 4 or shape[1:3] == (1, 1)
            if len(step.outputs) > 1 or not_spatial and grid is None:
                continue
            found[step.operation.name] = FeatureMap(step, grid)
            outputs.append((id(step.outputs[0]), step.operation.name))
        if not found:
            raise ValueError(
                "There is no feature map to weigh. Expected a model with a convolution "
                "before its positions are pooled. "
                f"Received: {self.model.name!r}, which has none"
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

        logits = np.asarray(self.network([tf.constant(x) for x in images]))
        neurons = np.where(neurons < 0, logits.argmax(-1), neurons)
        maps = self.cam(images, neurons)
        return [spread(cam, x) for cam, x in zip(maps, images, strict=True)]

    def cam(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        """Computes the map with tf-keras-vis, `(batch, height, width)` per input."""
        import tensorflow as tf

        def logit(outputs: Tensor) -> Tensor:
            return tf.gather(outputs, tf.constant(neurons), batch_dims=1)

        return self._visualizer(
            self.score(logit),
            list(images),
            penultimate_layer=FeatureMapLayer(self.network),
            seek_penultimate_conv_layer=False,
            normalize_cam=False,
        )

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
        if self.classes < 2:
            raise ValueError(
                "Score-CAM weighs by a softmax, which is always 1 for a single logit. "
                "Expected a model with two or more logits. Received: "
                f"{self.model.name!r} with {self.classes}"
            )
        super().prepare()
        channels = self.feature_map.step.outputs[0].shape[-1]
        is_integer = isinstance(self.max_n, int) and not isinstance(self.max_n, bool)
        if self.max_n is not None and not (is_integer and 1 <= self.max_n <= channels):
            raise ValueError(
                "No such number of feature maps. Expected max_n=None, or from 1 to "
                f"{channels}. Received: max_n={self.max_n!r}"
            )

    def cam(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        import tensorflow as tf

        # One image at a time: the choice of maps must not depend on other images.
        found = []
        for sample, neuron in enumerate(neurons):
            found.append(
                self._visualizer(
                    lambda p, neuron=neuron: tf.reshape(p[..., neuron], (-1,)),
                    [x[sample : sample + 1] for x in images],
                    penultimate_layer=FeatureMapLayer(self.network),
                    seek_penultimate_conv_layer=False,
                    normalize_cam=False,
                    max_N=self.max_n,
                )
            )
        return [np.concatenate(maps) for maps in zip(*found, strict=True)]


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
