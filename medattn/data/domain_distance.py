"""How far an image lies from those that a network was trained on: a simple measure."""

from functools import lru_cache

import numpy as np

from medattn.data.synthetic.dataset import draw_images

COARSE = 8  # fields along each side of the small picture
SHAPES = 12  # principal shapes that are kept of it
FITTED, HELD_OUT = 200, 100  # drawings


class Domain:
    """A cloud of images, and the distance of another image from its middle.

    An image is told by 19 numbers: how much it has of the 12 principal shapes of the
    cloud's images, seen as 8 x 8 fields in colour; the log of what these shapes leave
    over; and the log of its fine structure (mean absolute second difference) in each
    colour along rows and columns. With their mean m and covariance C over the cloud

        distance(x) = sqrt((z(x) - m)^T C^-1 (z(x) - m) / 19),

    which is about 1 for an image of the cloud. Beyond `limit`, the largest distance of
    images that were held out, an image looks like nothing in the cloud. The measure
    sees colour, layout and sharpness, and no objects: an image that shares these with
    the cloud passes, whatever it shows.

    Args:
        images: `(n, size, size, 3)`, in [0, 1], n > 19.
        held_out: Further images of the same kind, which set the limit.

    Reference: Mahalanobis, 1936, On the generalised distance in statistics.
    """

    def __init__(self, images, held_out):
        images = np.asarray(images, np.float32)
        if len(images) <= 2 * SHAPES + 7:
            raise ValueError(
                "A domain needs more images than it has numbers. Expected more than "
                f"{2 * SHAPES + 7}. Received: {len(images)}"
            )
        coarse = _coarse(images)
        self._middle = coarse.mean(axis=0)
        *_, shapes = np.linalg.svd(coarse - self._middle, full_matrices=False)
        self._shapes = shapes[:SHAPES]
        told = self._tell(images)
        self._mean = told.mean(axis=0)
        spread = np.cov(told.T) + 1e-6 * np.eye(told.shape[1])
        self._precision = np.linalg.inv(spread)
        self.limit = float(self.distance(held_out).max())

    def distance(self, images):
        """Measures images.

        Args:
            images: `(n, size, size, 3)`, in [0, 1], of the cloud's size.

        Returns:
            `(n,)`; about 1 inside the cloud.
        """
        away = self._tell(np.asarray(images, np.float32)) - self._mean
        squares = np.einsum("ij,jk,ik->i", away, self._precision, away)
        return np.sqrt(squares / away.shape[1])

    def holds(self, image):
        """Whether one image, `(size, size, 3)`, lies within the limit."""
        return bool(self.distance(image[None])[0] <= self.limit)

    def _tell(self, images):
        """Tells each image by 19 numbers, `(n, 19)`."""
        coarse = _coarse(images) - self._middle
        amounts = coarse @ self._shapes.T
        left = np.sqrt(np.mean((coarse - amounts @ self._shapes) ** 2, axis=1))
        rows = images[:, 1:-1] - (images[:, 2:] + images[:, :-2]) / 2
        columns = images[:, :, 1:-1] - (images[:, :, 2:] + images[:, :, :-2]) / 2
        fine = [np.abs(change).mean(axis=(1, 2)) for change in (rows, columns)]
        logs = np.log(np.concatenate([left[:, None], *fine], axis=1) + 1e-3)
        return np.concatenate([amounts, logs], axis=1).astype(np.float64)


@lru_cache(maxsize=8)
def find_domain(name, *, size=64):
    """Measures the domain of a drawn data set, on first use: a few seconds.

    Args:
        name: `"fundus"`, `"dermoscopy"` or `"chest"`.
        size: Height and width of the images in pixels, a multiple of 8.

    Returns:
        A `Domain` of its first 200 training images; the first 100 validation images
        set the limit.
    """
    if size % COARSE:
        raise ValueError(
            f"The size does not fall into {COARSE} fields. Expected a multiple of "
            f"{COARSE}. Received: size={size}"
        )
    training, held_out = (
        draw_images(name, range(count), split=split, size=size)["image"]
        / np.float32(255)
        for split, count in (("train", FITTED), ("validation", HELD_OUT))
    )
    return Domain(training, held_out)


def _coarse(images):
    count, size, _, channels = images.shape
    field = size // COARSE
    fields = images.reshape(count, COARSE, field, COARSE, field, channels)
    return fields.mean(axis=(2, 4)).reshape(count, -1)
