"""Run in a process of its own: opens the app and prints every host it asked for."""

import socket
import time
import urllib.request

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

from medattn_app import launch  # noqa: E402

app = launch(port=0, block=False)
for page in ("", "config", "gradio_api/info"):
    urllib.request.urlopen(app.local_url + page).read()
time.sleep(2)  # what a thread in the background might ask
print("asked", *sorted(asked))
app.close()
