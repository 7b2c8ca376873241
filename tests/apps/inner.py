"""Stands for Gradio behind the gate, and asks through it without a server."""

import asyncio

import httpx

from medattn_app.server.gate import Gate, GateRules


class Inner:
    """Stands for Gradio: remembers what reached it, and answers as it is told."""

    def __init__(self, status=200, body=b'{"from": "gradio"}', headers=()):
        self.status, self.body, self.headers = status, body, list(headers)
        self.seen, self.failure, self.logged_in = [], None, True

    async def __call__(self, scope, receive, send):
        content = b""
        while True:
            message = await receive()
            content += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"].endswith("login_check"):
            status = 200 if self.logged_in else 401
        else:
            self.seen.append((scope, content))
            status = self.status
        if self.failure:
            raise self.failure
        headers = [(b"access-control-allow-origin", b"http://evil.example")]
        headers += self.headers
        await send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        await send({"type": "http.response.body", "body": self.body})


def ask(inner, method, path, *, rules=None, headers=None, address="203.0.113.9", **how):
    """Sends one request through a gate (or several, with a list of paths)."""
    gate = (
        rules
        if isinstance(rules, Gate)
        else Gate(inner, rules or GateRules(max_upload=1_000_000))
    )

    async def send():
        transport = httpx.ASGITransport(gate, client=(address, 5000))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://demo.example"
        ) as client:
            return await client.request(method, path, headers=headers, **how)

    return asyncio.run(send())
