"""iNNvestigate's analyzers by name and by class, run by medattn."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from medattn.compat.innvestigate.lrp import RuleLRP
from medattn.compat.innvestigate.models import has_lambda, has_softmax
from medattn.compat.innvestigate.rules import alpha_beta
from medattn.explain.api import ANALYZERS
from medattn.explain.lrp import rules

REQUIRED: Any = ...  # stands for an option without a default
MODES = ("max_activation", "index", "all")
RULE_OPTIONS = {
    "input_layer_rule": None,
    "until_layer_idx": None,
    "until_layer_rule": None,
    "bn_layer_fuse_mode": "one_linear",
}
Options = dict[str, Any]


class NotAnalyzeableModelException(ValueError):
    """The analyzer does not do this model."""


class AnalyzerBase:
    """An analyzer in iNNvestigate's form.

    Args:
        model: A functional or Sequential `keras.Model` with one output.
        neuron_selection_mode: `"max_activation"`, `"index"`, or `"all"`: the sum of all
            outputs.
        disable_model_checks: Whether a softmax or a Lambda layer is no error; a softmax
            at the end is explained then, not what goes into it.
        allow_lambda_layers: Whether a Lambda layer is no error.
        **options: The analyzer's own; see its `defaults`.

    Raises:
        NotAnalyzeableModelException: If the analyzer does not do this model.
        ValueError: If an option cannot be used.
        TypeError: If an option is unknown.
    """

    defaults: ClassVar[Mapping[str, Any]] = {}
    native: ClassVar[type] = RuleLRP
    checks: ClassVar[bool] = True  # whether a softmax is an error

    def __init__(
        self,
        model: keras.Model,
        neuron_selection_mode: str = "max_activation",
        disable_model_checks: bool = False,
        allow_lambda_layers: bool = False,
        **options: Any,
    ):
        if neuron_selection_mode not in MODES:
            raise ValueError(
                f"Unknown neuron selection mode. Expected one of {MODES}. "
                f"Received: neuron_selection_mode={neuron_selection_mode!r}"
            )
        unknown = sorted(set(options) - set(self.defaults))
        if unknown:
            raise TypeError(
                f"Unknown options. Expected some of {sorted(self.defaults)}. "
                f"Received: {unknown}"
            )
        options = dict(self.defaults) | options
        missing = sorted(key for key, value in options.items() if value is REQUIRED)
        if missing:
            raise ValueError(f"Options are missing. Expected {missing}. Received: none")
        if len(model.outputs) != 1:
            raise ValueError(
                "One output can be explained. Expected a model with one. "
                f"Received: {len(model.outputs)}"
            )
        if self.checks and not disable_model_checks:
            _check(model, allow_lambda_layers)
        self.neuron_selection_mode = neuron_selection_mode
        options = self.translated(options)
        try:
            self.medattn = self.native(
                _flat(model, neuron_selection_mode == "all"),
                "max_activation" if neuron_selection_mode != "index" else "index",
                softmax="after",
                **options,
            )
        except ValueError as error:
            if "ReLU" not in str(error) and "no LRP rule" not in str(error):
                raise
            raise NotAnalyzeableModelException(str(error)) from error

    def translated(self, options: Options) -> Options:
        """Turns iNNvestigate's options into those of medattn's analyzer."""
        return options

    def create_analyzer_model(self) -> None:
        """Does nothing: an analyzer is ready when it is made."""

    def analyze(
        self, X: Any, neuron_selection: Any = None
    ) -> np.ndarray | list[np.ndarray]:
        """Explains a batch.

        Args:
            X: An array `(batch, ...)`, or a list of one for each input.
            neuron_selection: With mode `"index"`, one integer or one a sample.

        Raises:
            ValueError: If a neuron is given in another mode, or none in this.
        """
        by_index = self.neuron_selection_mode == "index"
        if by_index != (neuron_selection is not None):
            raise ValueError(
                "The selection does not fit the mode. Expected neuron_selection with "
                "the mode 'index', and with no other. Received: "
                f"{neuron_selection!r} with {self.neuron_selection_mode!r}"
            )
        chosen: Any = None
        if by_index:
            neurons = np.asarray(neuron_selection).flatten().astype(int)
            chosen = int(neurons[0]) if neurons.size == 1 else neurons
        found: np.ndarray | list[np.ndarray] = self.medattn.analyze(X, chosen)
        return found


def _check(model: keras.Model, allow_lambda_layers: bool) -> None:
    """Refuses what iNNvestigate refuses."""
    if has_softmax(model):
        raise NotAnalyzeableModelException(
            "This analysis method does not support softmax layers. Expected "
            "innvestigate.model_wo_softmax(model). Received: a model with a softmax"
        )
    if has_lambda(model) and not allow_lambda_layers:
        raise NotAnalyzeableModelException(
            "Lambda layers are not allowed. Expected allow_lambda_layers=True, or a "
            "model without them. Received: a model with one"
        )


def _flat(model: keras.Model, total: bool) -> keras.Model:
    """Gives a model one row of outputs, or their sum."""
    output = model.outputs[0]
    if len(output.shape) > 2:
        output = keras.layers.Flatten()(output)
    if total:
        output = ops.sum(output, axis=-1, keepdims=True)
    if output is model.outputs[0]:
        return model
    return keras.Model(model.inputs, output)


class LRP(AnalyzerBase):
    """LRP with rules that are named, see `RuleLRP`."""

    defaults = RULE_OPTIONS | {"rule": None, "bn_layer_rule": None}


def _named(*own: str, **defaults: Any) -> dict[str, Any]:
    """Returns the attributes of an analyzer that medattn has, too."""
    name, *rest = own
    return {
        "native": ANALYZERS[name],
        "defaults": defaults,
        "checks": "unchecked" not in rest,
    }


def _fixed(rule: Any, **more: Any) -> dict[str, Any]:
    """Returns the attributes of an LRP analyzer with one rule, for norms too."""

    def translated(self: LRP, options: Options) -> Options:
        return options | {"rule": rule, "bn_layer_rule": rule}

    return {"defaults": RULE_OPTIONS | more, "translated": translated}


def _epsilon(self: LRP, options: Options) -> Options:
    epsilon, bias = options.pop("epsilon"), options.pop("bias")
    if epsilon <= 0:
        raise ValueError(
            "The stabiliser must be positive. Expected epsilon > 0. "
            f"Received: epsilon={epsilon!r}"
        )

    def rule(layer: Any, x: Any, probe: Any) -> list[rules.Term]:
        return rules.epsilon(layer, x, probe, epsilon=epsilon, bias=bias)

    return options | {"rule": rule, "bn_layer_rule": rule}


def _alpha_beta(self: LRP, options: Options) -> Options:
    alpha, beta, bias = (options.pop(key) for key in ("alpha", "beta", "bias"))
    if alpha is None and beta is None:
        raise ValueError(
            "Alpha and beta are missing. Expected alpha, beta or both. Received: none"
        )
    alpha = beta + 1 if alpha is None else alpha
    beta = alpha - 1 if beta is None else beta
    if alpha < 1 or abs(alpha - beta - 1) > 1e-6:
        raise ValueError(
            "Alpha and beta would not keep the relevance. Expected alpha >= 1 and "
            f"alpha - beta = 1. Received: alpha={alpha!r}, beta={beta!r}"
        )
    rule = alpha_beta(alpha, beta, bias)
    return options | {"rule": rule, "bn_layer_rule": rule}


def _preset(convolutions: str, **fixed: Any) -> dict[str, Any]:
    """Returns the attributes of a sequential preset."""

    def translated(self: LRP, options: Options) -> Options:
        epsilon = options.pop("epsilon")

        def dense(layer: Any, x: Any, probe: Any) -> list[rules.Term]:
            return rules.epsilon(layer, x, probe, epsilon=epsilon)

        by_kind: list[tuple[Callable[[Any], bool], Any]] = [
            (lambda layer: isinstance(layer, keras.layers.Dense), dense),
            (lambda layer: hasattr(layer, "kernel_size"), convolutions),
        ]
        return options | {"rule": by_kind} | fixed

    own = {"epsilon": 0.1, "bn_layer_rule": "AlphaBetaX2m100"}
    kept = {key: value for key, value in RULE_OPTIONS.items() if key not in fixed}
    return {"defaults": kept | own, "translated": translated}


POSTPROCESS = {"postprocess": None}
INTEGRATED = {"steps": 64, "reference_inputs": 0.0, "rule": "left"}
SMOOTH = {"augment_by_n": 64, "noise_scale": 1.0, "seed": None}
BIASED: dict[str, Any] = {"epsilon": 1e-7, "bias": True}
FLAT: dict[str, Any] = {"input_layer_rule": "Flat"}
FREE = {"alpha": None, "beta": None, "bias": True}

# From the name to the class's name and what it is made of.
_SPECIFIED: dict[str, tuple[str, dict[str, Any]]] = {
    "input": ("Input", _named("input", "unchecked")),
    "random": ("Random", _named("random", "unchecked", stddev=1.0, seed=None)),
    "gradient": ("Gradient", _named("gradient", **POSTPROCESS)),
    "gradient.baseline": ("BaselineGradient", _named("gradient", **POSTPROCESS)),
    "input_t_gradient": (
        "InputTimesGradient",
        _named("input_t_gradient", **POSTPROCESS),
    ),
    "deconvnet": ("Deconvnet", _named("deconvnet")),
    "guided_backprop": ("GuidedBackprop", _named("guided_backprop")),
    "integrated_gradients": (
        "IntegratedGradients",
        _named("integrated_gradients", **INTEGRATED, **POSTPROCESS),
    ),
    "smoothgrad": ("SmoothGrad", _named("smoothgrad", **SMOOTH, **POSTPROCESS)),
    "lrp": ("LRP", {}),
    "lrp.z": ("LRPZ", _fixed("Z")),
    "lrp.epsilon": (
        "LRPEpsilon",
        {"defaults": RULE_OPTIONS | BIASED, "translated": _epsilon},
    ),
    "lrp.w_square": ("LRPWSquare", _fixed("WSquare")),
    "lrp.flat": ("LRPFlat", _fixed("Flat")),
    "lrp.alpha_beta": (
        "LRPAlphaBeta",
        {"defaults": RULE_OPTIONS | FREE, "translated": _alpha_beta},
    ),
    "lrp.alpha_2_beta_1": ("LRPAlpha2Beta1", _fixed("Alpha2Beta1")),
    "lrp.alpha_2_beta_1_IB": (
        "LRPAlpha2Beta1IgnoreBias",
        _fixed("Alpha2Beta1IgnoreBias"),
    ),
    "lrp.alpha_1_beta_0": ("LRPAlpha1Beta0", _fixed("Alpha1Beta0")),
    "lrp.alpha_1_beta_0_IB": (
        "LRPAlpha1Beta0IgnoreBias",
        _fixed("Alpha1Beta0IgnoreBias"),
    ),
    "lrp.z_plus": ("LRPZPlus", _fixed("ZPlus")),
    "lrp.z_plus_fast": ("LRPZPlusFast", _fixed("ZPlusFast")),
    "lrp.sequential_preset_a": ("LRPSequentialPresetA", _preset("Alpha1Beta0")),
    "lrp.sequential_preset_b": ("LRPSequentialPresetB", _preset("Alpha2Beta1")),
    "lrp.sequential_preset_a_flat": (
        "LRPSequentialPresetAFlat",
        _preset("Alpha1Beta0", **FLAT),
    ),
    "lrp.sequential_preset_b_flat": (
        "LRPSequentialPresetBFlat",
        _preset("Alpha2Beta1", **FLAT),
    ),
    "lrp.sequential_preset_b_flat_until_idx": (
        "LRPSequentialPresetBFlatUntilIdx",
        _preset("Alpha2Beta1", **FLAT, until_layer_rule="Flat"),
    ),
    "deep_taylor": ("DeepTaylor", _named("deep_taylor")),
    "deep_taylor.bounded": (
        "BoundedDeepTaylor",
        _named("deep_taylor.bounded", low=REQUIRED, high=REQUIRED),
    ),
}

analyzers: dict[str, type[AnalyzerBase]] = {
    name: LRP
    if name == "lrp"
    else type(title, (LRP if name.startswith("lrp") else AnalyzerBase,), made)
    for name, (title, made) in _SPECIFIED.items()
}


def create_analyzer(name: str, model: keras.Model, **kwargs: Any) -> AnalyzerBase:
    """Builds an analyzer by iNNvestigate's name, with iNNvestigate's defaults.

    Args:
        name: One of `analyzers`.
        model: A functional or Sequential `keras.Model`.
        **kwargs: See `AnalyzerBase`.

    Raises:
        KeyError: If there is no analyzer of this name.
        NotAnalyzeableModelException: If the analyzer does not do this model.
    """
    if name not in analyzers:
        raise KeyError(
            f"No analyzer has this name. Expected one of {list(analyzers)}. "
            f"Received: {name!r}"
        )
    return analyzers[name](model, **kwargs)


def __getattr__(name: str) -> Any:
    """Finds an analyzer by its class's name, as `innvestigate.analyzer.LRPZ`."""
    for made in analyzers.values():
        if made.__name__ == name:
            return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
