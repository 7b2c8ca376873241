"""What the drawn domains share: presets, planted artefacts, the form of the answer."""

import numpy as np

PRESETS = ("easy", "standard", "hard", "xor")
SIZES = (32, 512)


def checked(size, preset, shortcut, presets=PRESETS):
    """Refuses options that no drawing can have."""
    if not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(
            f"Drawings are {SIZES[0]} to {SIZES[1]} pixels wide. Received: size={size}"
        )
    if preset not in presets:
        raise ValueError(
            f"Unknown preset {preset!r}. Expected one of {list(presets)}. "
            f"Received: preset={preset!r}"
        )
    if shortcut is not None and not -1 <= shortcut <= 1:
        raise ValueError(
            "A shortcut is the correlation of the artefact with the label. Expected "
            f"-1 <= shortcut <= 1, or None for no artefact. Received: {shortcut}"
        )


def planted(rng, label, shortcut, natural=0.0):
    """Decides whether an image bears the artefact.

    P(artefact | label) = (1 + rho) / 2 for label 1 and (1 - rho) / 2 for label 0, which
    with classes of equal size makes the correlation exactly rho.

    Args:
        rng: A generator used for nothing else, so that the image does not change.
        label: 0 or 1.
        shortcut: rho in [-1, 1], or None for `natural`.
        natural: How often the artefact lies in images of either class.
    """
    luck = rng.random()
    if shortcut is None:
        return luck < natural
    return luck < (1 + shortcut * (2 * label - 1)) / 2


def stack(chances):
    """Puts the chances of many images into arrays.

    Drawings are reckoned in float64: processors differ in the last bit of a sine, and
    in float32 that turns a few pixels in a million, in float64 none that was ever seen.
    """
    return {key: np.array([one[key] for one in chances]) for key in chances[0]}


def answer(image, twin, plain, owners, distractor, p):
    """Puts a drawn batch into the form that all domains share.

    Args:
        image: As seen, `(n, size, size, 3)`, uint8.
        twin: The same without its evidence.
        plain: The same as `image` without its planted artefact.
        owners: Dict from the kind of evidence to where it was painted,
            `(n, size, size)`, bool. A pixel may have several.
        distractor: Where distractors were painted, bool.
        p: Everything that chance decided; `label` among it.
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


def _differ(image, other):
    """Tells where any of the three colours differs."""
    if image is other:
        return np.zeros(image.shape[:-1], bool)
    differs = image != other
    return differs[..., 0] | differs[..., 1] | differs[..., 2]


def evidence_of(drawn, names):
    """Splits the evidence by kind.

    Args:
        drawn: What a domain's `draw` returned.
        names: Its `EVIDENCE`.

    Returns:
        A dict from name to mask, `(n, size, size)`, bool; their union is the evidence.
    """
    return {n: (drawn["kinds"] >> bit & 1).astype(bool) for bit, n in enumerate(names)}


def in_parts(part, indices, pixels):
    """Draws a few images at a time, so that what is worked on fits the cache.

    Args:
        part: A function from indices to the dict of `answer`.
        indices: All images wanted.
        pixels: Fine pixels of one image.
    """
    indices, step = list(indices), max(1, 2**16 // pixels)
    parts = [part(indices[i : i + step]) for i in range(0, len(indices), step)]
    return _joined(parts)


def _joined(parts):
    if isinstance(parts[0], dict):
        return {key: _joined([part[key] for part in parts]) for key in parts[0]}
    return np.concatenate(parts)


class Region:
    """Some pixels of a batch of images, and the finer pixels that they come from.

    Reckoning them alone gives what reckoning all gives, in less time.

    Args:
        chosen: Which pixels of the images, `(n, height, width)`, bool.
        factor: Fine pixels a pixel, each way, 1 or 2.

    Attributes:
        coarse: Image, row and column of each pixel, `(pixels,)` each.
        image, row, column: The same of each fine pixel, `(fine pixels,)`, those of one
            pixel side by side.
    """

    def __init__(self, chosen, factor):
        self.factor = factor
        self.coarse = np.nonzero(chosen)
        down, side = np.divmod(np.arange(factor * factor), factor)
        image, row, column = self.coarse
        self.image = np.repeat(image, factor * factor)
        self.row = (factor * row[:, None] + down).ravel()
        self.column = (factor * column[:, None] + side).ravel()
        _, height, width = (factor * length for length in chosen.shape)
        self._flat = (self.image * height + self.row) * width + self.column

    def take(self, fine):
        """Picks the fine pixels, `(..., n, height, width)` to `(..., fine pixels)`."""
        return np.take(fine.reshape(*fine.shape[:-3], -1), self._flat, axis=-1)

    def put(self, fine, values):
        """Puts them back, in place."""
        fine.reshape(*fine.shape[:-3], -1)[..., self._flat] = values

    def number(self, values):
        """Gives every fine pixel the number of its image."""
        return np.take(values, self.image)

    def shrink(self, values):
        """Averages the fine pixels of each pixel, `(..., fine pixels)`."""
        f = self.factor
        means = shrink(values.reshape(-1, f, f), f)
        return means.reshape(*values.shape[:-1], -1)

    def spread(self, where, shape):
        """Tells of all pixels, `shape`, which hold a true fine pixel."""
        found = np.zeros(shape, bool)
        found[self.coarse] = where.reshape(-1, self.factor**2).any(1)
        return found


def part_of(p, chosen):
    """Takes some images out of the chances of many."""
    return {key: value[chosen] for key, value in p.items()}


def in_planes(colours):
    """Gives one colour an image, `(n, 3)`, the form of planes, `(3, n, 1, 1)`."""
    return np.ascontiguousarray(colours.T)[:, :, None, None]


def shrink(fine, factor):
    """Averages 2 x 2 pixels of `(n, height, width, ...)` into one if `factor` is 2."""
    if factor == 1:
        return fine
    rows = fine[:, ::2] + fine[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float64(0.25)


def touched(fine, factor):
    """Tells which pixels hold a true fine pixel."""
    if factor == 1:
        return fine
    rows = fine[:, ::2] | fine[:, 1::2]
    return rows[:, :, ::2] | rows[:, :, 1::2]


def to_bytes(image):
    """Rounds `[0, 1]` to 8 bits."""
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
