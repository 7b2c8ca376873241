"""One running app for all tests of it."""

import socket

import pytest


@pytest.fixture(scope="session")
def bench():
    from medattn_app.bench import Bench

    return Bench()


@pytest.fixture(scope="session")
def hosts():
    """The hosts that this process looks up or connects to, from now on."""
    asked = set()
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def looked_up(host, *rest, **options):
        asked.add(str(host))
        return look_up(host, *rest, **options)

    def connected(self, address):
        if isinstance(address, tuple):
            asked.add(str(address[0]))
        return connect(self, address)

    socket.getaddrinfo, socket.socket.connect = looked_up, connected
    yield asked
    socket.getaddrinfo, socket.socket.connect = look_up, connect


@pytest.fixture(scope="session")
def app(hosts):
    """The app as `medattn app` starts it, on a free port; closed at the end."""
    from medattn_app import launch

    running = launch(port=0, block=False)
    yield running
    running.close()
