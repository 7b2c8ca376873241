"""Calls the running server as anybody can: raw HTTP, without the page."""

import json
import secrets

import httpx


class Raw:
    """One visitor without a browser.

    Args:
        app: The running `gradio.Blocks`.
    """

    def __init__(self, app):
        self.url = app.local_url.rstrip("/")
        # A connection for each request: one that the server closes after an error may
        # be closing just as the next request takes it.
        fresh = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(timeout=120, trust_env=False, limits=fresh)
        self.session = secrets.token_hex(8)
        self.config = self.http.get(f"{self.url}/config").json()

    def component(self, element):
        """Finds the id of the component with an `elem_id`."""
        return next(
            part["id"]
            for part in self.config["components"]
            if part["props"].get("elem_id") == element
        )

    def event(self, element, kind):
        """Finds the index of the function that an element's event calls."""
        wanted = [self.component(element), kind]
        return next(
            one["id"]
            for one in self.config["dependencies"]
            if wanted in [list(target) for target in one["targets"]]
        )

    def upload(self, content, name="image.png"):
        """Sends a file; returns the response."""
        return self.http.post(
            f"{self.url}/gradio_api/upload", files={"files": (name, content)}
        )

    def call(self, index, data, event_data=None):
        """Calls a function by its index; returns `(success, output)`."""
        body = {
            "data": data,
            "fn_index": index,
            "session_hash": self.session,
            "event_data": event_data,
        }
        try:
            joined = self.http.post(f"{self.url}/gradio_api/queue/join", json=body)
        except httpx.TransportError as error:  # closed after a fault before
            return False, str(error)
        if joined.status_code != 200:
            return False, joined.text
        address = f"{self.url}/gradio_api/queue/data?session_hash={self.session}"
        with self.http.stream("GET", address) as answers:
            for line in answers.iter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    return message["success"], message["output"]
        return False, "the stream ended"

    def server(self, element, name, data):
        """Calls a function that a component's script may call; returns the response."""
        return self.http.post(
            f"{self.url}/gradio_api/component_server",
            json={
                "session_hash": self.session,
                "component_id": self.component(element),
                "fn_name": name,
                "data": data,
            },
        )


def given(path, name="image.png"):
    """Writes a path as the page does after an upload."""
    return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
