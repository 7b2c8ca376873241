"""iNNvestigate's tools: how a prediction drops as regions are perturbed."""

from medattn.compat.innvestigate.tools import perturbate
from medattn.compat.innvestigate.tools.perturbate import (
    Perturbation,
    PerturbationAnalysis,
)

Perturbate = Perturbation

__all__ = ["Perturbate", "Perturbation", "PerturbationAnalysis", "perturbate"]
