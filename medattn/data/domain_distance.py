"""How far an image is from the training images, by a simple Mahalanobis distance."""

from functools import lru_cache

import numpy as np

from medattn.data.synthetic.dataset import draw_images

COARSE = 8  # height and width to which images are averaged
COMPONENTS = 12  # principal components of the averaged images
FITTED, HELD_OUT = 200, 100  # images


class Domain:
    """The distribution of training images, and the distance of an image from its mean.

    An image has 19 features z: the scores of its first 12 principal components, after
    averaging to 8 x 8 pixels in colour; the log of the residual of these components;
    and the log of the mean absolute second difference in each colour along rows and
    columns. With mean m and covariance C of the features of the training images

        distance(x) = sqrt((z(x) - m)^T C^-1 (z(x) - m) / 19),

    the Mahalanobis distance, scaled to be about 1 for training images. `limit` is the
    largest distance of the held-out images; an image beyond it is out of the domain.
    The features measure colour, layout and sharpness, and no objects: an image that
    shares these with the training images passes, whatever it shows.

    Args:
        images: `(n, size, size, 3)`, in [0, 1], n > 19.
        held_out: Further images of the same kind, which set the limit.

    Reference: Mahalanobis, 1936, On the generalised distance in statistics.
    """

    def __init__(self, images: np.ndarray, held_out: np.ndarray) -> None:
        images = np.asarray(images, np.float32)
        if len(images) <= 2 * COMPONENTS + 7:
            raise ValueError(
                "A domain needs more images than it has features. Expected more than "
                f"{2 * COMPONENTS + 7}. Received: {len(images)}"
            )
        coarse = _average(images)
        self._coarse_mean = coarse.mean(axis=0)
        *_, components = np.linalg.svd(coarse - self._coarse_mean, full_matrices=False)
        self._components = components[:COMPONENTS]
        features = self._features(images)
        self._mean = features.mean(axis=0)
        covariance = np.cov(features.T) + 1e-6 * np.eye(features.shape[1])
        self._precision = np.linalg.inv(covariance)
        self.limit = float(self.distance(held_out).max())

    def distance(self, images: np.ndarray) -> np.ndarray:
        """Measures the distance of images.

        Args:
            images: `(n, size, size, 3)`, in [0, 1], of the training images' size.

        Returns:
            `(n,)`; about 1 for images like the training images.
        """
        centred = self._features(np.asarray(images, np.float32)) - self._mean
        squares = np.einsum("ij,jk,ik->i", centred, self._precision, centred)
        return np.sqrt(squares / centred.shape[1])

    def holds(self, image: np.ndarray) -> bool:
        """Whether one image, `(size, size, 3)`, lies within the limit."""
        return bool(self.distance(image[None])[0] <= self.limit)

    def _features(self, images: np.ndarray) -> np.ndarray:
        """Returns the 19 features of each image, `(n, 19)`."""
        coarse = _average(images) - self._coarse_mean
        scores = coarse @ self._components.T
        residual = np.sqrt(np.mean((coarse - scores @ self._components) ** 2, axis=1))
        rows = images[:, 1:-1] - (images[:, 2:] + images[:, :-2]) / 2
        columns = images[:, :, 1:-1] - (images[:, :, 2:] + images[:, :, :-2]) / 2
        fine = [np.abs(change).mean(axis=(1, 2)) for change in (rows, columns)]
        logs = np.log(np.concatenate([residual[:, None], *fine], axis=1) + 1e-3)
        return np.concatenate([scores, logs], axis=1).astype(np.float64)


@lru_cache(maxsize=8)
def find_domain(name: str, *, size: int = 64) -> Domain:
    """Fits the domain of a synthetic data set, on first use: a few seconds.

    Args:
        name: `"fundus"`, `"dermoscopy"` or `"chest"`.
        size: Height and width of the images in pixels, a multiple of 8.

    Returns:
        A `Domain` of its first 200 training images; the first 100 validation images
        set the limit.
    """
    if size % COARSE:
        raise ValueError(
            f"The size cannot be averaged to {COARSE} pixels. Expected a multiple of "
            f"{COARSE}. Received: size={size}"
        )
    training, held_out = (
        draw_images(name, range(count), split=split, size=size)["image"]
        / np.float32(255)
        for split, count in (("train", FITTED), ("validation", HELD_OUT))
    )
    return Domain(training, held_out)


def _average(images: np.ndarray) -> np.ndarray:
    """Averages images to 8 x 8 pixels, `(n, 8 * 8 * channels)`."""
    count, size, _, channels = images.shape
    field = size // COARSE
    fields = images.reshape(count, COARSE, field, COARSE, field, channels)
    return fields.mean(axis=(2, 4)).reshape(count, -1)
