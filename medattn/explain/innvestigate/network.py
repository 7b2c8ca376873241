"""A network told in tf_keras's layers for iNNvestigate, or refused with the reason."""

import hashlib
import weakref

import numpy as np
from keras import ops

from medattn.explain.graph.operations import NORMALISERS
from medattn.explain.graph.steps import (
    ACTIVATION,
    activation_name,
    from_keras,
    ids,
    is_relu,
    is_symbolic,
    name_of,
    tensors,
)

# iNNvestigate's time to build grows with the square of the layers and more; beyond
# this many it has not been seen to end within a few minutes.
MOST_LAYERS = 100

ACTIVATIONS = ("elu", "relu", "sigmoid", "softplus", "tanh")
SETTINGS = {
    "AveragePooling2D": ("pool_size", "strides", "padding"),
    "BatchNormalization": ("axis", "epsilon", "center", "scale"),
    "Conv2D": (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "dilation_rate",
        "groups",
        "use_bias",
    ),
    "Dense": ("units", "use_bias"),
    "Flatten": (),
    "GlobalAveragePooling2D": ("keepdims",),
    "GlobalMaxPooling2D": ("keepdims",),
    "MaxPooling2D": ("pool_size", "strides", "padding"),
    "Reshape": ("target_shape",),
    "ZeroPadding2D": ("padding",),
}
WEIGHTS = {
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "Conv2D": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
}
GATE = (
    "it is the product of a gate, to which iNNvestigate gives the plain gradient, so "
    "that relevance would not add up"
)
ATTENTION = "iNNvestigate knows no attention"
SOFTMAX = "iNNvestigate knows no softmax"
REASONS = {
    "Dot": ATTENTION,
    "Einsum": ATTENTION,
    "LayerNormalization": "iNNvestigate knows no layer norm",
    "Matmul": ATTENTION,
    "Multiply": GATE,
    "Softmax": SOFTMAX,
}


