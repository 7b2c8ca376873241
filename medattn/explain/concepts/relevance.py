"""Concept relevance propagation: the relevance of channels, and a map of each.

R(x | c) is the relevance of the pixels that goes through channel c of a layer: of the
relevance that arrives at the layer's output, only channel c's is passed on. The sum
over all channels, with what goes past the layer, is the whole map.

Reference:
    [Achtibat et al., 2023](https://doi.org/10.1038/s42256-023-00711-8).
"""

from typing import Any, NamedTuple, Protocol

import numpy as np


class Concepts(NamedTuple):
    """The channels of a layer that mattered most.

    Attributes:
        relevance: Of every channel, `(batch, channels)`, in logits.
        channels: Those of the largest absolute relevance first, `(batch, top)`.
        maps: The relevance that goes through each of these, `(batch, top, height,
            width, channels of the image)`.
        rest: The relevance that goes past the layer, same shape as the images.
        examples: For each of these channels the numbers of the reference images on
            which it is most relevant, `(batch, top, k)`; None without such.
    """

    relevance: np.ndarray
    channels: np.ndarray
    maps: np.ndarray
    rest: np.ndarray
    examples: np.ndarray | None


class Conditional(Protocol):
    """Relevance split at one layer; what an analyzer gives to this room."""

    def at_layer(self, images: np.ndarray, neurons: np.ndarray) -> Any:
        """Returns the upstream relevance of a layer's output, and of its channels."""
        ...

    def through(self, images: np.ndarray, upstream: np.ndarray) -> np.ndarray:
        """Passes some upstream relevance on to the pixels."""
        ...

    def past(self, images: np.ndarray, neurons: np.ndarray) -> np.ndarray:
        """Returns the relevance of the pixels that goes past the layer."""
        ...


def explain_concepts(
    conditional: Conditional,
    images: np.ndarray,
    neurons: np.ndarray,
    *,
    top: int,
    references: np.ndarray | None,
    examples: int,
) -> Concepts:
    """Finds the most relevant channels, a map of each, and its reference images.

    Args:
        conditional: Splits relevance at the layer.
        images: `(batch, height, width, channels)`.
        neurons: The explained logits, `(batch,)`.
        top: How many channels.
        references: Their relevance on other images, `(references, channels)`.
        examples: How many of these.

    Raises:
        ValueError: If there are fewer channels or reference images than asked for.
    """
    upstream, relevance = conditional.at_layer(images, neurons)
    count = relevance.shape[1]
    if not 1 <= top <= count:
        raise ValueError(
            f"Unusable number of channels. Expected top from 1 to {count}. "
            f"Received: top={top!r}"
        )
    channels = np.argsort(-np.abs(relevance), axis=1, kind="stable")[:, :top]
    one_hot = np.eye(count, dtype=upstream.dtype)
    maps = []
    for rank in range(top):
        mask = one_hot[channels[:, rank]]
        mask = mask.reshape(len(mask), *[1] * (upstream.ndim - 2), count)
        maps.append(conditional.through(images, upstream * mask))
    found = None
    if references is not None:
        found = relevance_maximisation(references, channels, examples)
    rest = conditional.past(images, neurons)
    return Concepts(relevance, channels, np.stack(maps, 1), rest, found)


def relevance_maximisation(
    references: np.ndarray, channels: np.ndarray, examples: int
) -> np.ndarray:
    """Finds the reference images on which channels are most relevant (RelMax).

    Args:
        references: The relevance of every channel on each, `(references, channels)`.
        channels: Any array of numbers of channels.
        examples: How many images a channel.

    Returns:
        Numbers of reference images, `(*channels.shape, examples)`, the most relevant
        first.

    Raises:
        ValueError: If there are fewer images than asked for.

    Reference:
        [Achtibat et al., 2023](https://doi.org/10.1038/s42256-023-00711-8), section
        "Selecting reference examples": the sum of a channel's relevance.
    """
    references = np.asarray(references)
    if references.ndim != 2 or not 1 <= examples <= len(references):
        raise ValueError(
            "There are too few reference images. Expected relevance of the shape "
            f"(references, channels), and examples from 1 to their number. Received: "
            f"{references.shape}, and examples={examples!r}"
        )
    order = np.argsort(-references, axis=0, kind="stable")[:examples]
    return np.moveaxis(order[:, channels], 0, -1)
