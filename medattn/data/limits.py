"""Limits of what is decoded: a small file cannot ask for a large machine."""

MAXIMUM_PIXELS = 16_000_000  # so that decoding fits into a small machine's memory
MAXIMUM_SIDE = 16_384  # pixels; longer than any camera's, and WebP's own limit
MAXIMUM_BYTES = 100_000_000  # 16 million pixels of 16 bits in three channels are 96 MB


def check_size(
    name: str, width: int, height: int, *, most_pixels: int = MAXIMUM_PIXELS
) -> None:
    """Refuses an image that is too large, from what its header says.

    Args:
        name: The name that errors give it.
        width: Pixels.
        height: Pixels.
        most_pixels: Largest image that is decoded.

    Raises:
        ValueError: In one plain sentence.
    """
    if width * height > most_pixels:
        raise ValueError(
            f"{name} is too large. Expected at most {most_pixels:,} pixels. "
            f"Received: {width} x {height} = {width * height:,}"
        )
    if max(width, height) > MAXIMUM_SIDE:
        raise ValueError(
            f"{name} is too long. Expected at most {MAXIMUM_SIDE:,} pixels on a side. "
            f"Received: {width} x {height}"
        )
