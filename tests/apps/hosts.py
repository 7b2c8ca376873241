"""Run in a process of its own: opens the app and prints every host it looked up."""

import socket
import time
import urllib.request

hosts = set()
look_up, connect = socket.getaddrinfo, socket.socket.connect


def looked_up(host, *rest, **options):
    hosts.add(str(host))
    return look_up(host, *rest, **options)


def connected(self, address):
    if isinstance(address, tuple):
        hosts.add(str(address[0]))
    return connect(self, address)


socket.getaddrinfo, socket.socket.connect = looked_up, connected

from medattn_app import launch  # noqa: E402

app = launch(port=0, block=False)
for page in ("", "config", "gradio_api/info"):
    urllib.request.urlopen(app.local_url + page).read()
time.sleep(2)  # for a thread in the background
print("hosts", *sorted(hosts))
app.close()
