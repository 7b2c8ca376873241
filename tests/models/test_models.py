"""Backbones: counts worked by hand, names, and weights on disk."""

import numpy as np
import pytest

from medattn.models import create_model, list_models, load_weights, save_weights

# The study's published table: torchvision's trunk 23,508,032, a head of 2048 x 2 + 2;
# SE adds C * C / 8 a gate, CBAM's biases and its 7 x 7 gate a little more.
PUBLISHED = {
    "resnet50": 23_512_130,
    "se_resnet50": 26_027_074,
    "cbam_resnet50": 26_044_722,
}


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("name", PUBLISHED)
def test_resnet50_has_the_published_number_of_parameters(name):
    assert trainable(create_model(name)) == PUBLISHED[name]


@pytest.mark.parametrize("name", [n for n in list_models() if "micro" in n])
def test_micro_networks_give_logits_and_are_small(name):
    model = create_model(name)
    images = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    assert model(images).shape == (2, 2)
    assert trainable(model) < 50_000
    assert model.name == name


def test_attention_is_the_only_difference_between_the_trunks():
    plain = {w.path: w.shape for w in create_model("micro_resnet").weights}
    for name, block in (("se_micro_resnet", "_se/"), ("cbam_micro_resnet", "_cbam/")):
        other = {w.path: w.shape for w in create_model(name).weights}
        assert {p: s for p, s in other.items() if block not in p} == plain
        assert len(other) > len(plain)


def test_the_first_layer_normalises_pixels():
    model = create_model("micro_resnet")
    layer = model.layers[1]
    image = np.full((1, 64, 64, 3), [0.485, 0.456, 0.406], np.float32)
    np.testing.assert_allclose(layer(image), 0, atol=1e-6)


def test_layer_names_are_those_of_keras_applications():
    import keras

    theirs = {layer.name for layer in keras.applications.ResNet50(weights=None).layers}
    ours = {layer.name for layer in create_model("resnet50").layers}
    # Ours pads by hand in front of each strided 3 x 3, and normalises inside.
    extra = {name for name in ours - theirs if not name.endswith(("_pad", "_2_pad"))}
    assert extra == {"image", "normalise"}


def test_an_unknown_model_is_answered_with_the_list():
    with pytest.raises(ValueError, match="micro_resnet.*Received: name='resnet'"):
        create_model("resnet")


def test_weights_survive_the_disk(tmp_path):
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
