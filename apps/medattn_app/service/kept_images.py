"""Visitors' images: in memory, while their page is open, for ten minutes at most."""

import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from medattn_app.domain.cases import Case
from medattn_app.service.uploads import UPLOAD_SECONDS

MAX_IMAGES = 128  # of 2 MB each
MAX_IMAGES_OF_A_SESSION = 4


class KeptImages:
    """Visitors' images, each under a secret key.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # By key: the image, when it came, the session and the address it came from.
        self._cases: OrderedDict[str, tuple[Case, float, str, str]] = OrderedDict()
        self._lock, self._clock = threading.Lock(), clock

    def __len__(self) -> int:
        return len(self._cases)

    def add(self, case: Case, session: str = "", address: str = "") -> str:
        """Keeps a visitor's image; returns the key that only its sender gets.

        Where too many are kept, the address that sent most loses its oldest.
        """
        key = secrets.token_urlsafe(16)
        self.sweep()
        with self._lock:
            self._cases[key] = case, self._clock(), session, address
            of_session = self._keys(2, session)
            if len(of_session) > MAX_IMAGES_OF_A_SESSION:
                del self._cases[of_session[0]]
            if len(self._cases) > MAX_IMAGES:
                counts = Counter(kept[3] for kept in self._cases.values())
                greediest = max(counts, key=lambda name: counts[name])
                del self._cases[self._keys(3, greediest)[0]]
        return key

    def find(self, key: object) -> Case | None:
        """Returns the image of a key; None if it is unknown or expired."""
        self.sweep()
        with self._lock:
            found = self._cases.get(key) if isinstance(key, str) else None
        return None if found is None else found[0]

    def forget(self, session: str) -> None:
        """Drops the images of a page that was closed."""
        with self._lock:
            for key in self._keys(2, session):
                del self._cases[key]

    def sweep(self) -> None:
        """Drops the images that came too long ago."""
        with self._lock:
            now = self._clock()
            for key, kept in list(self._cases.items()):
                if now - kept[1] > UPLOAD_SECONDS:
                    del self._cases[key]

    def _keys(self, field: int, value: str) -> list[str]:
        return [key for key, kept in self._cases.items() if kept[field] == value]
