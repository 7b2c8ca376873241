"""Analyzers made of the plain gradient, and the two that look at no model."""

import itertools

import numpy as np
from keras import ops

from medattn.explain.analyzer import Analyzer, choose
from medattn.explain.backend import value_and_gradients, with_backward
from medattn.explain.graph.operations import NONLINEARITIES
from medattn.explain.graph.steps import is_relu, name_of

AT_ONCE = 2**16  # pixels of the points that are differentiated together
POSTPROCESSES = {None: lambda g: g, "abs": np.abs, "square": np.square}


class Gradient(Analyzer):
    """The derivative of the logit by each pixel.

    Args:
        postprocess: None, `"abs"` or `"square"`.

    Reference: [Simonyan et al., 2014](https://arxiv.org/abs/1312.6034), section 3.
    """

    options = {"postprocess": None}

    def prepare(self):
        if self.postprocess not in POSTPROCESSES:
            raise ValueError(
                "Unknown postprocess. Expected one of "
                f"{list(POSTPROCESSES)}. Received: postprocess={self.postprocess!r}"
            )

        def logit(wanted, neurons):
            outputs = self.logits(wanted)
            return choose(outputs, neurons), outputs

        self._gradient = value_and_gradients(logit)

    def _explain(self, images, neurons):
        gradients, _ = self._gradient(images, neurons)
        return [POSTPROCESSES[self.postprocess](g) for g in gradients]

    def _sum(self, points, neurons):
        """Sums the maps of one batch at many points, several of them at once.

        Args:
            points: Yields lists of arrays like the images, one array an input.
            neurons: `(batch,)`, settled.

        Returns:
            One array of float64 an input.
        """
        points, sums = iter(points), None
        while first := next(points, None):
            pixels = sum(np.prod(x.shape[:-1]) for x in first)
            some = [first, *itertools.islice(points, max(AT_ONCE // pixels - 1, 0))]
            together = [np.concatenate(arrays) for arrays in zip(*some, strict=True)]
            found = Gradient._explain(self, together, np.tile(neurons, len(some)))
            sums = [
                total + g.reshape(len(some), *x.shape).sum(0, dtype=np.float64)
                for total, g, x in zip(
                    sums or [0.0] * len(first), found, first, strict=True
                )
            ]
        return sums

    def _decided(self, images, neurons):
        """Settles which neuron is explained before the images are changed."""
        if (neurons >= 0).all():
            return neurons
        _, outputs = self._gradient(images, neurons)
        return np.where(neurons < 0, outputs.argmax(-1), neurons).astype(np.int32)


class InputTimesGradient(Gradient):
    """Each pixel times the derivative of the logit by it."""

    def _explain(self, images, neurons):
        gradients = super()._explain(images, neurons)
        return [x * g for x, g in zip(images, gradients, strict=True)]


class IntegratedGradients(Gradient):
    """The gradient, averaged on the way from a reference to the image.

    A_j = (x_j - r_j) mean over t of  d logit / d x_j at r + t (x - r)

    Args:
        steps: Number of points, evenly from 0 on, the end left out, as in
            iNNvestigate.
        reference_inputs: A number or an image, where the way starts.

    Reference: [Sundararajan et al., 2017](https://arxiv.org/abs/1703.01365), eq. 3.
    """

    options = Gradient.options | {"steps": 64, "reference_inputs": 0.0}

    def prepare(self):
        checked_count("steps", self.steps)
        super().prepare()

    def _explain(self, images, neurons):
        neurons = self._decided(images, neurons)
        starts = [
            np.broadcast_to(np.float32(self.reference_inputs), x.shape) for x in images
        ]
        points = (
            [r + t * (x - r) for x, r in zip(images, starts, strict=True)]
            for t in np.arange(self.steps, dtype=np.float32) / self.steps
        )
        sums = self._sum(points, neurons)
        return [
            ((x - r) * total / self.steps).astype(np.float32)
            for x, r, total in zip(images, starts, sums, strict=True)
        ]


class SmoothGrad(Gradient):
    """The gradient, averaged over noisy copies of the image.

    Args:
        augment_by_n: Number of copies.
        noise_scale: Standard deviation of the noise, in the units of the pixels.
        seed: Of the noise; None for other noise each time.

    Reference: [Smilkov et al., 2017](https://arxiv.org/abs/1706.03825), section 2.2.
    """

    options = Gradient.options | {"augment_by_n": 64, "noise_scale": 0.1, "seed": 0}

    def prepare(self):
        checked_count("augment_by_n", self.augment_by_n)
        super().prepare()

    def _explain(self, images, neurons):
        neurons = self._decided(images, neurons)
        rng = np.random.default_rng(self.seed)
        noisy = (
            [
                # One noise for all samples, so that a map is the same in any batch.
                x + rng.normal(0, self.noise_scale, x.shape[1:]).astype(np.float32)
                for x in images
            ]
            for _ in range(self.augment_by_n)
        )
        sums = self._sum(noisy, neurons)
        return [(total / self.augment_by_n).astype(np.float32) for total in sums]


class Deconvnet(Analyzer):
    """The logit sent back, letting pass at each ReLU what comes back positive.

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901), section 2.1.
    """

    gated_by_input = False

    def prepare(self):
        for step in self.graph.steps:
            if name_of(step) in NONLINEARITIES and not is_relu(step):
                raise ValueError(
                    "This analyzer is defined for networks whose only nonlinearity is "
                    f"the ReLU. Received: {step.operation.name!r}, "
                    f"{type(step.operation).__name__}"
                )

        def logit(wanted, neurons):
            outputs = self.forward(wanted)
            chosen = choose(outputs, neurons)
            # As iNNvestigate starts: with the logit itself, not with one.
            return chosen * ops.stop_gradient(chosen), outputs

        self._gradient = value_and_gradients(logit)

    def compute_step(self, step, args, kwargs):
        if not is_relu(step):
            return super().compute_step(step, args, kwargs)

        def backward(x, upstream):
            passed = ops.relu(upstream)
            return passed * ops.cast(x > 0, x.dtype) if self.gated_by_input else passed

        return with_backward(ops.relu, args[0], backward)

    def _explain(self, images, neurons):
        gradients, _ = self._gradient(images, neurons)
        return gradients


class GuidedBackprop(Deconvnet):
    """As deconvnet, and only through ReLUs that were open.

    Reference: [Springenberg et al., 2015](https://arxiv.org/abs/1412.6806), sec. 3.4.
    """

    gated_by_input = True


class Input(Analyzer):
    """The image itself: a baseline."""

    def prepare(self):
        pass

    def _explain(self, images, neurons):
        return images


class Random(Analyzer):
    """The image with Gaussian noise, as in iNNvestigate: a baseline.

    Args:
        stddev: Standard deviation of the noise.
        seed: Of the noise.
    """

    options = {"stddev": 1.0, "seed": 0}

    def prepare(self):
        pass

    def _explain(self, images, neurons):
        rng = np.random.default_rng(self.seed)
        return [x + rng.normal(0, self.stddev, x.shape).astype("f4") for x in images]


def checked_count(name, count):
    """Refuses to average over nothing."""
    if not (isinstance(count, int) and count >= 1):
        raise ValueError(
            f"Nothing can be averaged. Expected {name} of one or more. "
            f"Received: {name}={count!r}"
        )


GRADIENT_ANALYZERS = {
    "gradient": Gradient,
    "input_t_gradient": InputTimesGradient,
    "integrated_gradients": IntegratedGradients,
    "smoothgrad": SmoothGrad,
    "deconvnet": Deconvnet,
    "guided_backprop": GuidedBackprop,
    "input": Input,
    "random": Random,
}
