"""Cards, readers, regimes and the tf.data pipeline."""

from medattn.data.augment import STUDY, Augmentation
from medattn.data.cache import cache_folder
from medattn.data.cards import CARDS, DatasetCard
from medattn.data.dataset import Dataset, find_card, list_datasets
from medattn.data.domain_distance import find_domain
from medattn.data.images import fit_image, read_image
from medattn.data.load import load_dataset
from medattn.data.synthetic.dataset import draw_images

__all__ = [
    "CARDS",
    "STUDY",
    "Augmentation",
    "Dataset",
    "DatasetCard",
    "cache_folder",
    "draw_images",
    "find_card",
    "find_domain",
    "fit_image",
    "list_datasets",
    "load_dataset",
    "read_image",
]
