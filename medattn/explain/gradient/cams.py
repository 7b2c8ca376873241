"""Class activation maps and feature visualisation, by tf-keras-vis's own code."""

import keras
import numpy as np
from keras import ops

from medattn.explain.backend import runs_eagerly
from medattn.explain.graph.linear_layers import is_linear
from medattn.explain.graph.steps import ids, tensors
from medattn.explain.spatial import checked_pictures, spread, token_grid
from medattn.explain.unopened import Whole
from medattn.layers import MultiHeadSelfAttention


class CAM(Whole):
    """A class activation map: what a layer's feature maps show, weighed for one class.

    Computed by tf-keras-vis, on the TensorFlow backend, enlarged to the image by its
    own code (linearly, corner pixels on corner pixels), not normalised. The value of a
    pixel is >= 0 and spread evenly over its channels, so that their sum is the CAM. It
    is no share of the logit, so there is no audit.

    Args:
        layer: Name of the layer whose feature maps are weighed; None takes the last one
            with a spatial map behind a convolution. Of a transformer the tokens of the
            patches are the map, and None takes what the last attention reads: behind
            it only the class token still matters.
    """

    options = {"layer": None}

    def visualiser(self):
        """Returns tf-keras-vis's class; imported late, for it brings scipy along."""
        raise TypeError(f"{type(self).__name__} names no class of tf-keras-vis.")

    def prepare(self):
        check_backend(type(self).__name__)
        checked_pictures(self)
        self.place = self.find_place()
        self.network = cut_model(self, self.place)
        self._visualise = self.visualiser()(self.network)

    def find_place(self):
        """Finds the step whose output is the feature map, and how to read it as one.

        Returns:
            `(step, grid)`, the grid None, or as of `token_grid`.
        """
        image = self.model.inputs[0].shape[1:3]
        behind, places, read = set(), {}, []
        for step in self.graph.steps:
            sources = ids((step.args, step.kwargs))
            if not is_linear(step) and behind.isdisjoint(sources):
                continue
            behind.update(ids(step.outputs))
            shape = step.outputs[0].shape
            grid = None
            if len(shape) == 3 and shape[1] is not None:
                grid = token_grid(shape[1], image)
            flat = len(shape) != 4 or shape[1:3] == (1, 1)
            if len(step.outputs) > 1 or flat and grid is None:
                continue
            places[step.operation.name] = (step, grid)
            read.append((id(step.outputs[0]), step.operation.name))
        if not places:
            raise ValueError(
                "There is no feature map to weigh. Expected a model with a convolution "
                "before its places are pooled. "
                f"Received: {self.model.name!r}, which has none"
            )
        if self.layer is None:
            return places[self._usual(read)]
        if self.layer not in places:
            raise ValueError(
                "No feature map comes out of this layer. Expected one of "
                f"{list(places)}. Received: layer={self.layer!r}"
            )
        return places[self.layer]

    def _usual(self, read):
        """Names the last map, or in a transformer what the last attention reads."""
        attentions = [
            ids(tensors(step.args))
            for step in self.graph.steps
            if isinstance(step.operation, MultiHeadSelfAttention)
        ]
        if attentions:
            sources = attentions[-1]
            return [name for tensor, name in read if tensor in sources][-1]
        return read[-1][1]

    def _explain(self, images, neurons):
        import tensorflow as tf

        logits = np.asarray(self.network([tf.constant(x) for x in images]))
        neurons = np.where(neurons < 0, logits.argmax(-1), neurons)
        maps = self.cam(images, neurons)
        return [spread(cam, x) for cam, x in zip(maps, images, strict=True)]

    def cam(self, images, neurons):
        """Lets tf-keras-vis compute the map, `(batch, height, width)` an input."""
        import tensorflow as tf

        def score(outputs):
            return tf.gather(outputs, tf.constant(neurons), batch_dims=1)

        return self._visualise(
            self.score(score),
            list(images),
            penultimate_layer=Place(self.network),
            seek_penultimate_conv_layer=False,
            normalize_cam=False,
        )

    def score(self, score):
        """Says what is differentiated, given the function that picks the logit."""
        return score


