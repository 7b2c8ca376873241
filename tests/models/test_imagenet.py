"""weights="imagenet" on local files with the published names, and without a network."""

import functools
import hashlib
import http.server
import socket
import threading
import time

import keras
import numpy as np
import published
import pytest

from medattn.models import create_model, imagenet, list_models, load_pretrained
from medattn.models.imagenet import SOURCES, imagenet_file

# Weights at both ends of each trunk: name in the file -> name in the model.
PROBES = {
    "resnet50": {
        "conv1.weight": "conv1_conv/kernel",
        "layer1.0.downsample.1.running_var": "conv2_block1_0_bn/moving_variance",
        "layer4.2.conv3.weight": "conv5_block3_3_conv/kernel",
        "layer3.5.bn2.bias": "conv4_block6_2_bn/beta",
    },
    "densenet121": {
        "conv1/conv/kernel:0": "conv1_conv/kernel",
        "conv1/bn/gamma:0": "conv1_bn/gamma",
        "conv5_block16_2_conv/kernel:0": "conv5_block16_2_conv/kernel",
        "pool4_bn/moving_mean:0": "pool4_bn/moving_mean",
        "bn/beta:0": "bn/beta",
    },
    "deit_tiny": {
        "cls_token": "cls_token/token",
        "pos_embed": "pos_embed/position",
        "blocks.11.mlp.fc2.weight": "blocks_11_mlp_fc2/kernel",
        "blocks.0.attn.qkv.bias": "blocks_0_attn/key/bias",
        "norm.weight": "norm/gamma",
    },
}
SEVEN = [name for name in list_models() if "micro" not in name]


@pytest.fixture(autouse=True)
def online(monkeypatch):
    """The app's tests may have run in this process, and the app stays offline."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def transposed(array, name):
    """One of torch's arrays as Keras keeps it, worked out anew."""
    if name == "blocks.0.attn.qkv.bias":
        return array[192:384]
    if name.endswith(".weight") and array.ndim == 2:
        return np.swapaxes(array, 0, 1)
    if name.endswith(".weight") and array.ndim == 4:
        return np.moveaxis(array, (0, 1), (3, 2))
    return array


def write(trunk, path):
    if trunk == "densenet121":
        return published.write_keras(path, published.densenet121())
    return published.write_safetensors(path, getattr(published, trunk)())


def digest(path, kind):
    return f"{kind}:{hashlib.new(kind, path.read_bytes()).hexdigest()}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a file for each trunk, and the arrays in it."""
    folder = tmp_path_factory.mktemp("weights")
    return folder, {t: write(t, folder / SOURCES[t].file) for t in SOURCES}


