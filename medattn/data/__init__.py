"""Cards, readers, regimes and the tf.data pipeline."""

from medattn.data.cards import CARDS, DatasetCard
from medattn.data.dataset import (
    Dataset,
    draw_images,
    find_card,
    list_datasets,
    load_dataset,
)
from medattn.data.images import fit_image, read_image

__all__ = [
    "CARDS",
    "Dataset",
    "DatasetCard",
    "draw_images",
    "find_card",
    "fit_image",
    "list_datasets",
    "load_dataset",
    "read_image",
]
