"""iNNvestigate's helpers: batches of arrays, and pictures of maps."""

from medattn.compat.innvestigate.utils import visualizations
from medattn.compat.innvestigate.utils.sequence import BatchSequence

__all__ = ["BatchSequence", "visualizations"]
