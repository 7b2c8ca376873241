"""Who comes next: visitors in turn, their pages in turn, however much one asks."""

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Sequence

MAX_REMEMBERED = 10_000  # visitors and pages
Asker = tuple[str, str]  # a visitor's address, and the session of a page


def visitor_of(host: str | None) -> str:
    """Names a visitor by an address: of IPv6 by its network, which one home has.

    Args:
        host: The number that a connection came from; None if it has none.
    """
    try:
        number = ipaddress.ip_address(str(host).split("%")[0])
    except ValueError:
        return str(host)[:64]
    if number.version == 6:
        mapped = getattr(number, "ipv4_mapped", None)
        return str(mapped or ipaddress.ip_network(f"{number}/64", strict=False))
    return str(number)


class Fairness:
    """Chooses among those who wait the visitor that was served least recently."""

    def __init__(self) -> None:
        self._served: OrderedDict[str | Asker, int] = OrderedDict()
        self._count = 0

    def choose(self, waiting: Sequence[Asker]) -> int:
        """Chooses who comes next, and remembers it.

        Args:
            waiting: Who waits, those that came first in front.

        Returns:
            The index of one of them.
        """
        index = min(
            range(len(waiting)),
            key=lambda n: (
                self._served.get(waiting[n][0], 0),
                self._served.get(waiting[n], 0),
                n,
            ),
        )
        self._count += 1
        for name in (waiting[index][0], waiting[index]):
            self._served[name] = self._count
            self._served.move_to_end(name)
        while len(self._served) > MAX_REMEMBERED:
            self._served.popitem(last=False)
        return index


def whom_to_refuse(waiting: Sequence[Asker], newcomer: Asker) -> int | None:
    """Chooses whose question goes when no more can wait.

    Args:
        waiting: Who waits, those that came first in front.
        newcomer: Who comes now.

    Returns:
        The index of the oldest question of the visitor with the most; None if that is
        the newcomer, who is then refused.
    """
    counts = Counter(visitor for visitor, _ in waiting)
    greediest = max(counts, key=lambda visitor: counts[visitor])
    if counts[newcomer[0]] + 1 >= counts[greediest]:
        return None
    return next(n for n, (visitor, _) in enumerate(waiting) if visitor == greediest)