class GradCAM(CAM):
    """Feature maps, each weighed by the mean of the logit's derivative by it.

    CAM = relu(sum_k A_k mean_places(d logit / d A_k)); see `CAM` for the rest.

    Args:
        layer: See `CAM`.

    Reference: [Selvaraju et al., 2017](https://arxiv.org/abs/1610.02391), eq. 1 and 2.
    """

    def visualiser(self):
        from tf_keras_vis.gradcam import Gradcam

        return Gradcam


class GradCAMPlusPlus(CAM):
    """As Grad-CAM, but places whose derivative is positive weigh, each by its own part.

    The paper's score is exp(logit), whose exp only scales the map, and overflows; here
    it is exp(logit - [logit]) = 1, with [.] held constant.

    Args:
        layer: See `CAM`.

    Reference:
        [Chattopadhyay et al., 2018](https://arxiv.org/abs/1710.11063), eq. 5, 6, 10.
    """

    def visualiser(self):
        from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus

        return GradcamPlusPlus

    def score(self, score):
        return lambda outputs: score(outputs) - ops.stop_gradient(score(outputs))


class LayerCAM(CAM):
    """Feature maps times the positive part of the logit's derivative, place by place.

    CAM = relu(sum_k A_k relu(d logit / d A_k)); see `CAM` for the rest.

    Args:
        layer: See `CAM`.

    Reference:
        [Jiang et al., 2021](https://doi.org/10.1109/TIP.2021.3089943), eq. 5 and 6.
    """

    def visualiser(self):
        from tf_keras_vis.layercam import Layercam

        return Layercam


class ScoreCAM(CAM):
    """Feature maps, each weighed by the class's probability where only it shows.

    CAM = relu(sum_k A_k softmax(f(x * A_k))_c), with A_k enlarged and scaled to [0, 1]
    as a mask on the image: one prediction a feature map, and no gradient.

    Args:
        layer: See `CAM`.
        max_n: Only that many feature maps, those of the largest standard deviation in
            any sample; None takes all.

    Reference: [Wang et al., 2020](https://arxiv.org/abs/1910.01279), algorithm 1.
    """

    options = CAM.options | {"max_n": None}

    def visualiser(self):
        from tf_keras_vis.scorecam import Scorecam

        return Scorecam

    def prepare(self):
        if self.classes < 2:
            raise ValueError(
                "Score-CAM weighs by a softmax, which is always 1 for one logit alone. "
                "Expected a model with two or more logits. Received: "
                f"{self.model.name!r} with {self.classes}"
            )
        super().prepare()
        channels = self.place[0].outputs[0].shape[-1]
        whole = isinstance(self.max_n, int) and not isinstance(self.max_n, bool)
        if self.max_n is not None and not (whole and 1 <= self.max_n <= channels):
            raise ValueError(
                "No such number of feature maps. Expected max_n=None, or from 1 to "
                f"{channels}. Received: max_n={self.max_n!r}"
            )

    def cam(self, images, neurons):
        import tensorflow as tf

        # One image at a time: which maps are the largest depends on no other image.
        found = []
        for at, neuron in enumerate(neurons):
            found.append(
                self._visualise(
                    lambda p, neuron=neuron: tf.reshape(p[..., neuron], (-1,)),
                    [x[at : at + 1] for x in images],
                    penultimate_layer=Place(self.network),
                    seek_penultimate_conv_layer=False,
                    normalize_cam=False,
                    max_N=self.max_n,
                )
            )
        return [np.concatenate(maps) for maps in zip(*found, strict=True)]


class Place(keras.layers.Layer):
    """What tf-keras-vis asks for: a layer whose output is the feature map."""

    def __init__(self, network):
        super().__init__()
        self._map = network.feature_map

    @property
    def output(self):
        return self._map


