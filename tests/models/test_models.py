"""Backbones: counts worked by hand, names, and weights on disk."""

import keras
import numpy as np
import pytest

from medattn.models import create_model, list_models, load_weights, save_weights

# The study's published table: torchvision's trunk 23,508,032, a head of 2048 x 2 + 2;
# SE adds C * C / 8 a gate, CBAM's biases and its 7 x 7 gate a little more.
PUBLISHED = {
    "densenet121": 7_054_210,
    "se_densenet121": 7_357_314,
    "cbam_densenet121": 7_360_706,
    "resnet50": 23_512_130,
    "se_resnet50": 26_027_074,
    "cbam_resnet50": 26_044_722,
}


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("name", PUBLISHED)
def test_convolutional_networks_have_the_published_number_of_parameters(name):
    assert trainable(create_model(name)) == PUBLISHED[name]


def test_the_published_counts_are_those_of_the_studys_table():
    from medattn.study.analyse.results import read_reference

    rows = {row["model"]: row for row in read_reference("published_parameters")}
    table = {name: int(row["trainable_parameters"]) for name, row in rows.items()}
    assert table == PUBLISHED | {"deit_tiny": 5_524_802 - 38_016}


def test_deit_without_its_embeddings_has_the_published_number_of_parameters():
    """The study's tool left out the class token and the positions: 198 x 192."""
    model = create_model("deit_tiny")
    assert trainable(model) == 5_524_802
    left_out = sum(
        int(np.prod(weight.shape))
        for weight in model.trainable_weights
        if weight.path.startswith(("cls_token", "pos_embed"))
    )
    assert left_out == 38_016
    assert trainable(model) - left_out == 5_486_786


def test_the_list_is_the_seven_networks_of_the_study_and_their_micro_versions():
    micro = [name for name in list_models() if "micro" in name]
    assert len(list_models()) == 14 and len(micro) == 7
    assert set(list_models()) - set(micro) == {*PUBLISHED, "deit_tiny"}


def test_attention_follows_each_dense_block_and_is_in_each_bottleneck():
    names = [layer.name for layer in create_model("se_densenet121").layers]
    gates = [index for index, name in enumerate(names) if name.endswith("_se")]
    assert [names[index] for index in gates] == [f"conv{k}_se" for k in (2, 3, 4, 5)]
    assert [names[index - 1] for index in gates] == [
        "conv2_block6_concat",
        "conv3_block12_concat",
        "conv4_block24_concat",
        "conv5_block16_concat",
    ]
    names = [layer.name for layer in create_model("cbam_resnet50").layers]
    assert sum(name.endswith("_cbam") for name in names) == 16


def test_a_densenet_may_average_instead_of_flattening():
    model = create_model("densenet121", pooling="avg")
    assert trainable(model) == 6_953_856 + 2 * 1024 + 2
    with pytest.raises(ValueError, match="'avg' or 'flatten'"):
        create_model("densenet121", pooling="max")


def test_patches_that_do_not_fill_the_image_are_refused():
    with pytest.raises(ValueError, match="multiples of patch=16"):
        create_model("deit_tiny", input_shape=(225, 224, 3))


@pytest.mark.parametrize("name", ["micro_deit", "cbam_micro_densenet"])
def test_a_saved_model_loads_and_gives_the_same_logits(tmp_path, name):
    model = create_model(name)
    images = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in list_models() if "micro" in n])
def test_micro_networks_give_logits_and_are_small(name):
    model = create_model(name)
    images = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    assert model(images).shape == (2, 2)
    assert trainable(model) < 50_000
    assert model.name == name
    activations = [
        getattr(part, "activation", None) for part in model._flatten_layers()
    ]
    fused = [
        part.name
        for part, activation in zip(model._flatten_layers(), activations, strict=True)
        if activation not in (None, keras.activations.linear)
        and not isinstance(part, keras.layers.Activation)
    ]
    assert fused == []  # activations are separate layers
    assert model.layers[-1].activation is keras.activations.linear  # logits


def test_attention_is_the_only_difference_between_the_trunks():
    for trunk in ("micro_resnet", "micro_densenet"):
        plain = {w.path: w.shape for w in create_model(trunk).weights}
        for block in ("se", "cbam"):
            other = {w.path: w.shape for w in create_model(f"{block}_{trunk}").weights}
            mark = f"_{block}/"
            assert {p: s for p, s in other.items() if mark not in p} == plain
            assert len(other) > len(plain)


def test_the_first_layer_normalises_pixels():
    model = create_model("micro_resnet")
    layer = model.layers[1]
    image = np.full((1, 64, 64, 3), [0.485, 0.456, 0.406], np.float32)
    np.testing.assert_allclose(layer(image), 0, atol=1e-6)


