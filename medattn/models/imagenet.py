"""Published ImageNet weights: downloaded, checked and cached."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple


class Source(NamedTuple):
    """Where published weights come from."""

    file: str  # the name of a file that the user puts into `weights_folder()`
    url: str
    page: str
    digest: str
    revision: str | None = None


HUB = "https://huggingface.co/timm/"
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/densenet/"

# The trunk's name -> its weights. Revision and SHA-256 are those of the hub, the MD5
# is the one in keras.applications.
SOURCES = {
    "resnet50": Source(
        file="resnet50.tv_in1k.safetensors",
        url=HUB + "resnet50.tv_in1k/resolve/{revision}/model.safetensors",
        page=HUB + "resnet50.tv_in1k",
        digest="sha256:"
        "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888",
        revision="78f3ecfdb38e06d9b8397f662e7ab8fee96026fa",
    ),
    "densenet121": Source(
        file="densenet121_weights_tf_dim_ordering_tf_kernels.h5",
        url=KERAS + "densenet121_weights_tf_dim_ordering_tf_kernels.h5",
        page=KERAS + "densenet121_weights_tf_dim_ordering_tf_kernels.h5",
        digest="md5:9d60b8095a5708f2dcce2bca79d332c7",
    ),
    "deit_tiny": Source(
        file="deit_tiny_patch16_224.fb_in1k.safetensors",
        url=HUB + "deit_tiny_patch16_224.fb_in1k/resolve/{revision}/model.safetensors",
        page=HUB + "deit_tiny_patch16_224.fb_in1k",
        digest="sha256:"
        "21d4764d94f6c3ffdb6da3581115a0a1ee2d505537d96883b540e54766407c9e",
        revision="80e968688553f219e4a86f940ed945a23709c16f",
    ),
}
TIMEOUT = 10  # seconds to wait for a server


def imagenet_file(name: str) -> Path:
    """Returns a file with the ImageNet weights of a network's trunk, checked.

    A file in `weights_folder()` is used first, then the cache of huggingface_hub or
    Keras, then a download.

    Args:
        name: The name of a network, such as `"cbam_resnet50"`.

    Raises:
        ValueError: If the network has no published weights, or the file is not the
            published one.
        OSError: If the weights are not on this machine and cannot be downloaded; the
            message says which file to download and where to put it.
    """
    trunk = next((trunk for trunk in SOURCES if name.endswith(trunk)), None)
    if trunk is None or "micro" in name:
        raise ValueError(
            f"There are no published ImageNet weights of {name!r}. Expected a network "
            f"with the trunk {sorted(SOURCES)}, or weights=None or a file. "
            "Received: weights='imagenet'"
        )
    source = SOURCES[trunk]
    path = weights_folder() / source.file
    if not path.is_file():
        try:
            path = Path(_fetch_hub(source) if source.revision else _fetch_keras(source))
        except Exception as error:  # each library raises its own kinds of errors
            raise OSError(
                f"The ImageNet weights of {trunk!r} are not on this machine and "
                f"could not be fetched: "
                f"download {source.url.format(revision=source.revision)} "
                f"(see {source.page}) and put it at {path}, or in the folder that "
                "MEDATTN_WEIGHTS names. "
                f"Received: {type(error).__name__}: {_first_line(error)}"
            ) from error
    check_digest(path, source.digest)
    return path


def weights_folder() -> Path:
    """Returns the folder of the user's files: MEDATTN_WEIGHTS or ~/.medattn/weights."""
    return Path(os.environ.get("MEDATTN_WEIGHTS") or "~/.medattn/weights").expanduser()


def check_digest(path: Path, digest: str) -> None:
    """Raises ValueError if a file is not the published one, bit for bit."""
    kind, _, expected = digest.partition(":")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, kind).hexdigest()
    if found != expected:
        raise ValueError(
            f"The file {str(path)!r} is not the published one, or incomplete: "
            f"delete it and download it again. Expected {kind} {expected}. "
            f"Received: {found}"
        )


def _fetch_hub(source: Source) -> str:
    """Returns the file in huggingface_hub's cache; downloads it if it is not there."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download
    from huggingface_hub import try_to_load_from_cache as cached

    repo = source.page.removeprefix("https://huggingface.co/")
    file, revision = "model.safetensors", source.revision
    found = cached(repo, file, revision=revision)
    if isinstance(found, str):
        return found
    # One request first: the download itself would retry for minutes.
    get_hf_file_metadata(
        source.url.format(revision=source.revision), token=False, timeout=TIMEOUT
    )
    return hf_hub_download(
        repo, file, revision=revision, token=False, etag_timeout=TIMEOUT
    )


def _fetch_keras(source: Source) -> str:
    """Returns the file in Keras's cache; downloads it if it is not there."""
    import socket

    import keras

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # get_file takes no timeout
    try:
        kind, _, file_hash = source.digest.partition(":")
        return keras.utils.get_file(
            source.file, source.url, cache_subdir="models", file_hash=file_hash
        )
    finally:
        socket.setdefaulttimeout(before)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0][:200]
