"""What synthetic domains share: presets, planted artefacts, the dict they return."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

PRESETS = ("easy", "standard", "hard", "xor")
SIZES = (32, 512)


def check_options(
    size: int, preset: str, shortcut: float | None, presets: Sequence[str] = PRESETS
) -> None:
    """Refuses options that no synthetic image can have."""
    if not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(
            f"Synthetic images are {SIZES[0]} to {SIZES[1]} pixels wide. "
            f"Received: size={size}"
        )
    if preset not in presets:
        raise ValueError(
            f"Unknown preset {preset!r}. Expected one of {list(presets)}. "
            f"Received: preset={preset!r}"
        )
    if not (shortcut is None or (isinstance(shortcut, Real) and -1 <= shortcut <= 1)):
        raise ValueError(
            "A shortcut is the correlation of the artefact with the label. Expected "
            f"-1 <= shortcut <= 1, or None for no artefact. Received: {shortcut}"
        )


def sample_artefact(
    rng: np.random.Generator,
    label: int,
    shortcut: float | None,
    natural: float = 0.0,
) -> bool:
    """Samples whether an image has the artefact.

    P(artefact | label) = (1 + rho) / 2 for label 1 and (1 - rho) / 2 for label 0, which
    with classes of equal size makes the correlation exactly rho.

    Args:
        rng: A generator used for nothing else, so that the image does not change.
        label: 0 or 1.
        shortcut: rho in [-1, 1], or None for `natural`.
        natural: Probability of the artefact in images of either class.
    """
    uniform = rng.random()
    if shortcut is None:
        return uniform < natural
    return uniform < (1 + shortcut * (2 * label - 1)) / 2


def stack(samples: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Stacks the sampled parameters of many images into arrays.

    Images are computed in float64: processors differ in the last bit of a sine, and in
    float32 that changes a few pixels in a million, in float64 none that was ever seen.
    """
    return {key: np.array([one[key] for one in samples]) for key in samples[0]}


def compose(
    image: np.ndarray,
    twin: np.ndarray,
    plain: np.ndarray,
    owners: Mapping[str, np.ndarray],
    distractor: np.ndarray,
    p: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Puts a rendered batch into the dict that all domains return.

    Args:
        image: As seen, `(n, size, size, 3)`, uint8.
        twin: The same without its evidence.
        plain: The same as `image` without its planted artefact.
        owners: Dict from the kind of evidence to where it was painted,
            `(n, size, size)`, bool. A pixel may have several.
        distractor: Where distractors were painted, bool.
        p: All sampled parameters; `label` among them.
    """
    evidence = _differ(image, twin)
    kinds = np.zeros(evidence.shape, np.uint8)
    for bit, where in enumerate(owners.values()):
        kinds |= (where & evidence).astype(np.uint8) << bit
    return dict(
        image=image,
        twin=twin,
        evidence=evidence,
        kinds=kinds,
        artefact=_differ(image, plain),
        distractor=distractor,
        label=p["label"].astype(np.int64),
        params={key: value for key, value in p.items() if key != "noise"},
    )


def _differ(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns where any of the three colours differs."""
    if image is other:
        return np.zeros(image.shape[:-1], bool)
    differs = image != other
    return differs[..., 0] | differs[..., 1] | differs[..., 2]


def evidence_by_kind(
    images: Mapping[str, Any], names: Iterable[str]
) -> dict[str, np.ndarray]:
    """Splits the evidence by kind.

    Args:
        images: What a domain's `render` returned.
        names: Its `EVIDENCE`.

    Returns:
        A dict from name to mask, `(n, size, size)`, bool; their union is the evidence.
    """
    kinds = images["kinds"]
    return {name: (kinds >> bit & 1).astype(bool) for bit, name in enumerate(names)}


def in_chunks(
    render_chunk: Callable[[list[int]], dict[str, Any]],
    indices: Iterable[int],
    pixels: int,
) -> dict[str, Any]:
    """Renders a few images at a time, so that the arrays in use fit the CPU's cache.

    Args:
        render_chunk: A function from indices to the dict of `compose`.
        indices: All images wanted.
        pixels: Fine pixels of one image.
    """
    indices, step = list(indices), max(1, 2**16 // pixels)
    return _concatenate(
        [render_chunk(indices[i : i + step]) for i in range(0, len(indices), step)]
    )


def _concatenate(chunks: list[Any]) -> Any:
    if isinstance(chunks[0], dict):
        return {key: _concatenate([one[key] for one in chunks]) for key in chunks[0]}
    return np.concatenate(chunks)


def select(p: Mapping[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Selects the parameters of some images."""
    return {key: value[chosen] for key, value in p.items()}
