"""A class of thirty learners who toggle, each every three seconds."""

import itertools
import random
import threading
import time

import httpx
import numpy as np
from gradio_client import Client

LEARNERS, EVERY = 30, 3.0  # seconds between two toggles of one learner
TEACHER = 20.0  # seconds until a class tries the next method
PATIENCE = 300  # seconds until a wait counts as an error
BLOCKS, SHARES = ("none", "SE", "CBAM"), (0.01, 0.1, 0.5, 1.0)
METHODS = (
    *("lrp.epsilon", "lrp.gamma", "lrp.alpha_1_beta_0", "lrp.sequential_preset_a"),
    *("deep_lift.rescale", "integrated_gradients", "gradient", "input_t_gradient"),
    *("smoothgrad", "gradcam", "attention.spatial_gate", "attention.rollout"),
)


def a_client(url):
    return Client(
        url,
        verbose=False,
        analytics_enabled=False,
        httpx_kwargs={"timeout": PATIENCE},
    )


def first_lesson(rng):
    """A question of learners who all follow the lesson: image, block, share of data."""
    return {
        "image": rng.randrange(8),
        "attention": rng.choice(BLOCKS),
        "regime": rng.choice(SHARES),
    }


def later_lesson(rng):
    """A question of learners who follow a teacher through methods, on all networks."""
    method = METHODS[int(time.monotonic() / TEACHER) % len(METHODS)]
    backbone = rng.choice(("ResNet", "DenseNet", "DeiT"))
    return first_lesson(rng) | {"backbone": backbone, "method": method}


def toggle_by_client(client, question):
    """One toggle through gradio_client and the queue; returns whether it succeeded."""
    found = client.predict(**question, api_name="/explain")
    return found["probability"] is not None


def toggle_by_page(url, component, session, question):
    """One toggle as the page's own script makes it, in its one session."""
    body = {
        "session_hash": session,
        "component_id": component,
        "fn_name": "answer",
        "data": {"question": question},
    }
    answer = httpx.post(
        f"{url}/gradio_api/component_server",
        json=body,
        timeout=PATIENCE,
        trust_env=False,
    )
    return answer.status_code == 200 and answer.json().get("cell")


def a_class(url, seconds, ask=first_lesson):
    """Lets thirty learners toggle; returns the waits in seconds, and the errors.

    Args:
        url: Of the app.
        seconds: How long.
        ask: A function from a `random.Random` to the fields of a question.
    """
    url = url.rstrip("/")
    config = httpx.get(f"{url}/config", timeout=PATIENCE, trust_env=False).json()
    component = next(
        part["id"]
        for part in config["components"]
        if part["props"].get("elem_id") == "ma-explore"
    )
    waits, errors = [], []
    ready = threading.Barrier(LEARNERS + 1, timeout=300)

    def learner(number):
        rng = random.Random(number)
        client = None
        try:
            if number % 2:
                client = a_client(url)
        except Exception as error:
            errors.append(repr(error))
        ready.wait()
        start = time.monotonic()
        for turn in itertools.count():
            due = start + (turn + number / LEARNERS) * EVERY
            if due - start > seconds:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            start_of_toggle = time.monotonic()
            try:
                if client is not None:
                    good = toggle_by_client(client, ask(rng))
                else:
                    session = f"learner{number}"
                    good = toggle_by_page(url, component, session, ask(rng))
                if not good:
                    errors.append("an answer without content")
            except Exception as error:
                errors.append(repr(error))
            waits.append(time.monotonic() - start_of_toggle)
        if client is not None:
            client.close()

    threads = [threading.Thread(target=learner, args=(n,)) for n in range(LEARNERS)]
    for thread in threads:
        thread.start()
    ready.wait()
    for thread in threads:
        thread.join()
    return np.array(waits), errors
