"""A network as a list of tf_keras layers for iNNvestigate, or a refusal with reason."""

import hashlib
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from medattn.explain.analyzer import Analyzer
from medattn.explain.graph.operations import NORMALISERS
from medattn.explain.graph.steps import (
    ACTIVATION,
    Step,
    activation_name,
    from_keras,
    ids,
    is_relu,
    is_symbolic,
    name_of,
    tensors,
)
from medattn.layers.tensor import Tensor

# iNNvestigate's time to build grows with the square of the layers and more; with more
# layers than this it did not finish within a few minutes.
MAX_LAYERS = 100

ACTIVATIONS = ("elu", "relu", "sigmoid", "softplus", "tanh")
SETTINGS: dict[str, tuple[str, ...]] = {
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
WEIGHTS: dict[str, tuple[str, ...]] = {
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
    """What the process needs to rebuild a network.

    Args:
        analyzer: An `Analyzer`, which has opened the model and knows its output.
        inside: Whether leading normalising layers stay in the network, as the plain
            gradients need; otherwise they are applied to the image before.

    Attributes:
        spec: The layers, for `worker.rebuild`.

    Raises:
        ValueError: If iNNvestigate does not support the network.
    """

    def __init__(self, analyzer: Analyzer, *, inside: bool) -> None:
        self.analyzer = weakref.proxy(analyzer)  # it owns this object: no cycle
        graph, output = analyzer.graph, analyzer.output
        if len(graph.inputs) != 1:
            raise _refusal("it has several inputs", f"{len(graph.inputs)} inputs")
        steps = _needed(graph.steps, output)
        self.normalisers, steps = _split_normalisers(steps, graph.inputs[0])
        for step in steps:
            if name_of(step) in REASONS:
                raise _unsupported(step)
        if len(steps) > MAX_LAYERS:
            raise _refusal(
                "it is too large: the time to build its graph grows faster than the "
                f"square of its layers. Expected at most {MAX_LAYERS} of them",
                f"{len(steps)} layers",
            )
        self.layers: list[dict[str, Any]] = []
        self.steps: list[Step | None] = []  # of each layer; None for the normalisation
        start = self.normalisers[-1].outputs[0] if self.normalisers else graph.inputs[0]
        self.numbers = {id(start): 0}
        self.inside = inside and bool(self.normalisers)
        if self.inside:
            affine = {"scale": {"array": "scale"}, "offset": {"array": "offset"}}
            self._add_layer(None, "Rescaling", affine, [0])
            self.numbers[id(start)] = 1
        for step in steps:
            self._add_step(step)
        self.spec = {
            "shape": list(graph.inputs[0].shape[1:]),
            "layers": self.layers,
            "output": self.numbers[id(output)],
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Reads the present weights, by their keys."""
        arrays = {}
        for step, layer in zip(self.steps, self.layers, strict=True):
            for key in layer["weights"]:
                assert step is not None
                arrays[key] = _numpy(getattr(step.operation, key.split(".")[1]))
        if self.inside:
            black, white = self.normalise(0.0), self.normalise(1.0)
            arrays |= {"scale": (white - black)[0], "offset": black[0]}
        return arrays

    def normalise(self, images: np.ndarray | float) -> np.ndarray:
        """Applies the leading normalising layers.

        Args:
            images: A batch, or a number: an image with this value everywhere.
        """
        if isinstance(images, float):
            shape = self.analyzer.graph.inputs[0].shape[1:]
            images = np.full([1, *(side or 1 for side in shape)], images, np.float32)
        for step in self.normalisers:
            images = self.analyzer.compute_step(step, (images,), {})
        return _numpy(images)

    def _add_step(self, step: Step) -> None:
        """Adds one step, or sets the activation of the layer to which it belongs."""
        name, operation = name_of(step), step.operation
        sources = self._sources(step)
        if not from_keras(operation):
            raise _unsupported(step, "iNNvestigate does not know it")
        if name in ("Activation", "Relu", "ReLU"):
            self._add_activation(step, sources)
        elif name in ("Add", "Concatenate"):
            if len({tuple(t.shape) for t in tensors(step.args)}) > 1 and name == "Add":
                raise _unsupported(step, "its terms differ in shape")
            axis = {"axis": operation.axis} if name == "Concatenate" else {}
            self._add_layer(step, name, axis, sources)
        elif name in SETTINGS:
            if getattr(operation, "data_format", None) == "channels_first":
                raise _unsupported(step, "its channels come first")
            config = operation.get_config()
            config = {key: config[key] for key in SETTINGS[name] if key in config}
            self._add_layer(step, name, config, sources)
        else:
            raise _unsupported(step)

    def _add_activation(self, step: Step, sources: list[int]) -> None:
        activation = "relu" if is_relu(step) else None
        if activation is None and name_of(step) == "Activation":
            activation = activation_name(step)
        if activation == "linear":
            self.numbers[id(step.outputs[0])] = sources[0]
            return
        if activation not in ACTIVATIONS:
            raise _unsupported(step, SOFTMAX if activation == "softmax" else None)
        if step.part == ACTIVATION:
            self.layers[sources[0] - 1]["config"]["activation"] = activation
            self.numbers[id(step.outputs[0])] = sources[0]
            return
        self._add_layer(step, "Activation", {"activation": activation}, sources)

    def _add_layer(
        self, step: Step | None, kind: str, config: dict[str, Any], sources: list[int]
    ) -> None:
        weights = []
        for key in WEIGHTS.get(kind, ()):
            if step is not None and getattr(step.operation, key, None) is not None:
                weights.append(f"{len(self.layers)}.{key}")
        self.layers.append(
            {"kind": kind, "config": config, "sources": sources, "weights": weights}
        )
        self.steps.append(step)
        if step is not None:
            self.numbers[id(step.outputs[0])] = len(self.layers)

    def _sources(self, step: Step) -> list[int]:
        """Returns the numbers of the layers that a step reads."""
        read = tensors((step.args, step.kwargs))
        if any(id(tensor) not in self.numbers for tensor in read):
            raise _unsupported(step, "it reads values that are not of the image alone")
        constants = [
            leaf
            for leaf in (step.args if name_of(step) == "Add" else ())
            if not is_symbolic(leaf) and not isinstance(leaf, list | tuple)
        ]
        if constants:
            raise _unsupported(step, "it adds a constant")
        return [self.numbers[id(tensor)] for tensor in read]


def fingerprint(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Computes a hash by which changed weights are noticed."""
    digest = hashlib.blake2b()
    for key in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.digest()


def _needed(steps: Sequence[Step], output: Tensor) -> list[Step]:
    """Leaves out the steps on which the output does not depend."""
    needed, kept = {id(output)}, []
    for step in reversed(steps):
        if needed.intersection(ids(step.outputs)):
            needed.update(ids((step.args, step.kwargs)))
            kept.append(step)
    return kept[::-1]


def _split_normalisers(
    steps: list[Step], image: Tensor
) -> tuple[list[Step], list[Step]]:
    """Separates the normalising layers between the image and all other steps."""
    tensor = image
    normalisers: list[Step] = []
    while True:
        readers = [s for s in steps if id(tensor) in ids((s.args, s.kwargs))]
        if len(readers) != 1 or name_of(readers[0]) not in NORMALISERS:
            return normalisers, [s for s in steps if s not in normalisers]
        normalisers.append(readers[0])
        tensor = readers[0].outputs[0]


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))


def _unsupported(step: Step, reason: str | None = None) -> ValueError:
    reason = REASONS.get(name_of(step), reason or "iNNvestigate has no rule for it")
    name = f"{step.operation.name!r} ({type(step.operation).__name__})"
    known = sorted([*SETTINGS, "Activation", "Add", "Concatenate"])
    return _refusal(f"{reason}. Expected layers among {known}", f"the step {name}")


def _refusal(reason: str, received: str) -> ValueError:
    return ValueError(
        f"iNNvestigate does not support this network: {reason}, or engine='medattn'. "
        f"Received: {received}"
    )
