"""Linear steps as functions of input and kernel: z = apply(x, kernel) + bias."""

from keras import ops

from medattn.explain.backend import linear_in
from medattn.explain.graph.trace import from_keras
from medattn.explain.precision import working


def dense(layer, x, kernel):
    return ops.matmul(x, kernel)


def einsum(layer, x, kernel):
    return ops.einsum(layer.equation, x, kernel)


def convolution(layer, x, kernel):
    padding = layer.padding
    if padding == "causal":  # Conv1D only: nothing is seen before it happens
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


def depthwise(layer, x, kernel):
    return ops.depthwise_conv(
        x,
        kernel,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def transposed(layer, x, kernel):
    return ops.conv_transpose(
        x,
        kernel,
        strides=list(layer.strides),
        padding=layer.padding,
        output_padding=layer.output_padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def norm(layer, x, kernel):
    """A batch norm on its own: every channel has one weight."""
    return x * kernel


LINEAR = {
    "BatchNormalization": norm,
    "Conv1D": convolution,
    "Conv1DTranspose": transposed,
    "Conv2D": convolution,
    "Conv2DTranspose": transposed,
    "Conv3D": convolution,
    "Conv3DTranspose": transposed,
    "Dense": dense,
    "DepthwiseConv1D": depthwise,
    "DepthwiseConv2D": depthwise,
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


def kind_of(layer):
    """Returns the name of a linear layer of Keras, or None."""
    name = type(layer).__name__
    return name if name in LINEAR and from_keras(layer) else None


class Unit:
    """One linear layer, with the batch norm that follows it folded in.

    Positive contributions are those `x_j w_jk` that are above zero; whatever a rule
    needs is made of them, of the whole sum, and of the bias.

    Args:
        layer: A layer of `LINEAR`.
        batch_norm: The only reader of the layer's output, or None.
        nonnegative: Whether the input is known to have no negative entries.
        first: Whether the input is the image itself.
        fused: Whether the layer brought its own activation.
    """

    def __init__(
        self, layer, batch_norm=None, *, nonnegative=False, first=False, fused=False
    ):
        self.layer = layer
        self.batch_norm = batch_norm
        self.kind = kind_of(layer)
        self.nonnegative = nonnegative
        self.first = first
        self.fused = fused
        self._sum = None
        if self.kind != "BatchNormalization":
            self.kernel = kernel_of(layer)
            has_bias = getattr(layer, "use_bias", None)
            if has_bias is None:  # EinsumDense
                has_bias = getattr(layer, "bias", None) is not None
            self.scale, self.bias = None, value(layer.bias) if has_bias else None
            if batch_norm is not None:
                self.scale, shift = scale_and_shift(batch_norm)
                if has_bias:
                    shift = shift + self.scale * self.bias
                self.bias = shift
        else:
            self.kernel, self.bias = scale_and_shift(layer)
            self.scale = None

    def apply(self, x, kernel):
        return LINEAR[self.kind](self.layer, x, kernel)

    def total(self, x):
        """Sums all contributions, `sum_j x_j w_jk`."""
        if self._sum is None:
            y = self.apply(x, self.kernel)
            self._sum = y if self.scale is None else y * self.scale
        return self._sum

    def output(self, x):
        """Computes what the layer computes, without its activation."""
        y = self.total(x)
        return y if self.bias is None else y + self.bias

    def positive(self, x):
        """Sums the positive contributions, `sum_j max(0, x_j w_jk)`."""
        return self._signed(x, ops.relu)

    def negative(self, x):
        """Sums the negative contributions, `sum_j min(0, x_j w_jk)`.

        Not `total - positive`: rounding would leave crumbs where there are none.
        """
        return self._signed(x, lambda weights: -ops.relu(-weights))

    def _signed(self, x, part):
        """Sums the contributions of one sign.

        Args:
            x: The input.
            part: From the weights to those that have the sign where x is positive.
        """

        def up(x):
            return self.apply(x, part(self.weights()))

        def down(x):  # where x is negative, the others
            return self.apply(x, part(-self.weights()))

        if self.nonnegative:
            return linear_in(up, x)
        return linear_in(up, ops.relu(x)) + linear_in(down, ops.relu(-x))

    def ones(self, x):
        """Counts inputs: every weight is one (for a norm, its own channel only)."""
        return self.apply(x, ops.ones_like(self.kernel))

    def squared(self, x):
        """Weighs inputs by their squared weights."""
        return self.apply(x, ops.square(self.weights()))

    def bounded(self, x, low, high):
        """Sums what each input adds to the least that it could, `x w - l w+ - h w-`."""
        kernel = self.weights()
        least = self.apply(low, ops.relu(kernel)) - self.apply(high, ops.relu(-kernel))
        return self.total(x) - least

    def weights(self):
        """Returns the kernel with the batch norm folded in."""
        if self.scale is None:
            return self.kernel
        if self.kind.startswith("Depthwise"):
            return self.kernel * ops.reshape(self.scale, self.kernel.shape[-2:])
        return self.kernel * self.scale


def kernel_of(layer):
    """Reads a layer's kernel; of a separable convolution, the one that it stands for.

    w_{jck} = sum_m d_{jcm} p_{(cm)k}, for the depthwise kernel d and the pointwise p.
    """
    if not type(layer).__name__.startswith("Separable"):
        return value(layer.kernel)
    deep, point = value(layer.depthwise_kernel), value(layer.pointwise_kernel)
    point = ops.reshape(point, (*deep.shape[-2:], point.shape[-1]))
    return ops.einsum("...cm,cmk->...ck", deep, point)


def scale_and_shift(layer):
    """Writes a batch norm as what it is in inference, `z = scale x + shift`."""
    scale = ops.rsqrt(value(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * value(layer.gamma)
    shift = -value(layer.moving_mean) * scale
    if layer.center:
        shift = shift + value(layer.beta)
    return scale, shift


def value(variable):
    """Reads a variable in the working precision, whatever the layer computes in."""
    return ops.cast(ops.convert_to_tensor(variable), working())


def check_axis(layer, rank):
    """Refuses a norm that does not work on the last axis."""
    if layer.axis not in (-1, rank - 1):
        raise ValueError(
            f"The norm {layer.name!r} works on axis {layer.axis}. Expected the "
            f"last axis, the channels. Received: axis={layer.axis}"
        )
