"""The analyzers of the original iNNvestigate: engine="innvestigate"."""

import importlib.util
import itertools
import weakref
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from medattn.explain.analyzer import Analyzer
from medattn.explain.innvestigate.network import Network, fingerprint
from medattn.explain.innvestigate.process import WorkerProcess, shared_process

DEFAULT: Any = ...  # stands for iNNvestigate's own default

LRP = dict.fromkeys(
    ("input_layer_rule", "until_layer_idx", "until_layer_rule"), DEFAULT
)
BATCH_NORM = dict.fromkeys(("bn_layer_rule", "bn_layer_fuse_mode"), DEFAULT)
PRESET = LRP | BATCH_NORM | {"epsilon": DEFAULT}
FIXED_RULE = LRP | {"bn_layer_fuse_mode": DEFAULT}
GRADIENT = {"postprocess": DEFAULT}

OPTIONS: dict[str, dict[str, Any]] = {
    "gradient": GRADIENT,
    "gradient.baseline": GRADIENT,
    "input_t_gradient": GRADIENT,
    "integrated_gradients": GRADIENT | {"steps": DEFAULT, "reference_inputs": DEFAULT},
    "smoothgrad": GRADIENT | {"augment_by_n": DEFAULT, "noise_scale": DEFAULT},
    "deconvnet": {},
    "guided_backprop": {},
    "input": {},
    "random": {"stddev": DEFAULT},
    "lrp": LRP | BATCH_NORM | {"rule": DEFAULT},
    "lrp.z": FIXED_RULE,
    "lrp.epsilon": FIXED_RULE | {"epsilon": DEFAULT, "bias": DEFAULT},
    "lrp.w_square": FIXED_RULE,
    "lrp.flat": FIXED_RULE,
    "lrp.alpha_beta": FIXED_RULE | {"alpha": DEFAULT, "beta": DEFAULT, "bias": DEFAULT},
    "lrp.alpha_2_beta_1": FIXED_RULE,
    "lrp.alpha_2_beta_1_IB": FIXED_RULE,
    "lrp.alpha_1_beta_0": FIXED_RULE,
    "lrp.alpha_1_beta_0_IB": FIXED_RULE,
    "lrp.z_plus": FIXED_RULE,
    "lrp.z_plus_fast": FIXED_RULE,
    "lrp.sequential_preset_a": PRESET,
    "lrp.sequential_preset_b": PRESET,
    "lrp.sequential_preset_a_flat": BATCH_NORM | {"epsilon": DEFAULT},
    "lrp.sequential_preset_b_flat": BATCH_NORM | {"epsilon": DEFAULT},
    "lrp.sequential_preset_b_flat_until_idx": BATCH_NORM
    | {"epsilon": DEFAULT, "until_layer_idx": DEFAULT},
    "deep_taylor": {},
    "deep_taylor.bounded": {"low": 0.0, "high": 1.0},
}


class Innvestigate(Analyzer):
    """An analyzer of iNNvestigate, run by its own code in another process.

    The process rebuilds the network in tf_keras's layers and returns iNNvestigate's
    maps. Networks that iNNvestigate does not support (gates, attention, large ones) are
    refused before the process starts. All analyzers share one process, which ends with
    the last of them.

    Args:
        model: A functional or Sequential `keras.Model`.
        neuron_selection_mode: See `create_analyzer`.
        time_limit: Seconds that building the analyzer, or one map, may take.
        **options: Options of iNNvestigate, passed on unchanged.

    Raises:
        ValueError: If the packages are missing, or iNNvestigate does not support the
            network.
        TimeoutError: If it takes longer than `time_limit`.

    Reference:
        [Alber et al., 2019](https://jmlr.org/papers/v20/18-540.html).
    """

    name: ClassVar[str]
    options = {"time_limit": 300.0}
    time_limit: float

    def prepare(self) -> None:
        limit: Any = self.time_limit
        if isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0:
            raise ValueError(
                "Unusable time limit. Expected time_limit > 0, in seconds. "
                f"Received: time_limit={limit!r}"
            )
        from_gradients = not self.name.startswith(("lrp", "deep_taylor"))
        self._network = Network(self, inside=from_gradients)
        check_installed()
        # Whether the image is normalised here, before it is sent.
        self._normalised = bool(self._network.normalisers and not self._network.inside)
        self._worker: WorkerProcess | None = None
        self._weights = b""
        self._build()

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        process = self._build()
        x = self._network.normalise(images[0]) if self._normalised else images[0]
        arrays = {"x": x}
        if self.neuron_selection_mode == "index":
            arrays["neurons"] = np.where(neurons < 0, 0, neurons)
        reply = process.request(
            {"do": "analyze", "number": self._number}, arrays, self.time_limit
        )
        return [reply["map"].astype(np.float32).reshape(images[0].shape)]

    def _build(self) -> WorkerProcess:
        """Builds the network with its present weights; returns the process."""
        arrays = self._network.arrays()
        weights = fingerprint(arrays)
        if self._worker is not None and self._worker.alive():
            if weights == self._weights:
                return self._worker
        options = {}
        for key in type(self).options:
            value = getattr(self, key)
            if key != "time_limit" and value is not DEFAULT:
                options[key] = self._encoded(key, value, arrays)
        self._worker = shared_process()
        self._number = next(NUMBERS)
        weakref.finalize(self, self._worker.unused_networks.append, self._number)
        header = {
            "do": "build",
            "number": self._number,
            "analyzer": self.name,
            "mode": self.neuron_selection_mode,
            "options": options,
        }
        self._worker.request(header | self._network.spec, arrays, self.time_limit)
        self._weights = weights
        return self._worker

    def _encoded(self, key: str, value: Any, arrays: dict[str, np.ndarray]) -> Any:
        """Turns an option into JSON; arrays and bounds of a pixel go into `arrays`."""
        bound = key in ("low", "high")
        pair = key == "input_layer_rule" and isinstance(value, tuple | list)
        if (bound or pair) and self._normalised:
            if pair:
                raise ValueError(
                    "iNNvestigate takes one bound for all channels, and this network "
                    "normalises its image. Expected deep_taylor.bounded, or a network "
                    f"without Normalization. Received: input_layer_rule={value!r}"
                )
            name = f"option.{key}.0"
            arrays[name] = self._network.normalise(float(value))[0]
            return {"array": name}
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


INNVESTIGATE_ANALYZERS: dict[str, type[Innvestigate]] = {
    name: type(
        "Innvestigate",
        (Innvestigate,),
        {"name": name, "options": Innvestigate.options | own},
    )
    for name, own in OPTIONS.items()
}
NUMBERS = itertools.count()  # of networks in the process


def check_installed() -> None:
    """Raises ValueError with the command to install what the engine needs."""
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
