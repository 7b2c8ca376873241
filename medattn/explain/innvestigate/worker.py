"""Runs iNNvestigate in its own process: networks and images in, maps out.

Started by its path, `python -P worker.py`, so that neither medattn nor Keras 3 is
imported where TensorFlow runs as it did in version 1. A message is eight bytes of
length and an npz of arrays, one of which is a header in JSON; nothing is pickled. The
process ends when its pipe closes, whatever it is doing.
"""

import io
import json
import os
import queue
import signal
import struct
import threading
import time
from collections.abc import Mapping
from typing import IO, Any, TypeAlias

import numpy as np

Header: TypeAlias = dict[str, Any]  # what JSON can hold
Message: TypeAlias = tuple[Header, dict[str, np.ndarray]]


def send(
    stream: IO[bytes], header: Header, arrays: Mapping[str, Any] | None = None
) -> None:
    """Writes one message.

    Args:
        stream: A binary file.
        header: What the arrays are for.
        arrays: Arrays by name.
    """
    body = io.BytesIO()
    content = {"header": np.array(json.dumps(header)), **(arrays or {})}
    np.savez(body, **content)
    stream.write(struct.pack("<Q", body.tell()))
    stream.write(body.getvalue())
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Reads one message; returns its header and arrays, or None at the end."""
    length = stream.read(8)
    if len(length) < 8:
        return None
    body = stream.read(*struct.unpack("<Q", length))
    with np.load(io.BytesIO(body), allow_pickle=False) as content:
        arrays = {key: content[key] for key in content.files}
    return json.loads(str(arrays.pop("header"))), arrays


def serve() -> None:
    """Answers requests until the caller has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # printed text must not get between the replies
    inbox: queue.Queue[Message] = queue.Queue()
    for task in (lambda: _listen(requests, inbox), lambda: _watch(os.getppid())):
        threading.Thread(target=task, daemon=True).start()
    import tensorflow as tf

    tf.compat.v1.disable_eager_execution()
    import innvestigate

    send(replies, {"ready": getattr(innvestigate, "__version__", "")})
    networks: dict[int, _Network] = {}
    while True:
        header, arrays = inbox.get()
        for number in header["forget"]:
            networks.pop(number, None)
        try:
            if header["do"] == "build":
                networks[header["number"]] = _Network(header, arrays)
                answer = {}
            else:
                answer = networks[header["number"]].analyze(arrays)
        except Exception as error:  # of the library: sent to the caller, which raises
            send(replies, {"error": f"{type(error).__name__}: {error}"})
        else:
            send(replies, {}, answer)


class _Network:
    """One network and one analyzer, in a TensorFlow graph of their own."""

    def __init__(self, header: Header, arrays: Mapping[str, np.ndarray]) -> None:
        import innvestigate
        import tensorflow as tf

        self.graph = tf.Graph()
        self.session = tf.compat.v1.Session(graph=self.graph)
        with self.graph.as_default(), self.session.as_default():
            model = rebuild(header, arrays)
            options = {
                key: _decoded(value, arrays) for key, value in header["options"].items()
            }
            self.analyzer = innvestigate.create_analyzer(
                header["analyzer"],
                model,
                neuron_selection_mode=header["mode"],
                **options,
            )
            self.analyzer.create_analyzer_model()

    def analyze(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Computes the map of the images `x`, for the neurons if they are given."""
        with self.graph.as_default(), self.session.as_default():
            neurons = [arrays["neurons"]] if "neurons" in arrays else []
            return {"map": np.asarray(self.analyzer.analyze(arrays["x"], *neurons))}


def rebuild(header: Header, arrays: Mapping[str, np.ndarray]) -> Any:
    """Builds a tf_keras model from the layers in a header.

    Args:
        header: With `shape`, that of an image; `layers`, dicts of `kind`, `config`,
            `sources` (numbers of earlier layers, 0 is the image) and `weights`
            (keys of arrays); and `output`, the number of the last layer.
        arrays: The weights.
    """
    import tensorflow as tf

    kinds = tf.keras.layers
    outputs = [kinds.Input(tuple(header["shape"]))]
    weighted = []
    for spec in header["layers"]:
        config = {key: _decoded(value, arrays) for key, value in spec["config"].items()}
        layer = getattr(kinds, spec["kind"])(**config)
        sources = [outputs[number] for number in spec["sources"]]
        outputs.append(layer(sources if len(sources) > 1 else sources[0]))
        if spec["weights"]:
            weighted.append((layer, [arrays[key] for key in spec["weights"]]))
    model = tf.keras.Model(outputs[0], outputs[header["output"]])
    for layer, weights in weighted:
        layer.set_weights(weights)
    return model


def _decoded(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Turns a list back into a tuple, and the name of an array into the array."""
    if isinstance(value, dict):
        return arrays[value["array"]]
    return tuple(value) if isinstance(value, list) else value


def _listen(requests: IO[bytes], inbox: "queue.Queue[Message]") -> None:
    while message := receive(requests):
        inbox.put(message)
    os._exit(0)  # even while a graph is built, which takes minutes


def _watch(parent: int) -> None:
    """Ends the process when the caller has ended and another child holds the pipe."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    serve()
