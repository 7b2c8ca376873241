"""The models of the table of what works, each built by one small function.

All weights are random, at a sensible size: what is asked is whether a map adds up, not
what it shows.
"""

from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops
from supported_forms import CLASSES, FORMS, SIDE, Builder

LARGER = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}

APPLICATIONS = (
    "MobileNet MobileNetV2 MobileNetV3Small MobileNetV3Large VGG16 VGG19 ResNet50 "
    "ResNet50V2 DenseNet121 Xception EfficientNetB0 EfficientNetV2B0 ConvNeXtTiny "
    "InceptionV3 ResNet101 ResNet101V2 DenseNet169 EfficientNetB1 EfficientNetB2 "
    "EfficientNetV2B1 EfficientNetV2B2 ConvNeXtSmall DenseNet201 NASNetMobile "
    "ResNet152 ResNet152V2 EfficientNetB3 EfficientNetB4 EfficientNetV2B3 "
    "EfficientNetV2S ConvNeXtBase InceptionResNetV2 EfficientNetB5 EfficientNetV2M "
    "EfficientNetB6 EfficientNetV2L EfficientNetB7 NASNetLarge ConvNeXtLarge "
    "ConvNeXtXLarge"
).split()


def application(name: str) -> keras.Model:
    """A network of keras.applications, on the smallest images that it takes."""
    side = LARGER.get(name, SIDE)
    model: keras.Model = getattr(keras.applications, name)(
        weights=None,
        input_shape=(side, side, 3),
        classes=CLASSES,
        classifier_activation=None,
    )
    return model


def classifier(backbone: keras.Model, features: Any, inputs: Any) -> keras.Model:
    """A head on the features of a backbone: their mean, and a dense layer."""
    axes = tuple(range(1, len(features.shape) - 1))
    pooled = ops.mean(features, axis=axes) if axes else features
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(pooled))


def transformer(name: str, **options: Any) -> keras.Model:
    """A transformer of keras_hub for images, read at its class token or its mean."""
    import keras_hub

    kind = getattr(keras_hub.models, f"{name}Backbone")
    backbone = kind(image_shape=(SIDE, SIDE, 3), **options)
    features = backbone.output
    if name in ("ViT", "DeiT", "DINOV2"):
        features = features[:, 0]
    return classifier(backbone, features, backbone.inputs)


def clip() -> keras.Model:
    """CLIP's image tower."""
    from keras_hub.src.models.clip.clip_vision_encoder import CLIPVisionEncoder

    tower = CLIPVisionEncoder(8, 16, 2, 2, 32, image_shape=(SIDE, SIDE, 3))
    return classifier(tower, tower.output[:, 0], tower.inputs)


def segformer() -> keras.Model:
    """SegFormer, its map averaged."""
    import keras_hub

    encoder = keras_hub.models.MiTBackbone(**MIT, image_shape=(SIDE, SIDE, 3))
    backbone = keras_hub.models.SegFormerBackbone(encoder, projection_filters=8)
    return classifier(backbone, backbone.output, backbone.inputs)


def bert() -> keras.Model:
    """BERT, to be explained at its embedding."""
    import keras_hub

    backbone = keras_hub.models.BertBackbone(60, 2, 2, 16, 32, max_sequence_length=12)
    pooled = backbone.output["pooled_output"]
    return classifier(backbone, pooled, backbone.inputs)


MIT: dict[str, Any] = dict(
    layerwise_depths=[1, 1],
    num_layers=2,
    layerwise_num_heads=[1, 2],
    layerwise_sr_ratios=[2, 1],
    max_drop_path_rate=0.1,
    layerwise_patch_sizes=[7, 3],
    layerwise_strides=[4, 2],
    hidden_dims=[8, 16],
)
RESNET: dict[str, Any] = dict(
    stackwise_num_filters=[64, 64],
    stackwise_num_blocks=[1, 2],
    stackwise_num_strides=[1, 2],
)
MOBILENET: dict[str, Any] = dict(
    stackwise_expansion=[[8], [16, 24]],
    stackwise_num_blocks=[1, 2],
    stackwise_num_filters=[[8], [8, 16]],
    stackwise_kernel_size=[[3], [5, 5]],
    stackwise_num_strides=[[2], [2, 1]],
    stackwise_se_ratio=[[0.25], [None, 0.25]],
    stackwise_activation=[["relu"], ["hard_swish", "hard_swish"]],
    stackwise_padding=[[1], [2, 2]],
    output_num_filters=24,
    depthwise_filters=8,
    depthwise_stride=2,
    depthwise_residual=False,
    last_layer_filter=32,
    squeeze_and_excite=0.5,
)
VIT: dict[str, Any] = dict(patch_size=8, num_layers=2, num_heads=2, hidden_dim=16)
HUB: dict[str, Builder] = {
    "ViT": partial(transformer, "ViT", **VIT, mlp_dim=32),
    "DeiT": partial(transformer, "DeiT", **VIT, intermediate_dim=32),
    "DINOV2": partial(transformer, "DINOV2", **VIT, intermediate_dim=32),
    "SwinTransformer": partial(
        transformer,
        "SwinTransformer",
        embed_dim=8,
        depths=[2, 2],
        num_heads=[1, 2],
        window_size=4,
    ),
    "MiT": partial(transformer, "MiT", **MIT),
    "SegFormer": segformer,
    "CLIP (image tower)": clip,
    "ResNet": partial(
        transformer,
        "ResNet",
        **RESNET,
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        block_type="basic_block",
    ),
    "ResNet-D": partial(
        transformer,
        "ResNet",
        **RESNET,
        input_conv_filters=[8, 8, 64],
        input_conv_kernel_sizes=[3, 3, 3],
        block_type="bottleneck_block_vd",
    ),
    "MobileNet": partial(transformer, "MobileNet", **MOBILENET),
    "DenseNet": partial(
        transformer, "DenseNet", stackwise_num_repeats=[2, 2], growth_rate=4
    ),
    "BERT (at its embedding)": bert,
}
OPTIONS: dict[str, dict[str, Any]] = {  # of an analyzer, for some models
    "BERT (at its embedding)": {"at": "embeddings_layer_norm"},
}


class Entry(NamedTuple):
    """A row of the table.

    Attributes:
        group: The heading that it stands under.
        build: Makes the model.
        options: Of the analyzers; `neuron_selection` is of `analyze`.
    """

    group: str
    build: Builder
    options: dict[str, Any]


OPTIONS |= {
    "words (at their embedding)": {"at": "words"},
    "image and table": {"input": "image"},
    "segmentation (a region)": {"neuron_selection": np.s_[4:12, 2:9, 1]},
}
MODELS: dict[str, Entry] = {
    **{
        f"hub {name}": Entry("keras_hub", build, OPTIONS.get(name, {}))
        for name, build in HUB.items()
    },
    **{name: Entry("forms", b, OPTIONS.get(name, {})) for name, b in FORMS.items()},
    **{
        name: Entry("keras.applications", partial(application, name), {})
        for name in APPLICATIONS
    },
}
