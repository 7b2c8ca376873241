"""How far an image lies from what a network was trained on."""

from dataclasses import dataclass

from medattn.data import find_domain
from medattn_app.domain.cases import SIZE, Case, cached_per_case
from medattn_app.domain.constants import DATASETS
from medattn_app.domain.texts import Words


@dataclass(frozen=True)
class Distance:
    """How far an image lies from the synthetic images of a data set.

    Attributes:
        dataset: The data set.
        distance: See `medattn.data.domain_distance.Domain`.
        limit: The largest distance of synthetic images that were held out.
    """

    dataset: str
    distance: float
    limit: float

    @property
    def outside(self) -> bool:
        """Whether the image looks like nothing the network has seen."""
        return self.distance > self.limit


@cached_per_case
def measure_distance(case: Case, dataset: str) -> Distance | None:
    """Measures how far an image lies from a data set's synthetic images.

    Args:
        case: A `Case`.
        dataset: A synthetic data set; of any other, nothing is known: None.
    """
    if dataset not in DATASETS:
        return None
    domain = find_domain(dataset, size=SIZE)
    return Distance(dataset, float(domain.distance(case.pixels[None])[0]), domain.limit)


def domain_note(case: Case, dataset: str, words: Words) -> tuple[bool, str]:
    """Says, for a visitor's image, whether it is like what the network has seen.

    Args:
        case: A `Case`.
        dataset: What the network was trained on.
        words: The page's `Words`.

    Returns:
        `(outside, sentence)`, plain text.
    """
    found = measure_distance(case, dataset)
    if found is None:
        return False, words("uploaded.unknown")
    values = dict(distance=f"{found.distance:.1f}", limit=f"{found.limit:.1f}")
    if found.outside:
        return True, words(
            "uploaded.outside", kind=words(f"uploaded.kind.{dataset}"), **values
        )
    return False, words("uploaded.inside", **values)
