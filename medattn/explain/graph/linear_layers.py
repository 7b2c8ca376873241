"""Linear steps as functions of input and kernel: z = apply(x, kernel) + bias."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from medattn.explain.backend import linear_in
from medattn.explain.graph.steps import COMPLETE, LINEAR, Step, from_keras
from medattn.explain.precision import working_precision
from medattn.layers.tensor import Tensor


def dense(layer: keras.Layer, x: Tensor, kernel: Tensor) -> Tensor:
    return ops.matmul(x, kernel)


def einsum(layer: keras.Layer, x: Tensor, kernel: Tensor) -> Tensor:
    return ops.einsum(layer.equation, x, kernel)


def convolution(layer: keras.Layer, x: Tensor, kernel: Tensor) -> Tensor:
    padding = layer.padding
    if padding == "causal":  # Conv1D only: no output sees a later input
        before = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
        x, padding = ops.pad(x, ((0, 0), (before, 0), (0, 0))), "valid"
    return ops.conv(
        x,
        kernel,
        strides=list(layer.strides),
        padding=padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def depthwise_convolution(layer: keras.Layer, x: Tensor, kernel: Tensor) -> Tensor:
    return ops.depthwise_conv(
        x,
        kernel,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def transposed_convolution(layer: keras.Layer, x: Tensor, kernel: Tensor) -> Tensor:
    return ops.conv_transpose(
        x,
        kernel,
        strides=list(layer.strides),
        padding=layer.padding,
        output_padding=layer.output_padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def batch_norm(layer: keras.Layer, x: Tensor, kernel: Tensor) -> Tensor:
    """A batch norm on its own: every channel has one weight."""
    return x * kernel


LINEAR_LAYERS: Mapping[str, Callable[[keras.Layer, Tensor, Tensor], Tensor]] = {
    "BatchNormalization": batch_norm,
    "Conv1D": convolution,
    "Conv1DTranspose": transposed_convolution,
    "Conv2D": convolution,
    "Conv2DTranspose": transposed_convolution,
    "Conv3D": convolution,
    "Conv3DTranspose": transposed_convolution,
    "Dense": dense,
    "DepthwiseConv1D": depthwise_convolution,
    "DepthwiseConv2D": depthwise_convolution,
    "EinsumDense": einsum,
    "SeparableConv1D": convolution,
    "SeparableConv2D": convolution,
}
FOLDABLE = (
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
)


def kind_of(layer: Any) -> str | None:
    """Returns the name of a linear layer of Keras, or None."""
    name = type(layer).__name__
    return name if name in LINEAR_LAYERS and from_keras(layer) else None


def is_linear(step: Step) -> bool:
    """Whether a step is a layer with a kernel, or a batch norm."""
    return step.part in (COMPLETE, LINEAR) and kind_of(step.operation) is not None


class LinearLayer:
    """One linear layer, with the batch norm that follows it folded in.

    The contribution of input j to output k is `x_j w_jk`; whatever a rule needs is made
    of contributions of one sign, of the sum of all, and of the bias.

    Args:
        layer: A layer of `LINEAR_LAYERS`.
        norm: The batch norm that alone reads the layer's output, or None.
        nonnegative: Whether the input is known to have no negative entries.
        reads_image: Whether the input is the image itself.
        index: Its position among the linear layers, counted from the image.
        uniform_input: A function from a pixel's value to the layer's input for an
            image of nothing but that value; only for layers that read the image.

    Attributes:
        kind: The layer's class name.
        kernel: The layer's weights, the batch norm not yet folded in.
        bias: Its bias with the norm's shift, or None.
    """

    def __init__(
        self,
        layer: keras.Layer,
        norm: keras.Layer | None = None,
        *,
        nonnegative: bool = False,
        reads_image: bool = False,
        index: int = 0,
        uniform_input: Callable[[float], Tensor] | None = None,
    ):
        self.layer = layer
        self.norm = norm
        self.kind = kind_of(layer) or ""
        self.nonnegative = nonnegative
        self.reads_image = reads_image
        self.index = index
        self.uniform_input = uniform_input
        self._sum: Tensor = None
        if self.kind != "BatchNormalization":
            self.kernel = kernel_of(layer)
            has_bias = getattr(layer, "use_bias", None)
            if has_bias is None:  # EinsumDense
                has_bias = getattr(layer, "bias", None) is not None
            self.scale: Tensor = None
            self.bias: Tensor = read_variable(layer.bias) if has_bias else None
            if norm is not None:
                self.scale, shift = scale_and_shift(norm)
                if has_bias:
                    shift = shift + self.scale * self.bias
                self.bias = shift
        else:
            self.kernel, self.bias = scale_and_shift(layer)
            self.scale = None

    def apply(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Computes the layer's sums with other weights, without bias."""
        return LINEAR_LAYERS[self.kind](self.layer, x, kernel)

    def total(self, x: Tensor) -> Tensor:
        """Sums all contributions, `sum_j x_j w_jk`."""
        if self._sum is None:
            y = self.apply(x, self.kernel)
            self._sum = y if self.scale is None else y * self.scale
        return self._sum

    def output(self, x: Tensor) -> Tensor:
        """Computes what the layer computes, without its activation."""
        y = self.total(x)
        return y if self.bias is None else y + self.bias

    def positive(self, x: Tensor) -> Tensor:
        """Sums the positive contributions, `sum_j max(0, x_j w_jk)`."""
        return self._signed(x, ops.relu)

    def negative(self, x: Tensor) -> Tensor:
        """Sums the negative contributions, `sum_j min(0, x_j w_jk)`.

        Not `total - positive`: rounding would leave small sums where there are none.
        """
        return self._signed(x, lambda weights: -ops.relu(-weights))

    def _signed(self, x: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        """Sums the contributions of one sign.

        Args:
            x: The input.
            part: From the weights to those that have the sign where x is positive.
        """

        def where_positive(x: Tensor) -> Tensor:
            return self.apply(x, part(self.weights()))

        def where_negative(x: Tensor) -> Tensor:
            return self.apply(x, part(-self.weights()))

        if self.nonnegative:
            return linear_in(where_positive, x)
        return linear_in(where_positive, ops.relu(x)) + linear_in(
            where_negative, ops.relu(-x)
        )

    def ones(self, x: Tensor) -> Tensor:
        """Sums the inputs: every weight is one (of a norm, its own channel's only)."""
        return self.apply(x, ops.ones_like(self.kernel))

    def squared(self, x: Tensor) -> Tensor:
        """Sums the inputs by their squared weights."""
        return self.apply(x, ops.square(self.weights()))

    def bounded(self, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Sums contributions above the minimum possible, `x w - l w+ - h w-`."""
        kernel = self.weights()
        minimum = self.apply(low, ops.relu(kernel)) - self.apply(
            high, ops.relu(-kernel)
        )
        return self.total(x) - minimum

    def weights(self) -> Tensor:
        """Returns the kernel with the batch norm folded in."""
        if self.scale is None:
            return self.kernel
        if self.kind.startswith("Depthwise"):
            return self.kernel * ops.reshape(self.scale, self.kernel.shape[-2:])
        return self.kernel * self.scale


def kernel_of(layer: keras.Layer) -> Tensor:
    """Reads a layer's kernel; of a separable convolution, that of both its parts.

    w_{jck} = sum_m d_{jcm} p_{(cm)k}, for the depthwise kernel d and the pointwise p.
    """
    if not type(layer).__name__.startswith("Separable"):
        return read_variable(layer.kernel)
    deep = read_variable(layer.depthwise_kernel)
    point = read_variable(layer.pointwise_kernel)
    point = ops.reshape(point, (*deep.shape[-2:], point.shape[-1]))
    return ops.einsum("...cm,cmk->...ck", deep, point)


def scale_and_shift(layer: keras.Layer) -> tuple[Tensor, Tensor]:
    """Writes a batch norm as it is in inference, `z = scale x + shift`."""
    scale = ops.rsqrt(read_variable(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * read_variable(layer.gamma)
    shift = -read_variable(layer.moving_mean) * scale
    if layer.center:
        shift = shift + read_variable(layer.beta)
    return scale, shift


def read_variable(variable: Any) -> Tensor:
    """Reads a variable in the working precision, whatever the layer computes in."""
    return ops.cast(ops.convert_to_tensor(variable), working_precision())


def check_axis(layer: keras.Layer, rank: int) -> None:
    """Refuses a norm that does not work on the last axis."""
    if layer.axis not in (-1, rank - 1):
        raise ValueError(
            f"The norm {layer.name!r} works on axis {layer.axis}. Expected the "
            f"last axis, the channels. Received: axis={layer.axis}"
        )
