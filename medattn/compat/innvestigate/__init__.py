"""iNNvestigate 2.1's names: `from medattn.compat import innvestigate`, and go on.

Called by these names, an analyzer has iNNvestigate's defaults (the bias of alpha-beta
in both sums, noise of one in smoothgrad, left sums in integrated gradients, a batch
norm as a layer of its own); called by `medattn.create_analyzer` it has the papers'.
What differs still is listed in `docs/innvestigate.md`.

Reference:
    [Alber et al., 2019](https://jmlr.org/papers/v20/18-540.html).
"""

from medattn.compat.innvestigate import analyzer, tools, utils
from medattn.compat.innvestigate.analyzer import (
    NotAnalyzeableModelException,
    create_analyzer,
)
from medattn.compat.innvestigate.models import (
    model_wo_output_activation,
    model_wo_softmax,
)

__all__ = [
    "NotAnalyzeableModelException",
    "analyzer",
    "create_analyzer",
    "model_wo_output_activation",
    "model_wo_softmax",
    "tools",
    "utils",
]
