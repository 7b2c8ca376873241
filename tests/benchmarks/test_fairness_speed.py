"""How long a learner waits while another visitor floods the app.

pytest tests/benchmarks/test_fairness_speed.py --benchmark-only -n 0
"""

import itertools
import re
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import pytest

ASKED = 20  # questions of the learner, in quiet and in flood
FLOODERS = 8  # threads of one visitor, each with new sessions
METHODS = ("gradient", "lrp.epsilon", "input_t_gradient")


@pytest.fixture
def url():
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "medattn", "app", "--port", "0"]
        + ["--no-open-browser"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = next(line for line in server.stdout if "is open at" in line)
        time.sleep(60)  # what is compiled beside is compiled
        yield re.search(r"http://\S+[^/\s]", line).group(0)
    finally:
        server.terminate()
        server.wait(timeout=60)


def visitor(address):
    """A client with an address of its own, as every address 127.x.x.x is this host."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(transport=transport, timeout=120, trust_env=False)


def questions():
    """Yields questions that were not asked before, so that each is computed."""
    grid = itertools.product(
        METHODS, range(8), (0.01, 0.1, 0.5, 1.0), ("none", "SE", "CBAM")
    )
    for method, image, regime, attention in grid:
        yield dict(method=method, image=image, regime=regime, attention=attention)


def ask(client, url, component, session, question):
    body = {
        "session_hash": session,
        "component_id": component,
        "fn_name": "answer",
        "data": {"question": question},
    }
    began = time.monotonic()
    answer = client.post(f"{url}/gradio_api/component_server", json=body)
    assert answer.status_code in (200, 429), answer.text
    return time.monotonic() - began, answer.json()


def test_a_flood_at_most_doubles_the_wait_of_others(url, benchmark):
    config = httpx.get(f"{url}/config", trust_env=False).json()
    component = next(
        part["id"]
        for part in config["components"]
        if part["props"].get("elem_id") == "ma-explore"
    )
    learner, ours = visitor("127.0.0.1"), questions()
    taken = list(itertools.islice(ours, 2 * ASKED))
    ask(learner, url, component, "learner", dict(dataset="chest"))  # it is awake
    quiet = [ask(learner, url, component, "learner", one)[0] for one in taken[:ASKED]]
    ending, asked = threading.Event(), itertools.count()

    def flood():
        client = visitor("127.0.0.2")
        datasets = itertools.cycle(("dermoscopy", "chest"))
        for one in itertools.cycle(list(questions())):
            if ending.is_set():
                return
            session = f"flood{next(asked)}"
            ask(client, url, component, session, one | dict(dataset=next(datasets)))

    flooders = [threading.Thread(target=flood) for _ in range(FLOODERS)]
    for thread in flooders:
        thread.start()
    try:
        time.sleep(2)
        flooded = benchmark.pedantic(
            lambda: [
                ask(learner, url, component, "learner", one) for one in taken[ASKED:]
            ],
            rounds=1,
        )
    finally:
        ending.set()
        for thread in flooders:
            thread.join()
    waits = [wait for wait, _ in flooded]
    told = (
        f"quiet {np.median(quiet):.2f} s, in the flood {np.median(waits):.2f} s; "
        f"{next(asked)} questions of the flood"
    )
    print(told)
    assert all("cell" in reply for _, reply in flooded)
    assert np.median(waits) <= 2 * np.median(quiet), told
