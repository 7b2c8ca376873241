"""The names of Keras's layers and operations, grouped by what they do.

Each is the class name of a layer or operation. An activation that belongs to another
layer has the name `"Activation"`.
"""

# Nothing but a training matter: in an explanation their output is their input.
INFERENCE_IDENTITIES = (
    "ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise "
    "Identity SpatialDropout1D SpatialDropout2D SpatialDropout3D"
).split()

NORMALISERS = ("Normalization", "Rescaling")
NORMS = ("GroupNormalization", "LayerNormalization", "RMSNormalization")
PRODUCTS = ("Dot", "Einsum", "Matmul", "Multiply")
QUOTIENTS = ("Divide", "TrueDivide")

# What makes a gate: its values lie in [0, 1].
GATES = ("HardSigmoid", "Sigmoid", "Softmax")
GATE_ACTIVATIONS = ("hard_sigmoid", "sigmoid", "softmax")

NONLINEARITIES = (
    "Activation Celu Elu ELU Erf Exp Gelu GLU HardShrink HardSigmoid HardSilu HardTanh "
    "LeakyRelu LeakyReLU LogSigmoid PReLU Relu ReLU Relu6 Selu Sigmoid Silu "
    "SoftShrink Softplus Softsign Sqrt Square Swish Tanh TanhShrink Threshold"
).split()
# Activations with f(0) = 0.
ZERO_AT_ZERO = ("elu", "gelu", "leaky_relu", "selu", "silu", "swish", "tanh")

# Linear without a constant, or a maximum that passes one of its entries on.
PASSTHROUGH = (
    "AveragePooling1D AveragePooling2D AveragePooling3D BroadcastTo Cast Copy "
    "Cropping1D Cropping2D Cropping3D ExpandDims Flatten Flip GetItem "
    "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
    "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Max "
    "MaxPooling1D MaxPooling2D MaxPooling3D Mean Moveaxis Negative Pad Permute "
    "Repeat RepeatVector Reshape Resize Roll Split Squeeze Sum Swapaxes Tile "
    "Transpose Unstack UpSampling1D UpSampling2D UpSampling3D "
    "ZeroPadding1D ZeroPadding2D ZeroPadding3D"
).split()
ADD_OR_CONCAT = "Add Average Concatenate Maximum Minimum Stack Subtract Where".split()
# Those of the two lists above that mix entries, so that each contributes a part: the
# first by the beginning of their names.
MIXING_PREFIXES = ("Average", "GlobalAverage", "Mean", "Negative", "Sum")
MIXING_SUMS = ("Add", "Average", "Subtract")

GLOBAL_MAX_POOLINGS = ("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D")
MAX_POOLINGS = ("MaxPooling1D", "MaxPooling2D", "MaxPooling3D")
PADDING_PREFIXES = ("Pad", "ZeroPadding")
# Operations that move or pad pixels and leave them pixels.
PADDINGS = ("Cropping2D", "Flatten", "Pad", "Reshape", "ZeroPadding1D", "ZeroPadding2D")
# Operations that read a tensor's shape and none of its entries.
SHAPE_READERS = ("OnesLike", "Shape", "ZerosLike")
# What makes of gates another gate, and of non-negative tensors another one.
GATE_PRESERVING = (
    "AveragePooling1D AveragePooling2D AveragePooling3D BroadcastTo Concatenate "
    "ExpandDims Flatten GetItem GlobalAveragePooling1D GlobalAveragePooling2D "
    "GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
    "Max MaxPooling1D MaxPooling2D MaxPooling3D Mean Multiply Permute Repeat "
    "RepeatVector Reshape Resize Split Squeeze Stack Sum Tile Transpose Unstack "
    "UpSampling1D UpSampling2D UpSampling3D"
).split()

# All that stays in one piece when a model is opened, apart from linear layers.
ATOMIC = frozenset(
    (
        *PASSTHROUGH,
        *ADD_OR_CONCAT,
        *NONLINEARITIES,
        *PRODUCTS,
        *QUOTIENTS,
        *NORMALISERS,
        *NORMS,
        "Softmax",
    )
)
