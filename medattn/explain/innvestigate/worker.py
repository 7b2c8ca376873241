"""Runs iNNvestigate in a process of its own: networks and images in, maps out.

Started by its path, `python -P worker.py`, so that neither medattn nor
Keras 3 is imported where TensorFlow works as it did in version 1. A message is eight
bytes of length and an npz of arrays, the words among them as JSON; nothing is pickled.
The process ends when the pipe to it closes, whatever it is doing.
"""

import io
import json
import os
import queue
import signal
import struct
import sys
import threading
import time

import numpy as np


def send(stream, words, arrays=None):
    """Writes one message.

    Args:
        stream: A binary file.
        words: What JSON can hold.
        arrays: A dict of numpy arrays.
    """
    body = io.BytesIO()
    np.savez(body, words=np.array(json.dumps(words)), **(arrays or {}))
    stream.write(struct.pack("<Q", body.tell()))
    stream.write(body.getvalue())
    stream.flush()


def receive(stream):
    """Reads one message; returns its words and arrays, or None at the end."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    body = stream.read(*struct.unpack("<Q", head))
    with np.load(io.BytesIO(body), allow_pickle=False) as held:
        arrays = {key: held[key] for key in held.files}
    return json.loads(str(arrays.pop("words"))), arrays


def serve():
    """Answers requests until the caller is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the replies
    inbox = queue.Queue()
    for task in (lambda: _listen(requests, inbox), lambda: _watch(os.getppid())):
        threading.Thread(target=task, daemon=True).start()
    import tensorflow as tf

    tf.compat.v1.disable_eager_execution()
    import innvestigate

    send(replies, {"ready": getattr(innvestigate, "__version__", "")})
    networks = {}
    while True:
        words, arrays = inbox.get()
        for number in words["forget"]:
            networks.pop(number, None)
        try:
            if words["do"] == "build":
                networks[words["number"]] = _Network(words, arrays)
                answer = {}
            else:
                answer = networks[words["number"]].analyze(arrays)
        except Exception as error:  # of the library: told to the caller, who raises
            send(replies, {"error": f"{type(error).__name__}: {error}"})
        else:
            send(replies, {}, answer)


class _Network:
    """One network and one analyzer, in a TensorFlow graph of their own."""

    def __init__(self, words, arrays):
        import innvestigate
        import tensorflow as tf

        self.graph = tf.Graph()
        self.session = tf.compat.v1.Session(graph=self.graph)
        with self.graph.as_default(), self.session.as_default():
            model = rebuild(words, arrays)
            options = {key: _option(o, arrays) for key, o in words["options"].items()}
            self.analyzer = innvestigate.create_analyzer(
                words["analyzer"],
                model,
                neuron_selection_mode=words["mode"],
                **options,
            )
            self.analyzer.create_analyzer_model()

    def analyze(self, arrays):
        with self.graph.as_default(), self.session.as_default():
            chosen = [arrays["neurons"]] if "neurons" in arrays else []
            return {"map": np.asarray(self.analyzer.analyze(arrays["x"], *chosen))}


def rebuild(words, arrays):
    """Makes a tf_keras model of the layers that the words list.

    Args:
        words: With `shape`, that of an image; `layers`, dicts of `kind`, `config`,
            `sources` (numbers of earlier layers, 0 being the image) and `weights`
            (keys of arrays); and `output`, the number of the last.
        arrays: The weights.
    """
    import tensorflow as tf

    kinds = tf.keras.layers
    made = [kinds.Input(tuple(words["shape"]))]
    weighted = []
    for told in words["layers"]:
        config = {key: _option(o, arrays) for key, o in told["config"].items()}
        layer = getattr(kinds, told["kind"])(**config)
        sources = [made[number] for number in told["sources"]]
        made.append(layer(sources if len(sources) > 1 else sources[0]))
        if told["weights"]:
            weighted.append((layer, [arrays[key] for key in told["weights"]]))
    model = tf.keras.Model(made[0], made[words["output"]])
    for layer, weights in weighted:
        layer.set_weights(weights)
    return model


def _option(value, arrays):
    """Turns a list back into a tuple, and the name of an array into the array."""
    if isinstance(value, dict):
        return arrays[value["array"]]
    return tuple(value) if isinstance(value, list) else value


def _listen(requests, inbox):
    while message := receive(requests):
        inbox.put(message)
    os._exit(0)  # even from the middle of a graph that takes minutes to build


def _watch(parent):
    """Ends the process when the caller is gone and another child keeps the pipe."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(serve())
