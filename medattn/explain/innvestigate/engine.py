"""The original iNNvestigate behind the same analyzers: engine="innvestigate"."""

import importlib.util
import itertools
import os
import queue
import subprocess
import sys
import tempfile
import threading
import weakref
from pathlib import Path

import numpy as np

from medattn.explain.analyzer import Analyzer
from medattn.explain.innvestigate import worker
from medattn.explain.innvestigate.network import Network, fingerprint

START = 300  # seconds that the process may take to import TensorFlow
OWN = ...  # stands for iNNvestigate's own default

LRP = dict.fromkeys(("input_layer_rule", "until_layer_idx", "until_layer_rule"), OWN)
NORMS = dict.fromkeys(("bn_layer_rule", "bn_layer_fuse_mode"), OWN)
PRESET = LRP | NORMS | {"epsilon": OWN}
FIXED = LRP | {"bn_layer_fuse_mode": OWN}
SLOPE = {"postprocess": OWN}

OPTIONS = {
    "gradient": SLOPE,
    "gradient.baseline": SLOPE,
    "input_t_gradient": SLOPE,
    "integrated_gradients": SLOPE | {"steps": OWN, "reference_inputs": OWN},
    "smoothgrad": SLOPE | {"augment_by_n": OWN, "noise_scale": OWN},
    "deconvnet": {},
    "guided_backprop": {},
    "input": {},
    "random": {"stddev": OWN},
    "lrp": LRP | NORMS | {"rule": OWN},
    "lrp.z": FIXED,
    "lrp.epsilon": FIXED | {"epsilon": OWN, "bias": OWN},
    "lrp.w_square": FIXED,
    "lrp.flat": FIXED,
    "lrp.alpha_beta": FIXED | {"alpha": OWN, "beta": OWN, "bias": OWN},
    "lrp.alpha_2_beta_1": FIXED,
    "lrp.alpha_2_beta_1_IB": FIXED,
    "lrp.alpha_1_beta_0": FIXED,
    "lrp.alpha_1_beta_0_IB": FIXED,
    "lrp.z_plus": FIXED,
    "lrp.z_plus_fast": FIXED,
    "lrp.sequential_preset_a": PRESET,
    "lrp.sequential_preset_b": PRESET,
    "lrp.sequential_preset_a_flat": NORMS | {"epsilon": OWN},
    "lrp.sequential_preset_b_flat": NORMS | {"epsilon": OWN},
    "lrp.sequential_preset_b_flat_until_idx": NORMS
    | {"epsilon": OWN, "until_layer_idx": OWN},
    "deep_taylor": {},
    "deep_taylor.bounded": {"low": 0.0, "high": 1.0},
}


class Innvestigate(Analyzer):
    """An analyzer of iNNvestigate itself, run by its own code in another process.

    The network is told to the process in tf_keras's layers; iNNvestigate's maps come
    back. Networks that it cannot do (gates, attention, large ones) are refused before
    anything starts. All analyzers share one process, which ends with the last of them.

    Args:
        model: A functional or Sequential `keras.Model`.
        neuron_selection_mode: As in `create_analyzer`.
        time_limit: Seconds that building the analyzer, or one map, may take.
        **options: iNNvestigate's own, passed on as they are.

    Raises:
        ValueError: If the packages are missing, or iNNvestigate cannot do the network.
        TimeoutError: If it takes longer than `time_limit`.

    Reference:
        [Alber et al., 2019](https://jmlr.org/papers/v20/18-540.html).
    """

    name = None
    options = {"time_limit": 300.0}

    def prepare(self):
        limit = self.time_limit
        if isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0:
            raise ValueError(
                "Nothing is done in no time. Expected time_limit > 0, in seconds. "
                f"Received: time_limit={limit!r}"
            )
        plain = not self.name.startswith(("lrp", "deep_taylor"))
        self._network = Network(self, inside=plain)
        check_installed()
        self._apart = [] if self._network.inside else self._network.normalisers
        self._worker = None
        self._built()

    def _explain(self, images, neurons):
        held = self._built()
        x = self._network.normalise(images[0]) if self._apart else images[0]
        arrays = {"x": x}
        if self.neuron_selection_mode == "index":
            arrays["neurons"] = np.where(neurons < 0, 0, neurons)
        reply = held.ask(
            {"do": "analyze", "number": self._number}, arrays, self.time_limit
        )
        return [reply["map"].astype(np.float32).reshape(images[0].shape)]

    def _built(self):
        """Returns the process, with the network as it is now built in it."""
        arrays = self._network.arrays()
        mark = fingerprint(arrays)
        current = self._worker is not None and self._worker.alive()
        if current and mark == self._mark:
            return self._worker
        options = {}
        for key in type(self).options:
            value = getattr(self, key)
            if key != "time_limit" and value is not OWN:
                options[key] = self._told(key, value, arrays)
        self._worker = shared_worker()
        self._number = next(NUMBERS)
        weakref.finalize(self, self._worker.forgotten.append, self._number)
        words = {
            "do": "build",
            "number": self._number,
            "analyzer": self.name,
            "mode": self.neuron_selection_mode,
            "options": options,
        }
        self._worker.ask(words | self._network.words, arrays, self.time_limit)
        self._mark = mark
        return self._worker

    def _told(self, key, value, arrays):
        """Turns an option into words; arrays, and bounds of a pixel, travel as such."""
        bounds = key in ("low", "high")
        pair = key == "input_layer_rule" and isinstance(value, tuple | list)
        if (bounds or pair) and self._apart:
            ends = value if pair else [value]
            told = []
            for end in ends:
                array = f"option.{key}.{len(told)}"
                arrays[array] = self._network.normalise(float(end))[0]
                told.append({"array": array})
            if bounds:
                return told[0]
            raise ValueError(
                "iNNvestigate takes one bound for all channels, and this network "
                "normalises its image. Expected deep_taylor.bounded, or a network "
                f"without Normalization. Received: input_layer_rule={value!r}"
            )
        if isinstance(value, np.ndarray | np.generic) and np.ndim(value):
            arrays[f"option.{key}"] = np.asarray(value, np.float32)
            return {"array": f"option.{key}"}
        value = value.item() if isinstance(value, np.generic) else value
        simple = (bool, int, float, str, type(None))
        listed = value if isinstance(value, tuple | list) else [value]
        if not all(isinstance(each, simple) for each in listed):
            raise ValueError(
                "The option cannot be sent to another process. Expected a number, "
                f"text, a list of such, or an array. Received: {key}={value!r}"
            )
        return list(value) if isinstance(value, tuple) else value


