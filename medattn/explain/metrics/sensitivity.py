"""Does a map stay the same when the image hardly changes?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from medattn.explain.metrics.numeric import is_integer, nan_unless, norm, safe_ratio


def max_sensitivity(
    explain: Callable[[np.ndarray], Any],
    images: np.ndarray,
    *,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
) -> np.ndarray:
    """Measures the largest change of a map under small noise on the image.

    `max_d |R(x + d) - R(x)| / |R(x)|` over uniform noise d in [-radius, radius], with
    the Euclidean norm |.|. The same noise is used for every image.

    Args:
        explain: A function from images to maps.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        radius: Largest change of a pixel.
        samples: Number of noise samples; more can only increase the result.
        seed: Seed of the noise.

    Returns:
        Ratios >= 0, `(batch,)`; NaN where there is no relevance.

    Reference:
        [Yeh et al., 2019](https://arxiv.org/abs/1901.09392), definition 3, estimated
        by sampling as there, and divided by |R(x)|.
    """
    if not radius > 0 or not is_integer(samples) or samples < 1:
        raise ValueError(
            "There would be no noise. Expected radius > 0 and samples of one or "
            f"more. Received: radius={radius!r}, samples={samples!r}"
        )
    images = np.asarray(images, np.float32)
    rng = np.random.default_rng(seed)
    original = np.asarray(explain(images), np.float64)
    length = norm(original)
    largest = np.zeros(len(images))
    for _ in range(samples):
        noise = rng.uniform(-radius, radius, images.shape[1:]).astype(np.float32)
        noisy = np.asarray(explain(images + noise), np.float64)
        largest = np.maximum(largest, norm(noisy - original))
    return nan_unless(length > 0, safe_ratio(largest, length))
