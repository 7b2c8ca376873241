"""Images that have just come: as pixels, each under a secret, until they are asked for.

A file is decoded when it arrives, before any queue. What the question then brings is a
small file with the secret, of a name of its own, even where ten visitors send the same
picture at once.
"""

import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from medattn_app.service.decoder import Arrays

SECONDS = 120  # that an image waits for its question
MAX_IMAGES = 64  # that wait, of 2 MB each
MAX_IMAGES_OF_A_VISITOR = 32  # a class may come from one address
PREFIX = b"medattn-arrival:"


class Arrivals:
    """Decoded images, and sentences about files that could not be decoded.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._waiting: OrderedDict[bytes, tuple[Arrays | str, str, float]]
        self._waiting, self._lock, self._clock = OrderedDict(), threading.Lock(), clock

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, found: Arrays | str, visitor: str) -> bytes:
        """Keeps what a file holds; the visitor who sent most loses their oldest.

        Args:
            found: Both sizes of the image, or why there is none.
            visitor: Who sent it.

        Returns:
            The secret that stands for it.
        """
        secret = PREFIX + secrets.token_hex(16).encode()
        self.sweep()
        with self._lock:
            self._waiting[secret] = found, visitor, self._clock()
            counts = Counter(sender for _, sender, _ in self._waiting.values())
            greediest = max(counts, key=lambda name: counts[name])
            crowded = counts[greediest] > MAX_IMAGES_OF_A_VISITOR
            if crowded or len(self._waiting) > MAX_IMAGES:
                oldest = next(
                    key
                    for key, (_, sender, _) in self._waiting.items()
                    if sender == greediest
                )
                del self._waiting[oldest]
        return secret

    def take(self, secret: bytes) -> Arrays:
        """Hands out an image, once.

        Raises:
            ValueError: If there is none, or the file could not be decoded.
        """
        self.sweep()
        with self._lock:
            found = self._waiting.pop(secret, None)
        if found is None:
            raise ValueError(
                "The image is no longer here: it waited for two minutes, or too many "
                "came. Expected an image that was just sent."
            )
        if isinstance(found[0], str):
            raise ValueError(found[0])
        return found[0]

    def sweep(self) -> None:
        """Drops what nobody asked for."""
        with self._lock:
            now = self._clock()
            for secret, (_, _, since) in list(self._waiting.items()):
                if now - since > SECONDS:
                    del self._waiting[secret]