def test_layer_names_are_those_of_keras_applications():
    theirs = {layer.name for layer in keras.applications.ResNet50(weights=None).layers}
    ours = {layer.name for layer in create_model("resnet50").layers}
    # The network here pads before each strided 3 x 3, and normalises inside.
    extra = {name for name in ours - theirs if not name.endswith("_pad")}
    assert extra == {"image", "normalise"}
    theirs = keras.applications.DenseNet121(weights=None).layers
    theirs = {layer.name for layer in theirs}
    ours = {layer.name for layer in create_model("densenet121", pooling="avg").layers}
    extra = {name for name in ours - theirs if not name.endswith("_pad")}
    assert extra == {"image", "normalise"}


def test_an_unknown_model_is_refused_with_the_list():
    with pytest.raises(ValueError, match="micro_resnet.*Received: name='resnet'"):
        create_model("resnet")


def test_weights_are_saved_and_loaded(tmp_path):
    model, other = create_model("se_micro_resnet"), create_model("se_micro_resnet")
    save_weights(model, tmp_path / "w.safetensors")
    load_weights(other, tmp_path / "w.safetensors")
    for one, two in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(
            one.numpy().astype(np.float16).astype(np.float32), two.numpy()
        )
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.parametrize("damage", ["truncated", "other model", "missing", "rubbish"])
def test_bad_weights_are_refused_and_nothing_is_loaded(tmp_path, damage):
    model = create_model("micro_resnet")
    before = [weight.numpy().copy() for weight in model.weights]
    path = tmp_path / "w.safetensors"
    save_weights(
        create_model("se_micro_resnet" if damage == "other model" else "micro_resnet"),
        path,
    )
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "rubbish":
        path.write_bytes(b"\xff" * 1000)
    elif damage == "missing":
        path.unlink()
    with pytest.raises(ValueError, match="weights"):
        load_weights(model, path)
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)


@pytest.mark.slow
def test_densenet121_gives_the_logits_of_keras_applications():
    """One topology, the same weights by layer name, the same logits."""
    theirs = keras.applications.DenseNet121(
        weights=None, input_shape=(64, 64, 3), classes=10, classifier_activation=None
    )
    ours = create_model(
        "densenet121", num_classes=10, input_shape=(64, 64, 3), pooling="avg"
    )
    rng = np.random.default_rng(0)
    for layer in theirs.layers:
        weights = layer.get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            weights = [rng.uniform(0.5, 1.5, w.shape) for w in weights]
        if weights:
            layer.set_weights(weights)
            ours.get_layer(layer.name).set_weights(weights)
    images = rng.random((2, 64, 64, 3)).astype(np.float32)
    normal = np.asarray(ours.get_layer("normalise")(images))
    expected = np.asarray(theirs(normal))
    scale = np.abs(expected).max()
    assert expected.std() > 1e-2 * scale
    np.testing.assert_allclose(ours(images), expected, atol=1e-4 * scale)


@pytest.mark.slow
def test_resnet50_gives_the_logits_of_keras_applications_if_the_stride_is_moved():
    """Theirs strides in the 1 x 1, ours (as torchvision's) in the 3 x 3.

    Otherwise the same weights give other logits, so their weights do not fit here.
    """
    theirs = keras.applications.ResNet50(
        weights=None, input_shape=(64, 64, 3), classes=10, classifier_activation=None
    )
    ours = create_model("resnet50", num_classes=10, input_shape=(64, 64, 3))

    def move(layer):
        config = layer.get_config()
        if layer.name.endswith("_block1_2_pad"):
            config["padding"] = 0
        if layer.name.endswith("_block1_2_conv"):
            config |= {"strides": 1, "padding": "same"}
        if layer.name.endswith("_block1_1_conv") and "conv2" not in layer.name:
            config["strides"] = 2
        return type(layer).from_config(config)

    moved = keras.models.clone_model(ours, clone_function=move)
    rng = np.random.default_rng(0)
    for layer in theirs.layers:
        weights = layer.get_weights()  # the biases of their convolutions are zero
        if isinstance(layer, keras.layers.BatchNormalization):
            weights = [rng.uniform(0.5, 1.5, w.shape) for w in weights]
            layer.set_weights(weights)
        for model in (ours, moved):
            if weights:
                same = model.get_layer(layer.name)
                same.set_weights(weights[: len(same.weights)])
    images = rng.random((2, 64, 64, 3)).astype(np.float32)
    expected = np.asarray(theirs(np.asarray(ours.get_layer("normalise")(images))))
    scale = np.abs(expected).max()
    assert expected.std() > 1e-2 * scale
    np.testing.assert_allclose(moved(images), expected, atol=1e-4 * scale)
    assert np.abs(np.asarray(ours(images)) - expected).max() > 1e-2 * scale
