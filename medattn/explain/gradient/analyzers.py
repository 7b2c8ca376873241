"""The gradient methods and the baselines, by the names of their analyzers."""

from medattn.explain.analyzer import Analyzer
from medattn.explain.gradient.baselines import Input, Random
from medattn.explain.gradient.deconvnet import Deconvnet, GuidedBackprop
from medattn.explain.gradient.gradient import Gradient, InputTimesGradient
from medattn.explain.gradient.integrated_gradients import IntegratedGradients
from medattn.explain.gradient.smoothgrad import SmoothGrad

GRADIENT_ANALYZERS: dict[str, type[Analyzer]] = {
    "gradient": Gradient,
    "input_t_gradient": InputTimesGradient,
    "integrated_gradients": IntegratedGradients,
    "smoothgrad": SmoothGrad,
    "deconvnet": Deconvnet,
    "guided_backprop": GuidedBackprop,
    "input": Input,
    "random": Random,
}