class Network:
    """What the worker needs to rebuild one.

    Args:
        analyzer: An `Analyzer`, which has opened the model and knows its output.
        inside: Whether leading normalising layers stay in the network, as the plain
            gradients need; else they are applied to the image before.

    Attributes:
        words: For `innvestigate_worker.rebuild`.

    Raises:
        ValueError: If iNNvestigate cannot do the network.
    """

    def __init__(self, analyzer, *, inside):
        self.analyzer = weakref.proxy(analyzer)  # it owns this: no circle
        graph, output = analyzer.graph, analyzer.output
        if len(graph.inputs) != 1:
            raise _refusal("it has several inputs", f"{len(graph.inputs)} inputs")
        steps = _needed(graph.steps, output)
        self.normalisers, steps = _leading(steps, graph.inputs[0])
        for step in steps:
            if name_of(step) in REASONS:
                raise _unfit(step)
        if len(steps) > MOST_LAYERS:
            raise _refusal(
                "it is too large: the time to build its graph grows faster than the "
                f"square of its layers. Expected at most {MOST_LAYERS} of them",
                f"{len(steps)} layers",
            )
        self.told, self.steps = [], []
        start = self.normalisers[-1].outputs[0] if self.normalisers else graph.inputs[0]
        self.numbers = {id(start): 0}
        self.inside = inside and bool(self.normalisers)
        if self.inside:
            affine = {"scale": {"array": "scale"}, "offset": {"array": "offset"}}
            self._tell(None, "Rescaling", affine, [0])
            self.numbers[id(start)] = 1
        for step in steps:
            self._add(step)
        self.words = {
            "shape": list(graph.inputs[0].shape[1:]),
            "layers": self.told,
            "output": self.numbers[id(output)],
        }

    def arrays(self):
        """Reads the weights as they are now; returns arrays by their keys."""
        held = {}
        for step, told in zip(self.steps, self.told, strict=True):
            for key in told["weights"]:
                held[key] = _numpy(getattr(step.operation, key.split(".")[1]))
        if self.inside:
            black, white = self.normalise(0.0), self.normalise(1.0)
            held |= {"scale": (white - black)[0], "offset": black[0]}
        return held

    def normalise(self, images):
        """Applies the leading normalising layers.

        Args:
            images: A batch, or a number: an image of nothing but it.
        """
        if isinstance(images, float):
            shape = self.analyzer.graph.inputs[0].shape[1:]
            images = np.full([1, *(side or 1 for side in shape)], images, np.float32)
        for step in self.normalisers:
            images = self.analyzer.compute_step(step, (images,), {})
        return _numpy(images)

    def _add(self, step):
        """Tells one step, or joins an activation to the layer that brings it."""
        name, operation = name_of(step), step.operation
        sources = self._sources(step)
        if not from_keras(operation):
            raise _unfit(step, "iNNvestigate does not know it")
        if name in ("Activation", "Relu", "ReLU"):
            bend = "relu" if is_relu(step) else None
            bend = bend or (activation_name(step) if name == "Activation" else None)
            if bend == "linear":
                self.numbers[id(step.outputs[0])] = sources[0]
                return
            if bend not in ACTIVATIONS:
                raise _unfit(step, SOFTMAX if bend == "softmax" else None)
            if step.part == ACTIVATION:
                self.told[sources[0] - 1]["config"]["activation"] = bend
                self.numbers[id(step.outputs[0])] = sources[0]
                return
            self._tell(step, "Activation", {"activation": bend}, sources)
        elif name in ("Add", "Concatenate"):
            if len({tuple(t.shape) for t in tensors(step.args)}) > 1 and name == "Add":
                raise _unfit(step, "its terms differ in shape")
            axis = {"axis": operation.axis} if name == "Concatenate" else {}
            self._tell(step, name, axis, sources)
        elif name in SETTINGS:
            if getattr(operation, "data_format", None) == "channels_first":
                raise _unfit(step, "its channels come first")
            config = operation.get_config()
            config = {key: config[key] for key in SETTINGS[name] if key in config}
            self._tell(step, name, config, sources)
        else:
            raise _unfit(step)

    def _tell(self, step, kind, config, sources):
        weights = []
        for key in WEIGHTS.get(kind, ()):
            if getattr(step.operation, key, None) is not None:
                weights.append(f"{len(self.told)}.{key}")
        self.told.append(
            {"kind": kind, "config": config, "sources": sources, "weights": weights}
        )
        self.steps.append(step)
        if step is not None:
            self.numbers[id(step.outputs[0])] = len(self.told)

    def _sources(self, step):
        """Returns the numbers of the layers that a step reads."""
        names = tensors((step.args, step.kwargs))
        if any(id(name) not in self.numbers for name in names):
            raise _unfit(step, "it reads what does not come from the image alone")
        extra = [
            leaf
            for leaf in (step.args if name_of(step) == "Add" else ())
            if not is_symbolic(leaf) and not isinstance(leaf, list | tuple)
        ]
        if extra:
            raise _unfit(step, "it adds a constant")
        return [self.numbers[id(name)] for name in names]


def fingerprint(arrays):
    """Tells weights from changed ones."""
    mark = hashlib.blake2b()
    for key in sorted(arrays):
        mark.update(np.ascontiguousarray(arrays[key]).tobytes())
    return mark.digest()


def _needed(steps, output):
    """Leaves out the steps that the output does not depend on."""
    wanted, kept = {id(output)}, []
    for step in reversed(steps):
        if wanted.intersection(ids(step.outputs)):
            wanted.update(ids((step.args, step.kwargs)))
            kept.append(step)
    return kept[::-1]


def _leading(steps, image):
    """Splits off the normalising layers between the image and all that reads it."""
    place = image
    leading = []
    while True:
        readers = [s for s in steps if id(place) in ids((s.args, s.kwargs))]
        if len(readers) != 1 or name_of(readers[0]) not in NORMALISERS:
            return leading, [s for s in steps if s not in leading]
        leading.append(readers[0])
        place = readers[0].outputs[0]


def _numpy(tensor):
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))


def _unfit(step, reason=None):
    reason = REASONS.get(name_of(step), reason or "iNNvestigate has no rule for it")
    name = f"{step.operation.name!r} ({type(step.operation).__name__})"
    known = sorted([*SETTINGS, "Activation", "Add", "Concatenate"])
    return _refusal(f"{reason}. Expected layers among {known}", f"the step {name}")


def _refusal(reason, received):
    return ValueError(
        f"iNNvestigate cannot do this network: {reason}, or engine='medattn'. "
        f"Received: {received}"
    )