INNVESTIGATE_ANALYZERS = {
    name: type(
        "Innvestigate",
        (Innvestigate,),
        {"name": name, "options": Innvestigate.options | own},
    )
    for name, own in OPTIONS.items()
}
NUMBERS = itertools.count()


class Worker:
    """The process, and the talk with it."""

    def __init__(self):
        self.forgotten = []  # numbers of networks that nobody needs any more
        self._lock = threading.Lock()
        self._notes = tempfile.TemporaryFile()
        environment = os.environ | {
            "TF_USE_LEGACY_KERAS": "1",
            "CUDA_VISIBLE_DEVICES": "-1",  # the caller's memory is the caller's
        }
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        self._process = subprocess.Popen(
            # -P: the folder of the file must not shadow other people's modules.
            [sys.executable, "-P", str(Path(worker.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._notes,
            env=environment,
        )
        self._inbox = queue.Queue()
        listening = threading.Thread(
            target=_listen, args=(self._process.stdout, self._inbox), daemon=True
        )
        listening.start()
        self.end = weakref.finalize(
            self, _end, self._process, listening, self._notes
        )  # called at the latest when this process ends
        with self._ended_if_interrupted():
            self._reply(START, "importing TensorFlow")

    @property
    def pid(self):
        return self._process.pid

    def alive(self):
        return self.end.alive and self._process.poll() is None

    def ask(self, words, arrays, limit):
        """Sends a request and waits for the answer.

        Args:
            words: What to do; see `innvestigate_worker.serve`.
            arrays: A dict.
            limit: Seconds.

        Returns:
            A dict of arrays.
        """
        with self._lock, self._ended_if_interrupted():
            forget = [self.forgotten.pop() for _ in range(len(self.forgotten))]
            try:
                worker.send(self._process.stdin, words | {"forget": forget}, arrays)
            except OSError:
                pass  # the reply says why
            return self._reply(limit, words["do"])

    def _reply(self, limit, doing):
        try:
            message = self._inbox.get(timeout=limit)
        except queue.Empty:
            raise TimeoutError(
                f"iNNvestigate took too long ({doing}). Expected an answer within "
                f"time_limit={limit:g} seconds. Received: none, so it was stopped"
            ) from None
        if message is None:
            self._notes.seek(0)
            notes = self._notes.read().decode(errors="replace").strip().splitlines()
            raise ChildProcessError(
                f"iNNvestigate's process ended while {doing}. Expected an answer. "
                f"Received: {notes[-1] if notes else 'nothing'}"
            )
        words, arrays = message
        if "error" in words:
            raise Refusal(
                "iNNvestigate refuses. Expected a network, options and images that "
                f"it can do. Received: {words['error']}"
            )
        return arrays

    def _ended_if_interrupted(self):
        return _Ending(self)


class Refusal(ValueError):
    """What iNNvestigate itself does not want to do."""


class _Ending:
    """Ends the process if a request is left half way, so that no answer comes late."""

    def __init__(self, owner):
        self.owner = owner

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None and not issubclass(kind, Refusal):
            self.owner.end()


def shared_worker():
    """Returns the process that all analyzers use, started if there is none."""
    with _STARTING:
        held = _SHARED() if _SHARED else None
        if held is None or not held.alive():
            held = Worker()
            globals()["_SHARED"] = weakref.ref(held)
        return held


_STARTING = threading.Lock()
_SHARED = None


def check_installed():
    """Says how to install what the engine needs, if it is missing."""
    missing = [
        name
        for name in ("innvestigate", "tf_keras")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ValueError(
            "iNNvestigate is not installed. Expected Python 3.11 (it does not run on "
            "3.12 or later) and, in this project's folder, `uv sync --extra "
            f"innvestigate`. Received: no package {' and no '.join(missing)}"
        )


def _listen(stream, inbox):
    """Hands on what the process answers; None when it has ended."""
    try:
        while message := worker.receive(stream):
            inbox.put(message)
    except (OSError, ValueError):
        pass  # cut off in the middle of an answer
    inbox.put(None)


def _end(process, listening, notes):
    """Ends the process, and leaves neither it nor a pipe behind."""
    try:
        process.stdin.close()
    except OSError:
        pass
    process.kill()
    process.wait()
    listening.join(5)
    process.stdout.close()
    notes.close()