class Part(keras.layers.Layer):
    """Some steps of the network as one layer, compiled, and differentiable.

    tf-keras-vis finds a feature map as the output of a layer of the outermost model
    with one call. Here it may lie in a nested model, be a gate's, or a row of tokens:
    so the network is cut in two behind it.
    """

    def __init__(self, function, inputs, outputs, name):
        import tensorflow as tf

        super().__init__(name=name, dtype="float32")
        self._outputs = outputs
        kinds = [tf.TensorSpec([None, *x.shape[1:]], _worked_in(x)) for x in inputs]
        self._walk, self._is_compiled = function, False
        self._compiled = tf.function(function, input_signature=[kinds], autograph=False)

    def call(self, arrays):
        if runs_eagerly(self._is_compiled):
            return self._walk(arrays)
        found = self._compiled(arrays)
        self._is_compiled = True
        return found

    def compute_output_spec(self, arrays):
        return [keras.KerasTensor(x.shape, _worked_in(x)) for x in self._outputs]


def _worked_in(tensor):
    """The type in which the steps are done: half precision is explained in full."""
    return "float32" if "float" in tensor.dtype else tensor.dtype


def cut_model(analyzer, place):
    """Builds the model that tf-keras-vis is given: logits out, feature map known."""
    images = [
        keras.Input(batch_shape=tensor.shape, name=f"image_{at}")
        for at, tensor in enumerate(analyzer.model.inputs)
    ]
    before, after = _halves(analyzer, place)
    feature_map, *others = before(images)
    (logits,) = after([feature_map, *others])
    model = keras.Model(images, logits, name=analyzer.model.name)
    model.feature_map = feature_map
    predict = model.predict
    # Score-CAM asks it for every feature map, with a progress bar each time.
    model.predict = lambda *args, **kwargs: predict(*args, verbose=0, **kwargs)
    return model


def _halves(analyzer, place):
    """Cuts the network behind the feature map.

    Returns:
        Two `Part`s: from the images to the map and to whatever else the second needs;
        from those to the logits.
    """
    wanted, grid = place
    graph, compute = analyzer.graph, analyzer.compute_step
    cut = next(at for at, step in enumerate(graph.steps) if step is wanted) + 1
    first, second = graph.steps[:cut], graph.steps[cut:]
    made = {id(x): x for x in graph.inputs}
    made |= {id(x): x for step in first for x in step.outputs}
    used = {name for s in second for name in ids(tensors((s.args, s.kwargs)))}
    source = wanted.outputs[0]
    crossing = [x for name, x in made.items() if name in used and x is not source]
    if grid is not None:  # what is no patch, the class token, goes its own way
        start, rows, columns = grid
        tokens, channels = source.shape[1:]
        other = keras.KerasTensor((None, start, channels), source.dtype)
        seen = keras.KerasTensor((None, rows, columns, channels), source.dtype)

    def before(images):
        values = dict(zip(ids(graph.inputs), images, strict=True))
        analyzer.run_steps(first, values, compute)
        found = values[id(source)]
        others = [values[id(x)] for x in crossing]
        if grid is None:
            return [found, *others]
        patches = ops.reshape(found[:, start:], (-1, rows, columns, channels))
        return [patches, found[:, :start], *others]

    def after(arrays):
        found, *others = arrays
        if grid is not None:
            rest, *others = others
            patches = ops.reshape(found, (-1, tokens - start, channels))
            found = ops.concatenate([rest, patches], axis=1)
        values = {id(source): found}
        values |= zip(ids(crossing), others, strict=True)
        analyzer.run_steps(second, values, compute)
        return [values[id(analyzer.output)]]

    between = [source, *crossing] if grid is None else [seen, other, *crossing]
    return (
        Part(before, graph.inputs, between, "before"),
        Part(after, between, [analyzer.output], "after"),
    )


def check_backend(what):
    """Refuses the backends that tf-keras-vis does not know."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(
            f"{what} is computed by tf-keras-vis, which knows TensorFlow only. "
            "Expected keras.backend.backend() == 'tensorflow' (set KERAS_BACKEND), or "
            f"another analyzer, such as 'lrp.epsilon'. Received: {backend!r}"
        )


CAM_ANALYZERS = {
    "gradcam": GradCAM,
    "gradcam_plus_plus": GradCAMPlusPlus,
    "scorecam": ScoreCAM,
    "layercam": LayerCAM,
}