@pytest.fixture
def user_files(folder, monkeypatch):
    """The files in the folder of the user, with their own digests expected."""
    path, written = folder
    monkeypatch.setenv("MEDATTN_WEIGHTS", str(path))
    for trunk, source in SOURCES.items():
        kind = source.digest.partition(":")[0]
        known = source._replace(digest=digest(path / source.file, kind))
        monkeypatch.setitem(SOURCES, trunk, known)
    return written


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """Empty caches, an empty folder, and sockets that cannot connect."""
    from huggingface_hub import constants

    def refuse(*args, **kwargs):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("MEDATTN_WEIGHTS", str(tmp_path / "user"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = functools.partial(keras.utils.get_file, cache_dir=str(tmp_path / "keras"))
    monkeypatch.setattr(keras.utils, "get_file", cached)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVEN)
def test_imagenet_weights_load_into_each_of_the_seven(user_files, name):
    """The head has two classes, not 1000: it keeps its initial weights, as gates do."""
    trunk = next(trunk for trunk in SOURCES if name.endswith(trunk))
    model = create_model(name, weights="imagenet")
    arrays = {weight.path: weight.numpy() for weight in model.weights}
    for name_there, path in PROBES[trunk].items():
        expected = transposed(user_files[trunk][name_there], name_there)
        np.testing.assert_array_equal(arrays[path], expected, err_msg=path)
    # The files hold numbers in [0.01, 0.1]; initial weights are outside this range.
    mark = "_attn/" if trunk == "deit_tiny" else f"_{name.split('_')[0]}/"
    for path, array in arrays.items():
        loaded = array.min() >= 0.01 and array.max() <= 0.1
        kept = path.startswith(("predictions/", "head/"))
        kept |= mark in path and trunk != "deit_tiny"
        assert loaded != kept or path.startswith("normalise"), path
    assert sum(f"_{name.split('_')[0]}/" in p for p in arrays) > 0 or name == trunk


@pytest.mark.slow
def test_a_thousand_classes_load_the_head_too(user_files):
    for name, head in (("resnet50", "fc"), ("deit_tiny", "head")):
        model = create_model(name, num_classes=1000, weights="imagenet")
        found = model.layers[-1].kernel.numpy()
        np.testing.assert_array_equal(found, user_files[name][f"{head}.weight"].T)
    model = create_model(
        "densenet121", num_classes=1000, pooling="avg", weights="imagenet"
    )
    expected = user_files["densenet121"]["fc1000/kernel:0"]
    np.testing.assert_array_equal(model.layers[-1].kernel.numpy(), expected)


@pytest.mark.slow
def test_a_file_written_by_this_keras_gives_the_same_logits(tmp_path):
    from keras.src.legacy.saving import legacy_h5_format

    published.RNG = np.random.default_rng(1)
    theirs = keras.applications.DenseNet121(
        weights=None, input_shape=(64, 64, 3), classifier_activation=None
    )
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([10 * published.numbers(w.shape) for w in layer.weights])
    import h5py

    with h5py.File(tmp_path / "d.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    ours = create_model(
        "densenet121",
        num_classes=1000,
        input_shape=(64, 64, 3),
        pooling="avg",
        weights=tmp_path / "d.h5",
    )
    images = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    expected = np.asarray(theirs(np.asarray(ours.get_layer("normalise")(images))))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(ours(images), expected, atol=1e-4 * scale)


@pytest.mark.parametrize("name", [n for n in list_models() if "micro" in n])
def test_micro_networks_have_no_imagenet_weights(name):
    with pytest.raises(ValueError, match="There are no published.*Expected a network"):
        create_model(name, weights="imagenet")


@pytest.mark.parametrize("name", SEVEN)
def test_without_a_network_one_sentence_names_the_file_and_the_folder(
    name, no_network, tmp_path
):
    trunk = next(trunk for trunk in SOURCES if name.endswith(trunk))
    start = time.perf_counter()
    with pytest.raises(OSError) as caught:
        create_model(name, weights="imagenet")
    assert time.perf_counter() - start < 10
    message = str(caught.value)
    assert f"download {SOURCES[trunk].page}" in message and "\n" not in message
    assert str(tmp_path / "user" / SOURCES[trunk].file) in message
    assert "MEDATTN_WEIGHTS" in message and "unreachable" in message


@pytest.mark.parametrize("trunk", SOURCES)
@pytest.mark.parametrize("damage", ["truncated", "another"])
def test_a_file_that_is_not_the_published_one_is_refused(
    folder, trunk, damage, monkeypatch, tmp_path
):
    monkeypatch.setenv("MEDATTN_WEIGHTS", str(tmp_path))
    content = (folder[0] / SOURCES[trunk].file).read_bytes()
    path = tmp_path / SOURCES[trunk].file
    path.write_bytes(content[:-100] if damage == "truncated" else content)
    with pytest.raises(ValueError, match="not the published one, or incomplete"):
        create_model(trunk, weights="imagenet")


def test_a_damaged_keras_file_is_refused_and_nothing_is_loaded(folder, tmp_path):
    model = create_model("micro_densenet")
    before = [weight.numpy().copy() for weight in model.weights]
    content = (folder[0] / SOURCES["densenet121"].file).read_bytes()
    for damaged, message in (
        (content[: len(content) // 2], "is damaged. Expected a complete HDF5 file"),
        (b"rubbish", "is damaged"),
        (content, "has another shape"),
    ):
        (tmp_path / "d.h5").write_bytes(damaged)
        with pytest.raises(ValueError, match=message):
            load_pretrained(model, tmp_path / "d.h5")
        for weight, old in zip(model.weights, before, strict=True):
            np.testing.assert_array_equal(weight.numpy(), old)
    with pytest.raises(ValueError, match="There is no weights file"):
        load_pretrained(model, tmp_path / "none.h5")


def test_keras_files_of_other_networks_are_refused(folder):
    """The ResNet-50 of keras.applications strides elsewhere under the same names."""
    path = folder[0] / SOURCES["densenet121"].file
    with pytest.raises(ValueError, match="only the DenseNets compute the same"):
        load_pretrained(create_model("micro_resnet"), path)


@pytest.fixture
def hub(folder, monkeypatch, tmp_path):
    """A small hub and Keras store on this machine, which lists its requests."""
    from huggingface_hub import constants

    path, _ = folder
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            requests.append(f"{self.command} {self.path}")
            trunk = next(t for t, s in SOURCES.items() if s.file.split(".")[0] in
                         self.path)  # fmt: skip
            content = (path / SOURCES[trunk].file).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", str(SOURCES[trunk].revision))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    here = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr(constants, "ENDPOINT", here.rstrip("/"))
    template = here + "{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("MEDATTN_WEIGHTS", str(tmp_path / "user"))
    cached = functools.partial(keras.utils.get_file, cache_dir=str(tmp_path / "keras"))
    monkeypatch.setattr(keras.utils, "get_file", cached)
    for trunk, source in SOURCES.items():
        kind = source.digest.partition(":")[0]
        url = source.url.replace("https://huggingface.co/", here)
        url = url.replace(imagenet.KERAS, here)
        monkeypatch.setitem(
            SOURCES,
            trunk,
            source._replace(url=url, digest=digest(path / source.file, kind)),
        )
    yield requests
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("trunk", SOURCES)
def test_a_fetched_file_is_checked_and_cached(hub, folder, trunk):
    path = imagenet_file(trunk)
    assert path.read_bytes() == (folder[0] / SOURCES[trunk].file).read_bytes()
    requests = len(hub)
    assert any(request.startswith("GET") for request in hub)
    if SOURCES[trunk].revision:
        assert all(SOURCES[trunk].revision in request for request in hub)
    assert imagenet_file(trunk) == path and len(hub) == requests  # no further request
    content = path.read_bytes()
    path.resolve().write_bytes(content[:-1])  # damages the cache
    if SOURCES[trunk].revision:
        with pytest.raises(ValueError, match="delete it and download it again"):
            imagenet_file(trunk)
    else:  # Keras notices, and downloads it again
        assert imagenet_file(trunk).read_bytes() == content


def test_a_download_that_is_not_the_published_file_is_refused(hub, monkeypatch):
    wrong = SOURCES["deit_tiny"]._replace(digest="sha256:" + 64 * "0")
    monkeypatch.setitem(SOURCES, "deit_tiny", wrong)
    with pytest.raises(ValueError, match="not the published one"):
        imagenet_file("deit_tiny")
    wrong = SOURCES["densenet121"]._replace(digest="md5:" + 32 * "0")
    monkeypatch.setitem(SOURCES, "densenet121", wrong)
    with pytest.raises(OSError, match="could not be fetched.*corrupted"):
        imagenet_file("densenet121")


def test_keras_has_the_same_address_and_hash_for_densenet():
    import inspect

    from keras.src.applications import densenet

    assert densenet.DENSENET121_WEIGHT_PATH == SOURCES["densenet121"].url
    md5 = SOURCES["densenet121"].digest.removeprefix("md5:")
    assert md5 in inspect.getsource(densenet)


def test_create_model_loads_saved_weights(tmp_path):
    from medattn.models import save_weights

    source = create_model("cbam_micro_resnet")
    save_weights(source, tmp_path / "w.safetensors")
    model = create_model("cbam_micro_resnet", weights=tmp_path / "w.safetensors")
    for one, two in zip(source.weights, model.weights, strict=True):
        rounded = one.numpy().astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(rounded, two.numpy())
    with pytest.raises(ValueError, match="There is no weights file"):
        create_model("micro_resnet", weights=tmp_path / "none.safetensors")
