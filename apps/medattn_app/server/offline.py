"""Offline: connections to other machines are refused inside this process."""

import ipaddress
import sys

_allowed = {"localhost", "", "None"}
_refusing = False


def refuse_other_machines(also: str = "") -> None:
    """Refuses from now on, in this process, every connection that leaves the machine.

    Python calls an audit hook before it looks a name up or opens a connection; the hook
    stays for the life of the process. Connections from outside are not affected.

    Args:
        also: A further host that is this machine, such as the address it listens on.
    """
    global _refusing
    _allowed.add(also)
    if not _refusing:
        sys.addaudithook(_refuse)
        _refusing = True


def stays_here(host: str | bytes | None) -> bool:
    """Whether a host is this machine.

    Args:
        host: A name or a number, as `socket` takes it; None is this machine.
    """
    if host is None:
        return True
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in _allowed:
        return True
    try:
        number = ipaddress.ip_address(str(host).split("%")[0])
    except ValueError:
        return False
    return number.is_loopback or number.is_unspecified


def _refuse(event: str, arguments: tuple) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.gethostbyname"):
        address = arguments[-1]
        if event != "socket.gethostbyname" and not isinstance(address, tuple):
            return  # a socket of this machine's file system
        host = address[0] if isinstance(address, tuple) else address
    else:
        return
    if not stays_here(host):
        raise PermissionError(
            f"The app is offline. Expected only this machine. Received: {host!r}"
        )
